"""Pickled models of earlier versions name `nncore._saving.reading.from_bytes`."""

import sys

from .saving import reading

sys.modules[f"{__name__}.reading"] = reading
