"""Sizes of the products that are timed. Imports no framework.

Those named DeepBench are facts from the lists of that benchmark (Baidu Research, 2016-2018,
https://github.com/baidu-research/DeepBench, code/kernels/gemm_problems.h and conv_problems.h), of which those
were taken that a processor does in a fraction of a second, convolutions with a smaller batch.
"""

from __future__ import annotations

from typing import NamedTuple


class Gemm(NamedTuple):
    """(rows, inputs) @ (inputs, units)"""

    rows: int
    inputs: int
    units: int
    origin: str = ""

    @property
    def name(self) -> str:
        return f"{self.rows} x {self.inputs} to {self.units}{self.origin}"

    @property
    def flops(self) -> float:
        return 2.0 * self.rows * self.inputs * self.units


class Conv(NamedTuple):
    """Images (n, h, w, c), kernel (kh, kw, c / groups, f)"""

    n: int
    h: int
    w: int
    c: int
    f: int
    kh: int = 3
    kw: int = 3
    padding: str = "same"
    stride: int = 1
    groups: int = 1
    origin: str = ""

    @property
    def name(self) -> str:
        kind = f", stride {self.stride}" * (self.stride > 1) + ", depthwise" * (self.groups > 1)
        image, kernel = f"{self.n} x {self.h} x {self.w} x {self.c}", f"{self.kh} x {self.kw}"
        return f"{image} to {self.f}, {kernel} {self.padding}{kind}{self.origin}"

    @property
    def output(self) -> tuple[int, int, int, int]:
        if self.padding == "same":
            return self.n, -(-self.h // self.stride), -(-self.w // self.stride), self.f
        h, w = ((a - k) // self.stride + 1 for a, k in ((self.h, self.kh), (self.w, self.kw)))
        return self.n, h, w, self.f

    @property
    def flops(self) -> float:
        n, h, w, f = self.output
        return 2.0 * n * h * w * f * self.kh * self.kw * self.c / self.groups


# DeepBench's products are (m, k) @ (k, n) with the weights first: units m, inputs k, rows n.
DEEPBENCH_GEMMS = [
    (1760, 16, 1760),
    (1760, 128, 1760),
    (2048, 32, 2048),
    (2560, 64, 2560),
    (3072, 128, 1024),
    (3072, 1, 1024),
    (1024, 16, 512),
    (1024, 700, 512),
    (35, 700, 2048),
    (128, 1500, 1280),
    (3072, 1500, 128),
]
GEMMS = [
    Gemm(256, 256, 256),
    Gemm(512, 512, 512),
    Gemm(1024, 1024, 1024),
    Gemm(32, 784, 512),
    Gemm(128, 512, 512),
    Gemm(1, 10816, 10),
    Gemm(32, 10816, 10),
]
ALL_GEMMS = GEMMS + [Gemm(n, k, m, " (DeepBench)") for m, n, k in DEEPBENCH_GEMMS]
DEEP = " (DeepBench)"
CONVS = [
    Conv(32, 28, 28, 1, 64),
    Conv(32, 28, 28, 64, 64),
    Conv(32, 28, 28, 64, 64, 1, 1),
    Conv(32, 29, 29, 64, 64, padding="valid", stride=2),
    Conv(32, 28, 28, 64, 64, groups=64),
    Conv(4, 12, 120, 32, 64, origin=DEEP),
    Conv(1, 54, 54, 64, 64, origin=DEEP),
    Conv(2, 27, 27, 128, 128, origin=DEEP),
    Conv(2, 14, 14, 128, 256, origin=DEEP),
    Conv(1, 7, 7, 512, 512, origin=DEEP),
    Conv(4, 28, 28, 192, 32, 5, 5, origin=DEEP),
    Conv(4, 14, 14, 512, 192, 1, 1, origin=DEEP),
    Conv(1, 28, 28, 512, 256, 1, 1, "valid", 2, origin=DEEP),
    Conv(1, 161, 700, 1, 32, 5, 20, "valid", 2, origin=DEEP),
    Conv(1, 79, 341, 32, 32, 5, 10, "valid", 2, origin=DEEP),
]


def gemms(quick: bool) -> list[Gemm]:
    return [Gemm(4, 30, 20), Gemm(2, 50, 7, DEEP)] if quick else ALL_GEMMS


def convs(quick: bool) -> list[Conv]:
    if not quick:
        return CONVS
    return [
        Conv(2, 8, 8, 3, 4),
        Conv(1, 9, 9, 4, 4, padding="valid", stride=2, origin=DEEP),
        Conv(2, 8, 8, 4, 4, groups=4),
    ]
