"""Metrics that are Python functions of the targets and outputs of each batch."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metric_cases import complete

import nncore
from nncore import callbacks, losses, metrics
from nncore.layers import BatchNormalization, Dense, Dropout, Input

RNG = np.random.default_rng(1)
X = RNG.standard_normal((23, 3)).astype(np.float32)
Y = RNG.integers(0, 3, 23)
ONE_HOT = np.eye(3, dtype=np.float32)[Y]


def cross_entropy(y_true: Any, y_pred: Any) -> Any:
    return -(y_true * np.log(np.clip(y_pred, 1e-7, 1 - 1e-7))).sum(-1)


def made(*layers: Any, **options: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(2)
    model = nncore.Sequential([Input((3,)), Dense(8), *layers, Dense(3, activation="softmax")])
    model.compile("adam", options.pop("loss", "categorical_crossentropy"), **options)
    return model


@pytest.mark.parametrize("layers", [[], [Dropout(0.5)], [BatchNormalization(), Dropout(0.3)]], ids=str)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_function_sees_the_outputs_that_the_loss_judges(layers: list[Any], by_hand: bool) -> None:
    model = made(*(type(x).from_config(x.get_config()) for x in layers), metrics=[cross_entropy])
    if by_hand:
        model.gradients = lambda gradients: None
    plain = made(*(type(x).from_config(x.get_config()) for x in layers))
    options: Any = {"batch_size": 4, "epochs": 3, "verbose": 0, "validation_data": (X[:9], ONE_HOT[:9])}
    history = model.fit(X, ONE_HOT, **options).history
    expected = plain.fit(X, ONE_HOT, **options).history
    assert list(history) == ["cross_entropy", "loss", "val_cross_entropy", "val_loss"]
    for key in ("loss", "val_loss"):
        assert history[key] == expected[key]
        np.testing.assert_allclose(history[key.replace("loss", "cross_entropy")], history[key], rtol=1e-5)
    for one, other in zip(model.get_weights(), plain.get_weights()):
        np.testing.assert_array_equal(one, other)
    values = model.evaluate(X, ONE_HOT, verbose=0, return_dict=True)
    np.testing.assert_allclose(values["cross_entropy"], values["loss"], rtol=1e-5)
    each = model.test_on_batch(X, ONE_HOT)
    np.testing.assert_allclose(each[0], each[1], rtol=1e-5)
    each = model.train_on_batch(X, ONE_HOT)
    np.testing.assert_allclose(each[0], each[1], rtol=1e-5)


def test_what_a_function_is_given_and_how_its_values_count() -> None:
    seen: list[Any] = []

    def RMSE(y_true: Any, y_pred: Any) -> Any:
        seen.append((y_true.dtype, y_true.shape, y_pred.dtype, y_pred.shape))
        return len(seen)

    def rows(y_true: Any, y_pred: Any) -> Any:
        return np.stack([y_true, y_true], axis=-1)

    model = made(loss="sparse_categorical_crossentropy", metrics=["accuracy", RMSE, rows, "accuracy"])
    values = model.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True)
    assert list(values) == ["accuracy", "accuracy_1", "loss", "rmse", "rows"]
    assert model.metrics_names == ["loss", "accuracy", "rmse", "rows", "accuracy_1"]
    assert seen[0] == (Y.dtype, (8,), np.float32, (8, 3))
    assert seen[-1] == (Y.dtype, (7,), np.float32, (7, 3))
    assert values["rmse"] == 2.0
    assert values["rows"] == pytest.approx(Y.mean())
    assert values["accuracy"] == values["accuracy_1"] == np.mean(model.predict(X).argmax(-1) == Y)


def test_rows_come_in_the_order_of_training() -> None:
    y = np.arange(23.0, dtype=np.float32)[:, None]
    model = nncore.Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    pairs: list[Any] = []
    model.compile("sgd", "mse", metrics=[lambda y, p: pairs.append(np.hstack([y, p])) or 0.0])
    model.optimizer.learning_rate = 0.0
    model.fit(y, y, batch_size=5, verbose=0)
    found = np.concatenate(pairs)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert sorted(found[:, 0]) == list(range(23))
    assert list(found[:, 0]) != list(range(23))


def test_weights_count_for_weighted_functions_alone() -> None:
    weight = RNG.uniform(0.5, 2.0, 23).astype(np.float32)

    def plain(y_true: Any, y_pred: Any) -> Any:
        return y_true[:, 0]

    def scalar(y_true: Any, y_pred: Any) -> Any:
        return y_true.mean()

    model = made(metrics=[plain], weighted_metrics=[plain])
    values = model.evaluate(X, ONE_HOT, sample_weight=weight, batch_size=8, verbose=0, return_dict=True)
    assert list(values) == ["loss", "plain", "weighted_plain"]
    assert values["plain"] == pytest.approx(ONE_HOT[:, 0].mean())
    assert values["weighted_plain"] == pytest.approx(np.average(ONE_HOT[:, 0], weights=weight))
    model = made(weighted_metrics=[scalar])
    model.evaluate(X, ONE_HOT, verbose=0)
    with pytest.raises(ValueError, match=r"\[scalar\] the function must return a value for each"):
        model.evaluate(X, ONE_HOT, sample_weight=weight, verbose=0)


def test_functions_of_several_outputs() -> None:
    def mean_of(y_true: Any, y_pred: Any) -> Any:
        return y_pred.mean(-1)

    x = Input((3,))
    model = nncore.Model(x, [Dense(2, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", "mse", metrics={"a": ["mae", mean_of], "b": [mean_of]})
    y = [np.zeros((23, 2)), np.ones((23, 1))]
    values = model.evaluate(X, y, batch_size=8, verbose=0, return_dict=True)
    expected = model.predict(X)
    assert values["a_mean_of"] == pytest.approx(expected[0].mean(), abs=1e-6)
    assert values["b_mean_of"] == pytest.approx(expected[1].mean(), abs=1e-6)
    assert values["a_mae"] == pytest.approx(abs(expected[0]).mean(), abs=1e-6)
    assert values["b_loss"] == pytest.approx(((expected[1] - 1) ** 2).mean(), abs=1e-6)
    assert list(model.fit(X, y, verbose=0).history) == sorted(values)


def test_batches_of_an_iterator_and_a_schedule() -> None:
    def count(y_true: Any, y_pred: Any) -> Any:
        return np.full(len(y_true), float(len(y_true)))

    model = made(metrics=[count])
    model.compile(
        nncore.optimizers.SGD(nncore.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
        "categorical_crossentropy",
        metrics=[count],
    )
    history = model.fit(((X[i : i + 5], ONE_HOT[i : i + 5]) for i in (0, 5, 10)), verbose=0).history
    assert history["count"] == [5.0]


def test_errors_of_functions() -> None:
    def fails(y_true: Any, y_pred: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        made(metrics=[fails]).fit(X, ONE_HOT, verbose=0)
    with pytest.raises(TypeError, match=r"\[lambda\] what the function returns"):
        made(metrics=[lambda y, p: "text"]).evaluate(X, ONE_HOT, verbose=0)
    with pytest.raises(TypeError, match="fn must be a function"):
        metrics.MeanMetricWrapper(3)  # type: ignore[arg-type]


def test_early_stopping_asks_for_the_mode() -> None:
    model = made(metrics=[cross_entropy])
    with pytest.raises(ValueError, match="mode must be 'min' or 'max'"):
        model.fit(X, ONE_HOT, verbose=0, callbacks=[callbacks.EarlyStopping("cross_entropy")])
    model.fit(X, ONE_HOT, verbose=0, callbacks=[callbacks.EarlyStopping("cross_entropy", mode="min")])


def test_a_wrapped_function_has_the_values_of_keras() -> None:
    y_true = np.array([[0, 1, 0, 1, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 0], [0, 0, 0, 0, 1]])
    y_pred = np.array([[0, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [1, 1, 1, 1, 1]])
    wrapped = metrics.MeanMetricWrapper(lambda y, p: ((y - p) ** 2).mean(-1), name="mse")
    assert wrapped(y_true, y_pred) == pytest.approx(0.5)
    wrapped.reset_state()
    assert wrapped(y_true, y_pred, [1.0, 1.5, 2.0, 2.5]) == pytest.approx(0.54285, abs=1e-5)
    again = metrics.MeanMetricWrapper(**wrapped.get_config())
    assert (again.name, again.fn, len(again.variables)) == ("mse", wrapped.fn, 2)


def test_wrapped_functions_and_losses_alone() -> None:
    wrapped = metrics.MeanMetricWrapper(lambda y, p, power: abs(y - p) ** power, name="powers", power=2)
    assert wrapped([[0.0], [0.0]], [[1.0], [3.0]]) == 5.0
    assert wrapped([[0.0]], [[2.0]]) == pytest.approx(14 / 3)
    wrapped.reset_state()
    assert wrapped([[0.0], [0.0]], [[1.0], [3.0]], [3.0, 1.0]) == 3.0
    model = made(metrics=[wrapped, losses.CategoricalCrossentropy()])
    values = model.evaluate(X, ONE_HOT, batch_size=23, verbose=0, return_dict=True)
    assert list(values) == ["categorical_crossentropy", "loss", "powers"]
    assert values["categorical_crossentropy"] == pytest.approx(values["loss"], rel=1e-5)
    assert wrapped.result() == 3.0


def test_get_gives_what_keras_gives() -> None:
    assert metrics.get(None) is None
    assert metrics.get(max) is max
    assert metrics.get("mse").name == "mean_squared_error"  # type: ignore[union-attr]
    assert losses.get("mae") is losses.mean_absolute_error
    assert isinstance(losses.get("MeanAbsoluteError"), losses.MeanAbsoluteError)


# ---- files


@nncore.saving.register_keras_serializable("mine")
def registered(y_true: Any, y_pred: Any) -> Any:
    return (y_true * y_pred).sum(-1)


def test_a_registered_function_is_loaded_and_copied(tmp_path: Path) -> None:
    model = made(metrics=[registered], weighted_metrics=[cross_entropy])
    expected = model.evaluate(X, ONE_HOT, verbose=0, return_dict=True)
    assert nncore.saving.get_registered_name(registered) == "mine>registered"
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="'cross_entropy' is a function: give custom_objects="):
        nncore.models.load_model(tmp_path / "m.safetensors")
    found = [
        nncore.models.load_model(tmp_path / "m.safetensors", {"cross_entropy": cross_entropy}),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ]
    for other in found:
        assert other.evaluate(X, ONE_HOT, verbose=0, return_dict=True) == expected
    assert not nncore.models.load_model(tmp_path / "m.safetensors", compile=False).compiled
    with pytest.raises(TypeError, match="custom_objects must be a dict"):
        nncore.models.load_model(tmp_path / "m.safetensors", [registered])  # type: ignore[arg-type]


def test_functions_of_one_name_are_not_saved(tmp_path: Path) -> None:
    model = made(metrics=[lambda y, p: 1.0, lambda y, p: 2.0])
    for save in (lambda: model.save(tmp_path / "m.safetensors"), lambda: copy.deepcopy(model)):
        with pytest.raises(ValueError, match="two functions among its metrics are called '<lambda>'"):
            save()


def test_custom_objects_have_scopes() -> None:
    saving = nncore.saving
    assert saving.get_registered_object("cross_entropy") is None
    with saving.custom_object_scope({"cross_entropy": cross_entropy}):
        assert saving.get_registered_object("cross_entropy") is cross_entropy
        with saving.CustomObjectScope({"other": max}):
            assert saving.get_registered_object("cross_entropy") is None
        model = made(metrics=["cross_entropy"])
    assert saving.get_registered_object("cross_entropy") is None
    assert saving.get_registered_object("a", {"a": 1}, {"a": 2}) == 1
    assert saving.get_registered_object("a", None, {"a": 2}) == 2
    loss, value = model.evaluate(X, ONE_HOT, verbose=0)
    assert value == pytest.approx(loss, rel=1e-5)

    @saving.register_keras_serializable()
    class Mine(callbacks.Callback):
        def get_config(self) -> dict[str, Any]:
            return {}

    assert saving.get_custom_objects().pop("Custom>Mine") is Mine
    assert saving.get_registered_name(Mine) == "Custom>Mine"
    assert nncore.utils.get_custom_objects is saving.get_custom_objects  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"Plain has no get_config\(\)"):
        saving.register_keras_serializable()(type("Plain", (), {}))


def test_a_training_goes_on_amid_an_epoch_with_its_functions(tmp_path: Path) -> None:
    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 3 and self.epoch == 1:
                raise KeyboardInterrupt

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

    options: Any = {"batch_size": 4, "epochs": 3, "verbose": 0}
    expected = made(metrics=[cross_entropy, "accuracy"]).fit(X, ONE_HOT, **options).history
    model = made(metrics=[cross_entropy, "accuracy"])
    backup = callbacks.BackupAndRestore(tmp_path / "backup", save_freq=2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, ONE_HOT, callbacks=[backup, Stop()], **options)
    other = made(metrics=[cross_entropy, "accuracy"])
    history = other.fit(X, ONE_HOT, callbacks=[backup], **options).history
    assert history == {key: values[1:] for key, values in expected.items()}


@pytest.mark.parametrize(
    "room", ["losses", "metrics", "optimizers", "initializers", "regularizers", "constraints"]
)
def test_get_takes_configs(room: str) -> None:
    module = getattr(nncore, room)
    assert module.get(None) is None
    for cls in module.CLASSES.values():
        thing = (complete(cls) if room == "metrics" else cls)()
        again = module.get({"class_name": cls.__name__, "config": thing.get_config()})
        assert type(again) is cls
        assert again.get_config() == thing.get_config()
    with pytest.raises(ValueError, match=r"there is no \w+ 'Xyzw'"):
        module.get({"class_name": "Xyzw", "config": {}})
    schedule = nncore.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    config = nncore.optimizers.SGD(schedule).get_config()
    assert nncore.optimizers.get({"class_name": "SGD", "config": config}).get_config() == config
