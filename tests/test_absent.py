"""Every public name and argument of Keras works, or an error says what to do; so do earlier spellings."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import activations, callbacks, layers, losses, metrics, models, optimizers
from nncore.common import keras_names
from nncore.common.arguments import reject_unsupported
from nncore.common.keras_names import public
from nncore.layers import Conv2D, Dense, Dropout, Input

pytestmark = pytest.mark.once

IN_KERAS = "Keras has it, nncore not yet: "
CLASSES = (
    "Layer.",
    "Model.",
    "Sequential.",
    "Optimizer.",
    "Metric.",
    "Loss.",
    "callbacks.Callback.",
    "Variable.",
)
NAMES = [name for name in public() if not name.startswith(CLASSES)]


def reached(path: str) -> Any:
    """A name by way of its module, as programs write it."""
    at: Any = nncore
    for part in path.split("."):
        at = getattr(at, part)
    return at


def said(call: Callable[[], Any]) -> str:
    """The text of the error of a call; nothing if there is none."""
    try:
        call()
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("room", sorted({name.rpartition(".")[0] for name in NAMES}))
def test_every_name_of_keras_is_there_or_explained(room: str) -> None:
    module = f"nncore.{room}".rstrip(".")
    for path in (name for name in NAMES if name.rpartition(".")[0] == room):
        imported = f"from {module} import {path.rpartition('.')[2]}"
        for text in (said(functools.partial(reached, path)), said(functools.partial(exec, imported))):
            assert not text or IN_KERAS in text or keras_names.EARLIER[path] in text, path
            assert len(text) < 300, path


def test_modules_of_keras_are_imported_or_explained() -> None:
    for name in {name.rpartition(".")[0] for name in NAMES} - {""}:
        text = said(functools.partial(importlib.import_module, f"nncore.{name}"))
        assert not text or re.match(r"nncore has no \w+(\.\w+)*: ", text), name


@pytest.mark.parametrize("path", keras_names.EARLIER)
def test_earlier_names(path: str) -> None:
    head, _, name = path.partition(".")
    objects = {"Layer": Dense(1), "Model": nncore.Sequential(), "Optimizer": optimizers.SGD()}
    if head in objects:
        assert keras_names.EARLIER[path] in said(functools.partial(getattr, objects[head], name))
        return
    assert keras_names.EARLIER[path] in said(functools.partial(reached, path))
    assert keras_names.EARLIER[path] in said(functools.partial(importlib.import_module, f"nncore.{path}"))


@pytest.mark.parametrize("name", [name for name in public() if name.startswith(CLASSES)])
def test_every_attribute_of_keras_is_there_or_explained(name: str) -> None:
    objects = {
        "Layer": Dense(1), "Model": nncore.Sequential(), "Sequential": nncore.Sequential(),
        "Optimizer": optimizers.SGD(), "Metric": metrics.BinaryAccuracy(), "Loss": losses.MeanSquaredError(),
        "callbacks.Callback": callbacks.Callback(), "Variable": layers.BatchNormalization(),
    }  # fmt: skip
    objects["Variable"].build((None, 2))
    objects["Variable"] = objects["Variable"].weights[0]
    of, _, attribute = name.rpartition(".")
    text = said(functools.partial(getattr, objects[of], attribute))
    there = hasattr(type(objects[of]), attribute)
    assert not text or there or IN_KERAS in text or keras_names.EARLIER[name] in text


# ---- arguments


def owners() -> dict[str, Callable[..., Any]]:
    """The classes and functions that Keras has, too, by their names there."""
    found = {}
    for path, (_, arguments) in public().items():
        room, _, name = path.rpartition(".")
        module = sys.modules.get(f"nncore.{room}".rstrip("."))
        if arguments and name in getattr(module, "__all__", ()):
            found[path] = getattr(module, name)
    methods = ("compile", "evaluate", "fit", "save", "summary")
    found |= {f"Sequential.{name}": getattr(nncore.Sequential(), name) for name in ("add", "pop")}
    return found | {f"Model.{name}": getattr(nncore.Sequential(), name) for name in methods}


OWNERS = owners()


@pytest.mark.parametrize("path", OWNERS)
def test_every_argument_of_keras_is_there_or_explained(path: str) -> None:
    own, of_keras = OWNERS[path], public()[path][1]
    known = inspect.signature(own).parameters
    needed = [7 for p in known.values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    for name in [name for name in of_keras if name not in known]:
        text = said(functools.partial(own, *needed, **{name: "x"}))
        assert re.match(rf"\[\w+\] .*{name}.*(Keras has it|is not available|must be)", text)


X = np.zeros((2, 3))
EARLIER: list[tuple[Callable[[], Any], str]] = [
    (lambda: Dense(output_dim=3), "'units' now"),
    (lambda: Dense(3, init="uniform"), "'kernel_initializer' now"),
    (lambda: Dense(3, W_regularizer="l2"), "'kernel_regularizer' now"),
    (lambda: Dense(3, b_constraint="non_neg"), "'bias_constraint' now"),
    (lambda: Dense(3, bias=False), "'use_bias' now"),
    (lambda: Dense(3, batch_input_shape=(None, 3)), "Give input_shape without the batch axis"),
    (lambda: Dense(3, weights=[1]), "Call set_weights"),
    (lambda: Conv2D(3, 3, border_mode="same"), "'padding' now"),
    (lambda: Conv2D(3, 3, subsample=2), "'strides' now"),
    (lambda: Conv2D(nb_filter=3, nb_row=3, nb_col=3), "'filters' now"),
    (
        lambda: reject_unsupported(
            "Conv", {"data_format": "channels_first"}, {"data_format": "channels_last"}
        ),
        r"not available yet: give x.transpose\(0, 2, 3, 1\)",
    ),
    (lambda: Dropout(p=0.5), "'rate' now"),
    (lambda: optimizers.SGD(lr=0.1), "'learning_rate' now"),
    (lambda: optimizers.Adam(decay=0.1), "schedules.InverseTimeDecay"),
    (lambda: nncore.Model(input=1, output=2), "'inputs' now"),
    (lambda: nncore.Sequential().fit(X, nb_epoch=3), "'epochs' now"),
    (lambda: nncore.Sequential().fit(X, workers=3), "Leave it out"),
    (lambda: nncore.Sequential().evaluate(X, use_multiprocessing=True), "Leave it out"),
    (lambda: nncore.Sequential().save("model", save_format="h5"), "Leave it out"),
    (lambda: nncore.Sequential().compile("sgd", metric=["mse"]), "'metrics' now"),
    (lambda: nncore.utils.to_categorical([1], nb_classes=2), "'num_classes' now"),
]


@pytest.mark.parametrize(("call", "text"), EARLIER, ids=[text for _, text in EARLIER])
def test_earlier_arguments(call: Callable[[], Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^\[\w+\] .*{text}"):
        call()


def test_only_what_is_close_is_a_hint() -> None:
    with pytest.raises(TypeError, match=r"\[Dense\] unexpected argument 'kernel_size'. There are: units, "):
        Dense(3, kernel_size=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"'activaton'. Did you mean 'activation'\?$"):
        Dense(3, activaton="relu")  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match=r"no attribute 'Conv2d'. Did you mean 'Conv2D'\?$"):
        layers.Conv2d  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match=r"no layers.Dnse. Did you mean 'Dense'\?$"):
        from nncore.layers import Dnse  # type: ignore[attr-defined]  # noqa: F401
    with pytest.raises(AttributeError, match=r"'unts'. Did you mean 'units'\?$"):
        Dense(3).unts  # type: ignore[attr-defined]  # noqa: B018


GETS = {
    "activation": activations.get, "loss": losses.get, "metric": metrics.get, "optimizer": optimizers.get,
    "initializer": nncore.initializers.get, "regularizer": nncore.regularizers.get,
    "constraint": nncore.constraints.get,
}  # fmt: skip


@pytest.mark.parametrize("what", GETS)
def test_names_of_keras_in_quotes_are_no_misspelt_ones(what: str) -> None:
    family = "losses" if what == "loss" else f"{what}s"
    names = [name.partition(".")[2] for name in public() if name.startswith(f"{family}.")]
    for name in (name for name in names if "." not in name):
        assert "Did you mean" not in said(functools.partial(GETS[what], name)), name
    with pytest.raises(ValueError, match=rf"there is no {what} 'xyzw'. There are: "):
        GETS[what]("xyzw")


# ---- other names of what there is


def test_the_package_is_keras() -> None:
    code = """
import nncore.keras.layers as layers
from nncore import keras
from nncore.keras.layers import Dense
from nncore.keras.optimizers.schedules import ExponentialDecay
import nncore, nncore.keras.datasets.mnist
assert keras is nncore and layers is nncore.layers and Dense is nncore.layers.Dense
assert nncore.layers.__spec__.name == "nncore.layers" and nncore.keras.keras is nncore
assert nncore.keras.datasets.mnist is nncore.datasets.mnist
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_what_is_said_of_names_in_quotes() -> None:
    assert keras_names.about_name("loss", "tversky") == "Keras has it"
    assert keras_names.about_name("optimizer", "LION") == "Keras has it"
    assert keras_names.about_name("loss", "meen_squared_error") == ""


def test_earlier_modules_and_short_names() -> None:
    from nncore.layers.convolutional import MaxPooling2D  # type: ignore[import-not-found]
    from nncore.layers.core import Activation  # type: ignore[attr-defined]
    from nncore.utils import np_utils  # type: ignore[attr-defined]

    assert MaxPooling2D is layers.MaxPooling2D
    assert Activation is layers.Activation
    assert np_utils.to_categorical is nncore.utils.to_categorical
    assert reached("losses.mse") is losses.mean_squared_error
    assert reached("Layer") is layers.Layer
    assert reached("saving.load_model") is models.load_model
    assert reached("optimizers.legacy.SGD") is optimizers.SGD


def test_a_name_is_taken_as_soon_as_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(
        name for name in NAMES if name.startswith("layers.") and said(functools.partial(reached, name))
    )
    monkeypatch.setattr(layers, name.partition(".")[2], Dense, raising=False)
    assert reached(name) is Dense


def test_the_list_is_loaded_with_the_first_missing_name() -> None:
    code = """
import sys, nncore
nncore.layers.Dense(3, name="x")
assert "nncore.common.keras_names" not in sys.modules and "difflib" not in sys.modules
assert not hasattr(nncore.layers, "__wrapped__") and "nncore.common.keras_names" not in sys.modules
assert not hasattr(nncore.layers, "X") and "nncore.common.keras_names" in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


# ---- activations of other libraries


def test_a_function_named_as_an_activation() -> None:
    def relu(x: Any) -> Any:
        return np.maximum(x, 0)

    def tanh(x: Any) -> Any:  # of tensors alone
        raise TypeError

    assert Dense(2, reached("nn.relu")).activation is activations.relu
    assert activations.get(relu) is activations.relu
    assert activations.get(tanh) is activations.tanh
    assert activations.get(np.tanh) is activations.tanh


def test_a_function_with_other_values_is_not_taken_for_its_namesake() -> None:
    def relu(x: Any) -> Any:
        return np.maximum(x, 0.1 * x)

    with pytest.raises(TypeError, match="activation must be a name or a function"):
        activations.get(relu)


def test_attributes_that_are_not_there_yet_say_why() -> None:
    with pytest.raises(AttributeError, match="has no kernel yet: it is not built"):
        _ = Dense(2).kernel
    with pytest.raises(AttributeError, match="was not called on values"):
        _ = Dense(2).input
    assert Input((2,)).shape == (None, 2)
