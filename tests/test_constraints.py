"""Constraints: weights of any shape and storage satisfy them after each update."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
from penalty_cases import CONSTRAINTS, fits
from reference_model import assert_close

from nncore import Input, Sequential, _core, constraints
from nncore.constraints import Constraint, MaxNorm, UnitNorm
from nncore.layers import Conv2D, Dense, Flatten, MaxPooling2D
from nncore.optimizers import SGD

Array = np.ndarray[Any, Any]
# Of layers whose kernels are held in several ways.
LAYERS: dict[str, tuple[tuple[int, ...], Callable[..., list[Any]]]] = {
    "wide": ((130,), lambda c: [Dense(70, kernel_constraint=c)]),
    "one output": ((300,), lambda c: [Dense(1, kernel_constraint=c)]),
    "narrow, held transposed": ((5000,), lambda c: [Dense(3, kernel_constraint=c)]),
    "of one input": ((1,), lambda c: [Dense(9, kernel_constraint=c)]),
    "images": ((9, 8, 3), lambda c: [Conv2D(20, (2, 3), kernel_constraint=c)]),
    "images, one channel": ((9, 8, 1), lambda c: [Conv2D(5, 3, kernel_constraint=c)]),
    "with pooling, held transposed": (
        (10, 10, 3), lambda c: [Conv2D(33, 3, activation="relu", kernel_constraint=c), MaxPooling2D()]
    ),
}  # fmt: skip


def constrained(sample: tuple[int, ...], layers: list[Any]) -> tuple[Array, Array]:
    """The kernel before and after a step of the rate 0."""
    rng = np.random.default_rng(6)
    model = Sequential([Input(sample), *layers, Flatten()])
    model.compile(SGD(0.0), "mse")
    w = model.get_weights()
    w[0] = rng.normal(size=w[0].shape).astype(np.float32)
    w[0][..., 0] = 0.0
    model.set_weights(w)
    x = rng.normal(size=(2, *sample)).astype(np.float32)
    model.train_on_batch(x, np.zeros((2, model.output_shape[1]), np.float32))
    return w[0], model.get_weights()[0]


def check(sample: tuple[int, ...], layers: list[Any], constraint: Constraint) -> None:
    before, after = constrained(sample, layers)
    expected = constraint.constrained(before.astype(np.float64))
    np.testing.assert_allclose(after, expected, rtol=1e-6, atol=1e-30)
    assert constraint(before).tobytes() == expected.astype(np.float32).tobytes()


@pytest.mark.parametrize("made", CONSTRAINTS.values(), ids=CONSTRAINTS)
@pytest.mark.parametrize("layer", LAYERS)
def test_compiled_constraints_are_those_of_the_reference(layer: str, made: Callable[[], Constraint]) -> None:
    sample, make = LAYERS[layer]
    check(sample, make(made()), made())


def subsets(axes: int) -> list[tuple[int, ...]]:
    return list(chain(*(combinations(range(axes), count) for count in range(1, axes + 1))))


@pytest.mark.parametrize("layer", LAYERS)
def test_norms_over_any_axes(layer: str) -> None:
    sample, make = LAYERS[layer]
    for axis in [*subsets(4 if len(sample) == 3 else 2), None]:
        check(sample, make(UnitNorm(axis)), UnitNorm(axis))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("made", CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_threads_and_instruction_sets_change_no_bit(made: Callable[[], Constraint]) -> None:
    found, before = [], _core.isa()
    for isa in _core.available_isas():
        for threads in (1, 2, 5):
            _core.set_num_threads(threads)
            _core.select_isa(isa)
            try:
                layers = [Dense(300, kernel_constraint=made()), Dense(2, kernel_constraint=made())]
                found.append([w.tobytes() for w in constrained((501,), layers)])
            finally:
                _core.select_isa(before)
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("made", CONSTRAINTS.values(), ids=CONSTRAINTS)
@pytest.mark.parametrize("batch", [7, 400])
def test_every_update_keeps_them(made: Callable[[], Constraint], batch: int) -> None:
    """With few and with many samples, which take different passes, and with frozen layers beside."""
    rng = np.random.default_rng(2)
    bias = made() if fits(made, 60) else None
    layers = [
        Dense(60, "relu", kernel_constraint=made(), bias_constraint=bias),
        Dense(90, kernel_constraint=made()),
    ]
    model = Sequential([Input((80,)), *layers])
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    frozen = model.layers[1].get_weights()[0].tobytes()
    x, y = rng.normal(size=(400, 80)), rng.normal(size=(400, 90))
    # One that goes a part of the way goes on.
    once = made()(rng.normal(size=(80, 60)))
    keeps = np.allclose(made()(once), once, rtol=1e-4)
    for _ in range(3):
        model.fit(x, y, batch_size=batch, verbose=0)
        kernel, b = model.layers[0].get_weights()
        if keeps:  # but for the division by norms with 1e-7 added
            np.testing.assert_allclose(made()(kernel), kernel, rtol=2e-6, atol=1e-7)
        if keeps and bias:
            np.testing.assert_allclose(bias(b), b, rtol=2e-5, atol=1e-6)
    assert model.layers[1].get_weights()[0].tobytes() == frozen
    plain = np.maximum(x @ kernel + b, 0) @ model.layers[1].get_weights()[0]
    assert_close(model.predict(x), plain, 60, factor=8)  # packed weights are those after the constraint


def test_what_is_not_a_number_stays_so() -> None:
    w = np.array([[np.nan, 1], [2, -1]], np.float32)
    assert np.isnan(constraints.NonNeg()(w)).tolist() == [[True, False], [False, False]]
    assert np.isnan(UnitNorm()(w)).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("made", CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_settings_of_a_constraint_make_an_equal_one(made: Callable[[], Constraint]) -> None:
    layer = Conv2D(2, 3, kernel_constraint=made(), bias_constraint=made())
    assert Conv2D.from_config(layer.get_config()).get_config() == layer.get_config()
    assert type(made())(**made().get_config()).get_config() == made().get_config()


@pytest.mark.parametrize("cls", set(constraints.CLASSES.values()))
def test_names_find_the_class(cls: type[Constraint]) -> None:
    names = [name for name, known in Constraint._known.items() if known is cls]
    assert len(names) == 2
    for name in names:
        assert type(constraints.get(name)) is cls is getattr(constraints, name)
    assert constraints.get(None) is None
    assert type(constraints.get(cls)) is cls


MISTAKES: list[tuple[type[Exception], str, Callable[[], object]]] = [
    (ValueError, r"\[MaxNorm\] max_value must be in \[0, inf\)", lambda: MaxNorm(-1)),
    (TypeError, r"\[MaxNorm\] axis must be an integer, got 'a'", lambda: MaxNorm(1, axis="a")),  # type: ignore[arg-type]
    (ValueError, r"\[UnitNorm\] axis must name an axis", lambda: UnitNorm(())),
    (ValueError, r"\[UnitNorm\] axis=1 of UnitNorm does not fit the shape", lambda: UnitNorm(1)([1, 2])),
    (ValueError, r"axis=\(0, -2\) of UnitNorm does not fit", lambda: UnitNorm((0, -2))([[1, 2]])),
    (TypeError, r"\[UnitNorm\] w must be an array of numbers", lambda: UnitNorm()("a")),
    (TypeError, "a name or a Constraint", lambda: constraints.get(np.abs)),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("error", "text", "call"), MISTAKES)
def test_mistakes(error: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(error, match=text):
        call()


def test_an_axis_that_the_weight_has_not_is_an_error_of_compile() -> None:
    model = Sequential([Input((3,)), Dense(2, kernel_constraint=MaxNorm(1, axis=2), name="d")])
    with pytest.raises(ValueError, match=r"\[d/kernel\] axis=2 of MaxNorm does not fit the shape \(3, 2\)"):
        model.compile("sgd", "mse")
    assert not model.compiled
