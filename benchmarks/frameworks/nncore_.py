"""nncore."""

from __future__ import annotations

from functools import partial

import nncore
from benchmarks.frameworks import keras_api

make = partial(keras_api.Model, nncore)
