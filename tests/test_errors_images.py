"""Errors of layers for images and noise: they name the layer, what was expected and what was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nncore import layers

MISTAKES: list[tuple[str, type[Exception], str, Callable[[], Any]]] = [
    ("softmax over no axis", ValueError, "axis must name one axis or more", lambda: layers.Softmax(axis=[])),
    (
        "softmax over axes apart",
        ValueError,
        "axes that lie side by side",
        lambda: layers.Softmax(axis=[1, 3])(np.ones((1, 2, 3, 4))),
    ),
    (
        "shared axes",
        ValueError,
        "shared_axes must name axes behind the batch, got 3",
        lambda: layers.PReLU(shared_axes=3)(np.ones((1, 2, 3))),
    ),
    ("noise", ValueError, r"stddev must be in \[0, inf\), got -1", lambda: layers.GaussianNoise(-1)),
    ("rate of 1", ValueError, r"rate must be in \[0, 1\), got 1", lambda: layers.AlphaDropout(1.0)),
    ("negative seed", ValueError, "seed must be at least 0", lambda: layers.GaussianDropout(0.1, seed=-1)),
    (
        "three edges",
        ValueError,
        "padding must be a number, two numbers or two pairs",
        lambda: layers.ZeroPadding2D((1, 2, 3)),
    ),
    ("negative edges", ValueError, "cropping must be at least 0", lambda: layers.Cropping1D((0, -1))),
    (
        "cropping of everything",
        ValueError,
        "cropping leaves nothing of samples",
        lambda: layers.Cropping2D(2)(np.ones((1, 4, 5, 1))),
    ),
    (
        "steps as an image",
        ValueError,
        r"expected samples of shape \(steps, channels\)",
        lambda: layers.UpSampling1D()(np.ones((1, 4, 5, 1))),
    ),
    (
        "interpolation",
        ValueError,
        "interpolation must be one of",
        lambda: layers.UpSampling2D(2, None, "bicubic"),
    ),
    (
        "antialias",
        ValueError,
        "antialias=True is not available yet",
        lambda: layers.Resizing(2, 2, antialias=True),
    ),
    (
        "cropped and padded",
        ValueError,
        "must not both be True",
        lambda: layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
    ),
    (
        "images of channels first",
        ValueError,
        "data_format='channels_first' is not available yet",
        lambda: layers.RandomFlip(data_format="channels_first"),
    ),
    (
        "output_padding",
        ValueError,
        r"output_padding must be below strides=\(1, 1\), got 1",
        lambda: layers.Conv2DTranspose(2, 3, output_padding=1),
    ),
    (
        "strides and dilation",
        ValueError,
        "only one of strides and dilation_rate may be above 1",
        lambda: layers.Conv2DTranspose(2, 3, 2, dilation_rate=2),
    ),
    (
        "no output",
        ValueError,
        "the output has no pixels",
        lambda: layers.Conv2DTranspose(2, 2, 2, "same", output_padding=0)(np.ones((1, 1, 3, 1))),
    ),
    ("flip", ValueError, "mode must be one of", lambda: layers.RandomFlip("diagonal")),
    ("rotation", ValueError, r"factor must be in \[-1, 1\], got 2", lambda: layers.RandomRotation(2)),
    (
        "rotation by three",
        ValueError,
        "factor must be a number or a pair",
        lambda: layers.RandomRotation((0, 1, 2)),
    ),
    ("zoom", ValueError, "height_factor must be above -1", lambda: layers.RandomZoom((-1, 0))),
    (
        "translation",
        ValueError,
        r"width_factor must be in \[-1, 1\]",
        lambda: layers.RandomTranslation(0, (0, 3)),
    ),
    ("contrast", ValueError, r"factor must be in \[0, 1\], got -1", lambda: layers.RandomContrast(-1)),
    (
        "value_range",
        ValueError,
        "value_range must be two different numbers",
        lambda: layers.RandomContrast(0.1, 255),
    ),
    ("mean alone", ValueError, "mean and variance must be given both", lambda: layers.Normalization(mean=0)),
    (
        "shapes of mean",
        ValueError,
        "must have the same shape",
        lambda: layers.Normalization(mean=0, variance=[1]),
    ),
    (
        "negative variance",
        ValueError,
        "variance at least 0",
        lambda: layers.Normalization(mean=0, variance=-1),
    ),
    (
        "numbers of mean",
        ValueError,
        "expected mean and variance of 3 numbers, got 2",
        lambda: layers.Normalization(mean=[0, 1], variance=[1, 2])(np.ones((1, 3))),
    ),
    (
        "adapting what is given",
        ValueError,
        "has its mean and variance from its arguments",
        lambda: layers.Normalization(mean=0, variance=1).adapt(np.ones((1, 3))),
    ),
    (
        "adapting to nothing",
        ValueError,
        "adapt needs data, got none",
        lambda: layers.Normalization().adapt([]),
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(("expected", "match", "mistake"), [pytest.param(*m[1:], id=m[0]) for m in MISTAKES])
def test_mistakes_are_named(expected: type[Exception], match: str, mistake: Callable[[], Any]) -> None:
    with pytest.raises(expected, match=match) as caught:
        mistake()
    assert str(caught.value).startswith("[")
