"""What Keras says of numbers and images in general, all of which is fixed here, and a fresh start.

Functions of tensors, which earlier versions of Keras had here, are in `nncore.ops` and NumPy.
"""

from __future__ import annotations

from .common.absent import answer
from .common.arguments import require_default
from .utils import clear_session

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
answer(__name__)


def backend() -> str:
    """The name of what computes: "nncore".

    >>> backend()
    'nncore'
    """
    return "nncore"


def epsilon() -> float:
    """1e-7, to which probabilities are clipped in losses."""
    return 1e-7


def set_epsilon(value: float) -> None:
    """Does nothing.

    Raises:
        ValueError: value is not 1e-7.
    """
    require_default("set_epsilon", "value", value, epsilon())


def floatx() -> str:
    """The type of all values of models: "float32"."""
    return "float32"


def set_floatx(value: str) -> None:
    """Does nothing.

    Raises:
        ValueError: value is not "float32".
    """
    require_default("set_floatx", "value", value, floatx())


def image_data_format() -> str:
    """The order of the axes of images: "channels_last", which is (height, width, channels).

    >>> image_data_format()
    'channels_last'
    """
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Does nothing.

    Raises:
        ValueError: data_format is not "channels_last".
    """
    require_default("set_image_data_format", "data_format", data_format, image_data_format())
