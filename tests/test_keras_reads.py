"""Keras itself, where it is installed, reads what nncore wrote, and trains on; and the other way round."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_file_cases import MODELS, data, outputs, trained
from metric_cases import columns, complete
from optimizer_cases import RULES, SETTINGS

import nncore
from nncore import activations, constraints, initializers, losses, metrics, optimizers, regularizers
from nncore.layers import Dense, Input

pytest.importorskip("torch")
keras = pytest.importorskip("keras", minversion="3.15")
pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("default")]
ENDS = (".keras", ".h5", ".weights.h5")
X = np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)
Y = np.eye(4, dtype=np.float32)[np.arange(16) % 4]


def close(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("case", MODELS)
def test_keras_reads_what_is_written(case: str, end: str, tmp_path: Path) -> None:
    model, (x, y) = trained(nncore, case), data(case)
    path = tmp_path / f"own{end}"
    if end == ".weights.h5":
        model.save_weights(path)
        twin = MODELS[case](keras)
        twin.load_weights(path)
    else:
        model.save(path)
        twin = keras.models.load_model(path)
    close(outputs(model, x), outputs(twin, x))
    if end == ".keras":
        for one in (model, twin):
            for _ in range(2):
                one.train_on_batch(x, y)
        close(outputs(model, x), outputs(twin, x))


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_go_both_ways(seed: int, tmp_path: Path) -> None:
    def made(k: Any) -> Any:
        rng = np.random.default_rng(seed)
        values = [k.layers.Input((3,), name=f"in{i}") for i in range(rng.integers(1, 3))]
        inputs, dense = list(values), [k.layers.Dense(3, name=f"d{i}") for i in range(4)]
        inner = k.Sequential([k.layers.Input((3,)), k.layers.Dense(3, "tanh")], name="inner")
        code = k.layers.Input((3,), name="code")
        graph = k.Model(code, k.layers.Add()([k.layers.Dense(3, name="g")(code), code]), name="graph")
        dense += [inner, graph]
        for i in range(8):
            some = [values[rng.integers(len(values))] for _ in range(2)]
            if rng.integers(2) and some[0] is not some[1]:
                values.append(k.layers.Add(name=f"add{i}")(some))
            else:
                values.append(dense[rng.integers(len(dense))](some[0]))
        return k.Model(inputs, [*values[-2:], k.layers.Average(name="all")(values)], name="net")

    x = [np.random.default_rng(i).normal(size=(5, 3)).astype(np.float32) for i in range(2)]
    for one, other in ((nncore, keras), (keras, nncore)):
        model = made(one)
        given = x[: len(model.inputs)]
        for name in ("m.keras", "m.h5"):
            model.save(tmp_path / name)
            close(outputs(other.models.load_model(tmp_path / name), given), outputs(model, given))


@pytest.mark.parametrize("case", [*SETTINGS, *RULES])
def test_optimizers_go_on(case: str, tmp_path: Path) -> None:
    name, given = {**SETTINGS, **RULES}[case]
    model = nncore.Sequential([Input((3,)), Dense(4, "softmax")])
    model.compile(optimizers.CLASSES[name](**given), "categorical_crossentropy")
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save(tmp_path / "m.keras")
    twin = keras.models.load_model(tmp_path / "m.keras")
    for _ in range(3):
        model.train_on_batch(X, Y)
        twin.train_on_batch(X, Y)
    close(outputs(model, X), outputs(twin, X))
    twin.save(tmp_path / "n.keras")
    again = nncore.models.load_model(tmp_path / "n.keras")
    for _ in range(2):
        again.train_on_batch(X, Y)
        twin.train_on_batch(X, Y)
    close(outputs(again, X), outputs(twin, X))


@pytest.mark.parametrize("end", [".keras", ".h5"])
@pytest.mark.parametrize("name", [*losses.CLASSES, *(f"metrics.{name}" for name in metrics.CLASSES)])
def test_losses_and_metrics_are_known(name: str, end: str, tmp_path: Path) -> None:
    family, _, own = name.rpartition(".")
    made = complete(metrics.CLASSES[own])() if family else losses.CLASSES[own]()
    classes = columns(metrics.CLASSES[own]) if family else 4
    y = np.arange(16) % 4 if own.startswith("Sparse") else np.eye(classes)[np.arange(16) % 4]
    model = nncore.Sequential([Input((3,)), Dense(classes, "sigmoid" if family else "softmax")])
    loss = "mse" if family and not own.startswith("Sparse") else "sparse_categorical_crossentropy"
    model.compile("adam", *([loss, None, [made]] if family else [made]))
    model.save(tmp_path / f"m{end}")
    twin = keras.models.load_model(tmp_path / f"m{end}")
    wanted = np.ravel(model.evaluate(X, y, verbose=0))
    close(np.ravel(twin.evaluate(X, y, verbose=0)), wanted, 1e-4)
    twin.save(tmp_path / f"n{end}")
    again = nncore.models.load_model(tmp_path / f"n{end}")
    close(np.ravel(again.evaluate(X, y, verbose=0)), wanted, 1e-4)


def everything(k: Any) -> list[Any]:
    """Layers with each activation, initializer, regularizer and constraint that nncore has."""
    names = [name for name in activations.__all__ if name != "get"]
    found = [{"activation": name} for name in names]
    for what, family in (
        ("initializer", initializers),
        ("regularizer", regularizers),
        ("constraint", constraints),
    ):
        for name in family.CLASSES:
            cls = getattr(getattr(k, f"{what}s"), name)
            known = inspect.signature(cls).parameters
            given = {setting: value for setting, value in (("value", 0.25), ("l2", 0.5)) if setting in known}
            found.append({f"kernel_{what}": cls(**given)})
    return [k.layers.Dense(4, name=f"d{i}", **given) for i, given in enumerate(found)]


@pytest.mark.parametrize("end", [".keras", ".h5"])
def test_settings_of_layers_are_known(end: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{end}"
    for one, other in ((nncore, keras), (keras, nncore)):
        model = one.Sequential([one.layers.Input((3,)), *everything(one)])  # type: ignore[attr-defined]
        model.save(path)
        twin = other.models.load_model(path)  # type: ignore[attr-defined]
        close(outputs(twin, X), outputs(model, X))
        for a, b in zip(model.layers, twin.layers):
            close([float(x) for x in a.losses], [float(x) for x in b.losses])
            if a.kernel_constraint is not None:
                kernel = a.get_weights()[0]
                np.testing.assert_allclose(
                    a.kernel_constraint(kernel), b.kernel_constraint(kernel), rtol=1e-5
                )
