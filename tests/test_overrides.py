"""The user's code that the core would not run is refused where it is defined, never ignored."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks, initializers, layers, losses, metrics, optimizers
from nncore.layers import Activation, Conv2D, Dense, Flatten, Input, MaxPooling2D

pytestmark = pytest.mark.once

X = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
Y = (np.arange(20) % 2).astype(np.float32)


def function(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("not to be called")


MODEL_METHODS = (
    "call build __call__ train_step test_step predict_step make_train_function make_test_function "
    "make_predict_function compute_loss compute_metrics get_metrics_result reset_metrics metrics "
    "compute_output_shape compute_output_spec compute_mask add_loss add_metric stateless_call "
    "stateless_compute_loss evaluate save_own_variables load_own_variables get_build_config "
    "build_from_config get_compile_config compile_from_config"
)
LAYER_METHODS = (
    "call build __call__ compute_output_shape compute_output_spec compute_mask add_weight add_variable "
    "add_loss add_metric losses stateless_call symbolic_call quantized_call get_weights set_weights "
    "save_own_variables load_own_variables get_build_config build_from_config"
)
LOSS_METHODS = "call __call__"
METRIC_METHODS = "update_state result reset_state __call__ stateless_update_state add_variable add_weight"
OPTIMIZER_METHODS = (
    "update_step build apply apply_gradients stateless_apply minimize assign assign_add assign_sub "
    "scale_loss add_variable add_variable_from_reference add_optimizer_variables"
)
CASES = [
    (base, name)
    for bases, names in (
        ([nncore.Sequential], MODEL_METHODS),
        ([layers.Layer, Dense, Conv2D, Flatten, MaxPooling2D, Activation, layers.InputLayer], LAYER_METHODS),
        ([losses.Loss, losses.MeanSquaredError, losses.SparseCategoricalCrossentropy], LOSS_METHODS),
        ([metrics.Metric, metrics.BinaryAccuracy], METRIC_METHODS.removeprefix("update_state ")),
        ([optimizers.Optimizer, *optimizers.CLASSES.values()], OPTIMIZER_METHODS),
        ([initializers.Initializer, initializers.HeNormal, initializers.Zeros], "__call__"),
    )
    for base in bases
    for name in names.split()
]
IDS = [f"{base.__name__}.{name}" for base, name in CASES]


@pytest.mark.parametrize(("base", "name"), CASES, ids=IDS)
def test_a_method_that_would_be_ignored_cannot_be_overridden(base: type, name: str) -> None:
    with pytest.raises(TypeError, match=rf"^\[Mine\] {name} .*[Uu]se "):
        type("Mine", (base,), {name: function})


@pytest.mark.parametrize("name", ["train_step", "compute_loss"])
def test_methods_of_a_mixin_and_of_a_second_generation_are_found(name: str) -> None:
    mixin = type("Mixin", (), {name: function})
    child = type("Child", (nncore.Sequential,), {})
    for bases in [(mixin, nncore.Sequential), (nncore.Sequential, mixin), (mixin, child)]:
        with pytest.raises(TypeError, match=rf"\[Mine\] {name} "):
            type("Mine", bases, {})
    with pytest.raises(TypeError, match=rf"\[Mine\] {name} "):
        type("Mine", (child,), {name: property(function)})


BASES = [layers.Layer, losses.Loss, metrics.Metric, optimizers.Optimizer, initializers.Initializer]


@pytest.mark.parametrize("base", BASES)
def test_a_base_class_cannot_be_derived_from(base: type) -> None:
    with pytest.raises(TypeError, match=rf"^\[Mine\] .*{base.__name__} .*[Uu]se "):
        type("Mine", (base,), {"__init__": lambda self: None})


def compiled() -> nncore.Sequential:
    model = nncore.Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    return model


INSTANCES: list[tuple[Callable[[], Any], str]] = [
    (compiled, MODEL_METHODS),
    (lambda: Dense(2), LAYER_METHODS),
    (losses.MeanSquaredError, LOSS_METHODS),
    (metrics.BinaryAccuracy, METRIC_METHODS),
    (optimizers.SGD, OPTIMIZER_METHODS),
    (initializers.HeNormal, "__call__"),
]


@pytest.mark.parametrize(("make", "names"), INSTANCES, ids=lambda v: "" if isinstance(v, str) else v.__name__)
def test_a_method_that_would_be_ignored_cannot_be_put_on_an_instance(
    make: Callable[[], Any], names: str
) -> None:
    thing = make()
    for name in names.split():
        with pytest.raises(TypeError, match=rf" {name} .*[Uu]se "):
            setattr(thing, name, function)
        assert name not in vars(thing)


class Mine(nncore.Sequential):
    """A subclass with methods of its own that do not replace work of the core."""

    def __init__(self, units: int = 4, name: str | None = None) -> None:
        super().__init__([Input((3,)), Dense(units, "relu"), Dense(1)], name=name)
        self.told: list[str] = []

    def fit(self, *arguments: Any, **options: Any) -> Any:
        self.told.append("fit")
        return super().fit(*arguments, **options)

    def predict(self, *arguments: Any, **options: Any) -> Any:
        self.told.append("predict")
        return super().predict(*arguments, **options)

    def _step(self) -> str:
        return "mine"

    def helper(self) -> str:
        return self._step()


class Wide(Dense):
    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(2 * units, **options)

    def doubled(self) -> int:
        return self.units


class Square(losses.MeanSquaredError):
    def helper(self) -> int:
        return 1


class Hits(metrics.BinaryAccuracy):
    def __init__(self) -> None:
        super().__init__(name="hits")


class Fast(optimizers.SGD):
    def __init__(self) -> None:
        super().__init__(0.5, momentum=0.5)


class Start(initializers.HeNormal):
    pass


def trained(model: Any, loss: Any, metric: Any, optimizer: Any) -> list[Any]:
    model.compile(optimizer, loss, metrics=[metric])
    history = model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
    return [list(history.values()), model.predict(X).tolist()]


def test_subclasses_that_replace_nothing_go_on_working() -> None:
    nncore.utils.set_random_seed(3)
    mine = Mine(6)
    nncore.utils.set_random_seed(3)
    plain = nncore.Sequential([Input((3,)), Dense(6, "relu"), Dense(1)])
    one = trained(mine, Square(), Hits(), Fast())
    assert one == trained(plain, "mse", "binary_accuracy", optimizers.SGD(0.5, 0.5))
    assert mine.told == ["fit", "predict"]
    assert mine.helper() == "mine"
    assert mine.metrics_names == ["loss", "hits"]
    assert Wide(3, kernel_initializer=Start(seed=1))(X).shape == (20, 6)
    assert Square()(Y[:, None], 2 * Y[:, None]) == 0.5


def test_subclasses_are_copied_and_pickled() -> None:
    model = Mine(5)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is Mine
        np.testing.assert_array_equal(nncore.Sequential.predict(twin, X), nncore.Sequential.predict(model, X))
    optimizer = copy.deepcopy(optimizers.SGD(0.25))
    assert repr(optimizer) == repr(optimizers.SGD(0.25))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (lambda model: model.compile(type("Own", (optimizers.SGD,), {})(), "mse"), "Own"),
        (lambda model: model.compile("sgd", Square()), "Square"),
        (lambda model: model.compile("sgd", "mse", metrics=[Hits()]), "Hits"),
        (lambda model: model.compile("sgd", "mse", weighted_metrics=[Hits()]), "Hits"),
        (lambda model: model.add(Dense(2, kernel_initializer=Start())), "Start"),
        (lambda model: model.add(Dense(2, bias_initializer=Start())), "Start"),
    ],
)
def test_what_a_file_cannot_name_is_not_saved(part: Callable[[Any], None], name: str, tmp_path: Path) -> None:
    model = Mine()
    part(model)
    with pytest.raises(ValueError, match=f"cannot be saved: its class {name}"):
        model.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())
    model.save_weights(tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    "call",
    [
        lambda: Dense(2, activation=function),
        lambda: Dense(2, activation=layers.ReLU()),
        lambda: Activation(function),
        lambda: Dense(2, kernel_initializer=function),
        lambda: Dense(2, bias_initializer=function),
        lambda: compiled().compile("sgd", function),
        lambda: compiled().compile(function, "mse"),
    ],
)
def test_a_function_of_ones_own_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="must be a name"):
        call()


def test_callbacks_are_ones_own() -> None:
    class Count(callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs += 1

    count = Count()
    compiled().fit(X, Y, epochs=3, verbose=0, callbacks=[count])
    assert count.epochs == 3
