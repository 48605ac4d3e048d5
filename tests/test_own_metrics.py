"""Metrics that are classes of one's own, and those of sums, which run in Python too."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import callbacks, metrics
from nncore.layers import Dense, Input

RNG = np.random.default_rng(1)
X = RNG.standard_normal((23, 3)).astype(np.float32)
Y = RNG.integers(0, 3, 23)


class Hits(metrics.Metric):
    def __init__(self, name: str = "hits", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.right = self.add_weight(name="right", initializer="zeros")
        self.rows = self.add_variable((2,), "zeros", name="rows")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        weight = np.ones(len(y_true)) if sample_weight is None else sample_weight
        self.right.assign_add(np.sum((np.argmax(y_pred, -1) == y_true) * weight))
        self.rows.assign(self.rows + np.array([np.sum(weight), 1]))

    def result(self) -> Any:
        return self.right / np.maximum(self.rows[0], 1)


class Overlap(metrics.MeanIoU):
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, np.argmax(y_pred, axis=-1), sample_weight)


def has_top_k(cls: Any) -> bool:
    return "top_k" in inspect.signature(cls).parameters


COUNTED: Any = next(filter(has_top_k, metrics.CLASSES.values()))


class Second(COUNTED):  # type: ignore[misc]
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(np.asarray(y_true) == 1, np.asarray(y_pred)[:, 1], sample_weight)


def model_with(*given: Any, **options: Any) -> nncore.Sequential:
    nncore.utils.set_random_seed(2)
    model = nncore.Sequential([Input((3,)), Dense(8, "relu"), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=list(given), **options)
    return model


def test_a_class_is_called_with_each_batch() -> None:
    own = Hits()
    model = model_with("accuracy", own, weighted_metrics=[Hits("weighted")])
    weights = np.linspace(0.5, 2, 23, dtype=np.float32)
    options: Any = {"epochs": 3, "batch_size": 5, "verbose": 0, "sample_weight": weights}
    history = model.fit(X, Y, validation_data=(X[:9], Y[:9]), **options).history
    np.testing.assert_allclose(history["hits"], history["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(history["val_hits"], history["val_accuracy"], rtol=1e-6)
    plain = model_with("accuracy", weighted_metrics=["accuracy"])
    expected = plain.fit(X, Y, validation_data=(X[:9], Y[:9]), **options).history
    np.testing.assert_allclose(history["weighted"], expected["weighted_accuracy"], rtol=1e-5)
    assert history["loss"] == expected["loss"]
    assert float(own.right) == 0.0  # each pass has a copy
    assert own(Y, np.eye(3)[Y]) == 1.0
    assert [v.name for v in own.variables] == ["right", "rows"]
    own.reset_state()
    assert own.result() == 0.0


def test_derived_from_metrics_that_are_there() -> None:
    model = model_with(Overlap(3), metrics.MeanIoU(3, sparse_y_pred=False, name="wanted"), Second(name="p"))
    found = model.evaluate(X, Y, batch_size=7, verbose=0, return_dict=True)
    assert found["overlap"] == found["wanted"]
    p = model.predict(X)
    assert found["p"] == pytest.approx(float(COUNTED()(Y == 1, p[:, 1])))


def test_the_order_of_results() -> None:
    model = model_with(
        Hits("a"), "accuracy", metrics.MeanIoU(3, sparse_y_pred=False), lambda y, p: 0.25 + 0 * y
    )
    found = model.evaluate(X, Y, verbose=0)
    assert model.metrics_names == ["loss", "a", "accuracy", "mean_io_u", "lambda"]
    assert found[1] == pytest.approx(found[2])
    assert found[4] == 0.25
    model.fit(X, Y, verbose=0)
    logs = model.history.history
    assert {m.name: m.result() for m in model.metrics} == {
        name: logs[name][0] for name in model.metrics_names
    }


def test_overlaps() -> None:
    table = metrics.IoU(2, [0, 1])
    assert table([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.3, 0.3, 0.3, 0.1]) == pytest.approx(
        (1 / 3 + 1 / 7) / 2
    )
    image = metrics.MeanIoU(3, sparse_y_pred=False)
    y, p = RNG.integers(0, 3, (4, 5, 5)), RNG.random((4, 5, 5, 3))
    image.update_state(y, p, sample_weight=[1, 0, 2, 1])
    apart = metrics.MeanIoU(3)
    for i, weight in ((0, 1), (2, 2), (3, 1)):
        apart.update_state(y[i], p[i].argmax(-1), weight)
    assert image.result() == pytest.approx(apart.result(), rel=1e-12)
    assert metrics.MeanIoU(3)([[0, 7, -1, 1]], [[0, 1, 1, 1]]) == pytest.approx(1.0)
    assert metrics.IoU(4, [3]).result() == 0.0
    twin = metrics.MeanIoU(**image.get_config())
    twin.totals = image.totals
    assert twin.result() == image.result()


def test_r2_of_a_stream() -> None:
    y, p = RNG.random((30, 2)), RNG.random((30, 2))
    score = metrics.R2Score(class_aggregation=None)
    score.update_state(y[:11], p[:11])
    expected = 1 - ((y - p) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    np.testing.assert_allclose(score(y[11:], p[11:]), expected, rtol=1e-6)
    assert metrics.R2Score()(y, p) == pytest.approx(expected.mean())
    assert metrics.R2Score()(y[:, 0], p[:, :1]) == pytest.approx(expected[0])
    assert np.isnan(metrics.R2Score().result())


def test_backups_keep_what_is_counted(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(batch: int, logs: Any) -> None:
        if batch == 2 and model.optimizer.iterations > 5:
            raise Stop

    def given() -> list[Any]:
        return [Hits(), metrics.MeanIoU(3, "iou", sparse_y_pred=False), lambda y, p: 1.0 * y]

    options: Any = {"epochs": 2, "batch_size": 5, "verbose": 0}
    expected = model_with(*given()).fit(X, Y, **options).history
    model = model_with(*given())
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=1)
    with pytest.raises(Stop):
        model.fit(X, Y, callbacks=[backup, callbacks.LambdaCallback(on_train_batch_end=stop)], **options)
    model = model_with(*given())
    found = model.fit(X, Y, callbacks=[callbacks.BackupAndRestore(tmp_path, save_freq=1)], **options).history
    assert {name: values[-1] for name, values in found.items()} == {n: v[-1] for n, v in expected.items()}


def test_saved_where_they_have_a_name(tmp_path: Path) -> None:
    model = model_with(metrics.MeanIoU(3, sparse_y_pred=False), metrics.OneHotIoU(3, [1], name="one"))
    for name in ("m.safetensors", "m.keras"):
        model.save(tmp_path / name)
        twin = nncore.models.load_model(tmp_path / name)
        assert twin.metrics_names == model.metrics_names
    own = model_with(Hits())
    with pytest.raises(ValueError, match="'hits' cannot be saved: its class Hits"):
        own.save(tmp_path / "own.safetensors")
    twin = copy.deepcopy(Hits())
    assert twin(Y, np.eye(3)[Y]) == 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: type("M", (metrics.Metric,), {}), TypeError, "cannot be derived from.* Define update_state"),
        (lambda: type("M", (metrics.Metric,), {"update_state": 1}), TypeError, "cannot be derived from"),
        (lambda: metrics.IoU(2, [2]), ValueError, "target_class_ids must be at most 1"),
        (lambda: metrics.IoU(2, []), ValueError, "must be a list"),
        (lambda: metrics.IoU(2, [0])([0, 1], [0]), ValueError, "there are 2 targets and 1 predictions"),
        (lambda: metrics.MeanIoU(2)(["a"], [0]), TypeError, "must hold real numbers"),
        (lambda: metrics.R2Score("some"), ValueError, "class_aggregation must be one of"),
        (lambda: metrics.R2Score()(np.ones((2, 2)), np.ones((2, 3))), ValueError, "got .2, 2. and .2, 3."),
        (lambda: Hits().right.assign([1, 2]), ValueError, "expected a value of shape"),
        (
            lambda: model_with().compile("adam", lambda y, p: 0),
            TypeError,
            "Use a loss of nncore.losses with its",
        ),
    ],
)
def test_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_result_that_is_no_number() -> None:
    class Odd(Hits):
        def result(self) -> Any:
            return {"a": 1}

    with pytest.raises(TypeError, match=r"\[hits\] result\(\) must"):
        model_with(Odd()).evaluate(X, Y, verbose=0)
