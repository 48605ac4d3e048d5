"""The cases of tests/cpp, made from the table: inputs of kernels, and the outputs of nncore.reference.

    python tests/golden.py FILE

A case is a line "case FAMILY NAME ROWS COLUMNS SETTINGS...", of a row's name and its settings in their order,
and arrays: "in NAME SIZE" and as many float32 numbers, or "drawn NAME SIZE SEED" for those that both sides
draw, or "out NAME SIZE" and as many float64 numbers, then as many float32 numbers that say how far from each
that of a kernel may be. ROWS of an optimizer is the number of the step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import golden_arrays
import numpy as np
from golden_case import Golden
from op_cases import SIZES, Array, normal, over_rows, row_outputs, row_targets
from optimizer_cases import OPTIMIZERS, initial_moments, reference_step

from nncore import _core
from nncore.common.operations import ACTIVATIONS, Operation
from nncore.common.rows import LOSSES, METRICS, row_spec
from nncore.optimizers import ROWS

EXTREMES = np.array([[-np.inf, -1000, 0, 1000, np.inf, np.nan]], np.float32)


def single(value: Any) -> Any:
    """A number as kernels read it."""
    return float(np.float32(value)) if isinstance(value, float) else value


def row_settings(row: list[_core.Setting], given: dict[str, Any]) -> list[float]:
    return [single(given.get(key, default)) for key, default, *_ in row]


def activations() -> Iterator[Golden]:
    for operation in ACTIVATIONS.values():
        for variant in ({}, *operation.variants):
            given = {key: single(value) for key, value in variant.items()}
            for n in SIZES:
                rng = np.random.default_rng(n)
                for rows in (1, 3, 17) if over_rows(operation.names[0]) else (1,):
                    x, dy = normal(rng, rows, n, scale=3.0), normal(rng, rows, n)
                    yield of_activation(operation, given, x, dy)
            if not over_rows(operation.names[0]):
                with np.errstate(all="ignore"):
                    wanted = operation.reference(EXTREMES, **given)
                known = np.isnan(EXTREMES) | ~np.isnan(wanted)  # of -inf * 0 the reference makes NaN
                x = EXTREMES[known][None]
                yield of_activation(operation, given, x, np.ones_like(x))


def of_activation(operation: Operation, given: dict[str, Any], x: Array, dy: Array) -> Golden:
    row, settings = operation.row(x, **given)
    numbers = row_settings(_core.activations()[row][0], settings)
    with np.errstate(all="ignore"):
        y = operation.reference(x, **given)
        # at infinity, the limit of the slope
        dx = operation.reference_backward(dy, x.clip(-1e4, 1e4), **given)
    if over_rows(row):
        largest = np.abs(dy).max(axis=-1, keepdims=True)
        cancels = 0.25 if (y <= 0).any() else 0.0  # differences of two numbers
        allowed = 16 * (np.abs(y) + cancels), 16 * (np.abs(dx) + np.abs(y) * largest)
    else:  # 0.25, as parts of y and of the slope cancel
        allowed = 16 * (np.abs(y) + 0.25), 16 * (np.abs(dx) + 0.25 * np.abs(dy))
    outputs = {"y": (y, allowed[0]), "dx": (dx, allowed[1])}
    return Golden("activation", row, x.shape, numbers, {"x": x, "dy": dy}, outputs)


def losses() -> Iterator[Golden]:
    for operation in LOSSES.values():
        for variant, rng, shape in of_rows(operation):
            target = row_targets(rng, operation.inputs, shape)
            x = row_outputs(rng, operation.inputs, shape, variant.get("from_logits", False))
            scale = rng.uniform(0.5, 2.0, size=shape[0]).astype(np.float32)
            value = operation.reference(target, x, **variant)
            dx = operation.reference_backward(scale, target, x, **variant)
            row, settings = row_spec("golden", operation.public, **variant)
            numbers = row_settings(_core.losses()[row][0], settings)
            inputs = {"target": target, "x": x, "scale": scale}
            outputs = {"value": (value, 16 * (np.abs(value) + 1.0)), "dx": (dx, 64 * (np.abs(dx) + 0.1))}
            yield Golden("loss", row, shape, numbers, inputs, outputs)


def metrics() -> Iterator[Golden]:
    for name, operation in METRICS.items():
        for variant, rng, shape in of_rows(operation):
            target = row_targets(rng, operation.inputs, shape)
            x = row_outputs(rng, operation.inputs, shape)
            value = operation.reference(target, x, **variant)
            numbers = row_settings(_core.metrics()[name][0], variant)
            outputs = {"value": (value, 16 * np.abs(value))}
            yield Golden("metric", name, shape, numbers, {"target": target, "x": x}, outputs)


def counts() -> Iterator[Golden]:
    """The number of thresholds that each prediction exceeds. Settings: even, from_logits, thresholds."""
    below = [-1e-7, 0.25, 0.5, 0.75, 1.0 + 1e-7]
    for even, logits, at in ((0, 0, [0.5]), (0, 1, [0.1, 0.3, 0.9]), (1, 0, [0.0, 0.5, 1.0]), (1, 1, below)):
        for n in SIZES:
            rng = np.random.default_rng([n, len(at)])
            target, y = rng.integers(0, 2, size=n), normal(rng, n) if logits else normal(rng, n, scale=0.6)
            y[n // 2 :: 7] = np.nan
            p = 1 / (1 + np.exp(-y.astype(np.float64))) if logits else y
            if even:
                p = p.clip(0.0, 1.0)
            code = (p[:, np.newaxis] > np.float32(at)).sum(axis=1) + (len(at) + 1) * target
            numbers, inputs = [float(x) for x in (even, logits, *at)], {"target": target, "y": y}
            yield Golden("counts", "encode", (1, n), numbers, inputs, {"code": (code, 0.0 * code)})


def of_rows(operation: Operation) -> Iterator[tuple[dict[str, Any], np.random.Generator, tuple[int, int]]]:
    """Settings and shapes for tests of a loss or a metric."""
    for number, variant in enumerate(({}, *operation.variants)):
        given = {key: single(value) for key, value in variant.items()}
        for n in SIZES:
            for rows in (1, 3, 17) if number == 0 else (2, 5):
                yield given, np.random.default_rng([n, rows, number]), (rows, n)


def optimizers() -> Iterator[Golden]:
    for make in OPTIMIZERS.values():
        settings = make(learning_rate=0.125).spec()[1]
        optimizer = make(**{key: single(value) for key, value in settings.items()})
        row, settings = optimizer.spec()
        numbers = row_settings(ROWS[row][0], settings)
        for n in SIZES:
            rng = np.random.default_rng(n)
            w = normal(rng, n)
            state = {"w": w, **initial_moments(optimizer, w)}
            for step in (1, 2, 3):
                old, g = {key: a.astype(np.float32) for key, a in state.items()}, normal(rng, n)
                moments = {key: a for key, a in old.items() if key != "w"}
                w, after = reference_step(optimizer, old["w"], g, moments, step)
                state = {"w": w, **after}
                allowed = {key: 16 * (np.abs(old[key]) + np.abs(a - old[key])) for key, a in state.items()}
                outputs = {key: (a, allowed[key]) for key, a in state.items()}
                yield Golden("optimizer", row, (step, n), numbers, {**old, "g": g}, outputs)


FAMILIES: tuple[Callable[[], Iterator[Golden]], ...] = (activations, losses, metrics, counts, optimizers)
FAMILIES += golden_arrays.FAMILIES


def main() -> None:
    Path(sys.argv[1]).write_bytes(b"".join(case.encoded() for family in FAMILIES for case in family()))


if __name__ == "__main__":
    main()
