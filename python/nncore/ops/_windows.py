"""The slices of an image that a sliding window covers, for the references of convolution and pooling."""

from __future__ import annotations

from collections.abc import Iterator

from ..common.arguments import pair

Pair = tuple[int, int]
Part = tuple[slice, slice, slice]  # of the first three axes of images


class Windows:
    """Windows of `size` that start every `strides` pixels of an (h, w) image, taps `dilation` pixels apart.

    padding "valid" keeps to windows that lie inside the image: h_out = (h - extent) // stride + 1, with
    extent = (size - 1) * dilation + 1. "same" makes h_out = ceil(h / stride) and lets windows stick out,
    evenly on both sides and by one more at the bottom and right; taps outside the image are skipped.

    Iterating yields (i, j, out, inside) for each tap (i, j): the outputs y[out] read the inputs x[inside].
    ValueError if no window fits.
    """

    def __init__(
        self, image: Pair, size: int | Pair, strides: int | Pair, padding: str, dilation: int | Pair = 1
    ) -> None:
        size, strides, dilation = (pair("Windows", "each size", v) for v in (size, strides, dilation))
        axes = zip(image, size, strides, dilation, strict=True)
        (self.h, self._rows), (self.w, self._columns) = (_axis(*axis, padding) for axis in axes)

    def __iter__(self) -> Iterator[tuple[int, int, Part, Part]]:
        for i, (out_rows, in_rows) in enumerate(self._rows):
            for j, (out_columns, in_columns) in enumerate(self._columns):
                yield i, j, (slice(None), out_rows, out_columns), (slice(None), in_rows, in_columns)


def _axis(
    length: int, size: int, stride: int, dilation: int, padding: str
) -> tuple[int, list[tuple[slice, slice]]]:
    """The output length, and for each tap the outputs for which it lies in the image, and their inputs."""
    extent = (size - 1) * dilation + 1
    if padding == "valid":
        outputs, before = (length - extent) // stride + 1, 0
    elif padding == "same":
        outputs = -(-length // stride)
        before = max((outputs - 1) * stride + extent - length, 0) // 2
    else:
        raise ValueError(f'expected padding "valid" or "same", got {padding!r}')
    if outputs < 1:
        raise ValueError(f"expected an image of at least {extent} pixels a side for the window, got {length}")
    taps = []
    for tap in range(size):
        start = tap * dilation - before  # output o reads input o * stride + start
        first = max(0, -(start // stride))
        count = max(0, min(outputs - 1, (length - 1 - start) // stride) - first + 1)
        begin = first * stride + start
        inside = slice(begin, begin + (count - 1) * stride + 1, stride) if count else slice(0, 0)
        taps.append((slice(first, first + count), inside))
    return outputs, taps
