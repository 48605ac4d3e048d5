"""PyTorch's convolutions at the sizes of nncore's: python -m benchmarks.frameworks.torch_convs [--quick]

In the faster of its two memory formats, and without gradient tracking.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch

from benchmarks import numpy_forms, shapes, timing


def times(c: shapes.Conv, channels_last: bool, quick: bool) -> tuple[float, float]:
    """Seconds of (forward, all three gradients)."""
    rng = np.random.default_rng(0)
    layout: Any = torch.channels_last if channels_last else torch.contiguous_format

    def normal(*shape: int) -> Any:
        return rng.standard_normal(shape, np.float32)

    def tensor(a: Any, order: tuple[int, ...]) -> Any:
        return torch.from_numpy(a).permute(*order).contiguous(memory_format=layout)

    x, kernel = normal(c.n, c.h, c.w, c.c), normal(c.kh, c.kw, c.c // c.groups, c.f)
    images, weights = tensor(x, (0, 3, 1, 2)), tensor(kernel, (3, 2, 0, 1))
    dy = tensor(normal(*c.output), (0, 3, 1, 2))
    padding = [c.kh // 2, c.kw // 2] if c.padding == "same" else [0, 0]

    def forward() -> Any:
        return torch.nn.functional.conv2d(images, weights, None, c.stride, tuple(padding), 1, c.groups)

    def backward() -> Any:
        stride, wanted = [c.stride] * 2, [True] * 3
        return torch.ops.aten.convolution_backward(
            dy, images, weights, [c.f], stride, padding, [1, 1], False, [0, 0], c.groups, wanted
        )

    expected = numpy_forms.conv2d(x, kernel, c.stride, c.padding, c.groups)
    found = forward().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))
    seconds = 0 if quick else timing.SECONDS
    return timing.block(forward, seconds), timing.block(backward, seconds)


def main(quick: bool) -> dict[str, Any]:
    found = {}
    with torch.inference_mode():
        for c in shapes.convs(quick):
            forward, backward = (min(pair) for pair in zip(times(c, False, quick), times(c, True, quick)))
            found[f"forward {c.name}"] = {"seconds": {"torch": forward}}
            found[f"backward {c.name}"] = {"seconds": {"torch": backward}}
    return found


if __name__ == "__main__":
    print(json.dumps(main("--quick" in sys.argv)))
