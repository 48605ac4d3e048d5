"""Pickled models of earlier versions name `nncore._saving.reading.from_bytes`."""

import sys

from .models import model

sys.modules[f"{__name__}.reading"] = model
