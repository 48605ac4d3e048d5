"""Rows of test_layers.py for layers of images and noise: spec, shapes of input and output, parameters."""

from __future__ import annotations

from typing import Any

from reference_layers import Spec, conv2d_transpose

Shape = tuple[int, ...]


def normalization(*axis: int, invert: bool = False, **given: list[float]) -> Spec:
    return "normalization", {"axis": axis, "invert": invert, **given}


def up_sampling(size: tuple[int, ...], interpolation: str = "nearest") -> Spec:
    return "up_sampling", {"size": size, "interpolation": interpolation}


def resizing(height: int, width: int, interpolation: str = "bilinear", fit: str = "stretch") -> Spec:
    sizes = {"height": height, "width": width}
    return "resizing", {**sizes, "interpolation": interpolation, "fit": fit, "fill_value": 0.5}


def sampling(
    fill_mode: str, interpolation: str = "bilinear", **factors: tuple[float, float]
) -> dict[str, Any]:
    return {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.5, **factors}


IMAGE = (7, 8, 6)
ROWS: dict[str, tuple[Spec, Shape, Shape, list[Shape]]] = {
    **{
        f"conv2d_transpose {name}": (spec, IMAGE, output, shapes)
        for name, spec, output, shapes in [
            ("valid", conv2d_transpose(5, 3), (9, 10, 5), [(3, 3, 5, 6), (5,)]),
            ("strided", conv2d_transpose(4, (2, 3), 2), (14, 17, 4), [(2, 3, 4, 6), (4,)]),
            ("gaps", conv2d_transpose(4, 2, 3, use_bias=False), (21, 24, 4), [(2, 2, 4, 6)]),
            ("same", conv2d_transpose(5, 3, 2, "same", activation="relu"), (14, 16, 5), [(3, 3, 5, 6), (5,)]),
            ("same even", conv2d_transpose(4, 4, 2, "same"), (14, 16, 4), [(4, 4, 4, 6), (4,)]),
            ("same of gaps", conv2d_transpose(4, 1, 2, "same"), (14, 16, 4), [(1, 1, 4, 6), (4,)]),
            (
                "output_padding",
                conv2d_transpose(17, 3, 2, "same", (0, 1), activation="silu"),
                (13, 16, 17),
                [(3, 3, 17, 6), (17,)],
            ),
            (
                "valid output_padding",
                conv2d_transpose(4, 3, 2, "valid", (1, 0)),
                (16, 17, 4),
                [(3, 3, 4, 6), (4,)],
            ),
            ("dilated", conv2d_transpose(4, (2, 3), dilation_rate=2), (9, 12, 4), [(2, 3, 4, 6), (4,)]),
            (
                "dilated same",
                conv2d_transpose(4, 3, 1, "same", dilation_rate=2),
                (7, 8, 4),
                [(3, 3, 4, 6), (4,)],
            ),
        ]
    },
    "prelu": (("prelu", {"shared_axes": ()}), IMAGE, IMAGE, [IMAGE]),
    "prelu of channels": (("prelu", {"shared_axes": (1, 2)}), IMAGE, IMAGE, [(1, 1, 6)]),
    "prelu of columns": (("prelu", {"shared_axes": (-1, 1)}), IMAGE, IMAGE, [(1, 8, 1)]),
    "prelu of all": (("prelu", {"shared_axes": (1,)}), (7,), (7,), [(1,)]),
    "softmax of an axis": (("softmax", {"axis": (1,)}), IMAGE, IMAGE, []),
    "softmax of columns": (("softmax", {"axis": (-2,)}), IMAGE, IMAGE, []),
    "softmax of axes": (("softmax", {"axis": (2, -1)}), IMAGE, IMAGE, []),
    "softmax of rows": (("softmax", {"axis": (2, 1)}), IMAGE, IMAGE, []),
    "normalization": (normalization(-1), IMAGE, IMAGE, [(6,), (6,), ()]),
    "normalization of rows": (normalization(1, 3, invert=True), IMAGE, IMAGE, [(7, 6), (7, 6), ()]),
    "normalization of all": (normalization(), (7,), (7,), [(), (), ()]),
    "normalization by numbers": (normalization(-1, mean=[0.5], variance=[2.0]), IMAGE, IMAGE, []),
    "normalization of rows by numbers": (
        normalization(2, mean=[*range(8)], variance=[*range(1, 9)], invert=True),
        IMAGE,
        IMAGE,
        [],
    ),
    "gaussian_noise": (("gaussian_noise", {"stddev": 0.5}), IMAGE, IMAGE, []),
    "gaussian_noise by a seed": (("gaussian_noise", {"stddev": 0.5, "seed": 7}), IMAGE, IMAGE, []),
    "gaussian_dropout": (("gaussian_dropout", {"rate": 0.3}), IMAGE, IMAGE, []),
    "alpha_dropout": (("alpha_dropout", {"rate": 0.3}), IMAGE, IMAGE, []),
    "zero_padding": (("zero_padding", {"padding": (1, 2, 0, 3)}), IMAGE, (10, 11, 6), []),
    "zero_padding of steps": (("zero_padding", {"padding": (2, 1)}), (7, 5), (10, 5), []),
    "cropping": (("cropping", {"cropping": (1, 2, 0, 3)}), IMAGE, (4, 5, 6), []),
    "cropping of steps": (("cropping", {"cropping": (2, 1)}), (7, 5), (4, 5), []),
    "up_sampling": (up_sampling((2, 3)), IMAGE, (14, 24, 6), []),
    "up_sampling bilinear": (up_sampling((3, 1), "bilinear"), IMAGE, (21, 8, 6), []),
    "up_sampling of steps": (up_sampling((3,)), (7, 5), (21, 5), []),
    "resizing": (resizing(5, 11), IMAGE, (5, 11, 6), []),
    "resizing nearest": (resizing(10, 3, "nearest"), IMAGE, (10, 3, 6), []),
    "resizing cropped": (resizing(4, 9, fit="crop"), IMAGE, (4, 9, 6), []),
    "resizing padded": (resizing(9, 4, fit="pad"), IMAGE, (9, 4, 6), []),
    "center_crop": (("center_crop", {"height": 4, "width": 7}), IMAGE, (4, 7, 6), []),
    "center_crop of small ones": (("center_crop", {"height": 9, "width": 4}), IMAGE, (9, 4, 6), []),
    **{
        f"random_flip {mode}": (("random_flip", {"mode": mode}), IMAGE, IMAGE, [])
        for mode in ("horizontal", "vertical", "horizontal_and_vertical")
    },
    **{
        f"random_rotation {fill}": (("random_rotation", sampling(fill, factor=(-0.4, 0.9))), IMAGE, IMAGE, [])
        for fill in ("reflect", "constant", "wrap", "nearest")
    },
    "random_rotation of the nearest": (
        ("random_rotation", sampling("reflect", "nearest", factor=(0.1, 0.1))),
        IMAGE,
        IMAGE,
        [],
    ),
    "random_zoom": (("random_zoom", sampling("reflect", height_factor=(-0.5, 0.9))), IMAGE, IMAGE, []),
    "random_zoom of both": (
        ("random_zoom", sampling("constant", height_factor=(-0.5, 0.9), width_factor=(0.1, 0.2))),
        IMAGE,
        IMAGE,
        [],
    ),
    "random_translation": (
        ("random_translation", sampling("constant", height_factor=(-0.3, 0.9), width_factor=(-1.0, 0.5))),
        IMAGE,
        IMAGE,
        [],
    ),
    "random_crop": (("random_crop", {"height": 4, "width": 5}), IMAGE, (4, 5, 6), []),
    "random_crop of small ones": (("random_crop", {"height": 9, "width": 5}), IMAGE, (9, 5, 6), []),
    "random_contrast": (
        ("random_contrast", {"factor": (0.5, 0.9), "value_range": (-2.0, 2.5)}),
        IMAGE,
        IMAGE,
        [],
    ),
    "random_brightness": (
        ("random_brightness", {"factor": (-0.5, 0.7), "value_range": (-2.0, 2.5), "seed": 3}),
        IMAGE,
        IMAGE,
        [],
    ),
}
