"""All metrics computed from counts, against NumPy, alone and in a network."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metric_cases import complete, has, required, settings_for
from numpy.typing import NDArray

import nncore
from nncore import _core, callbacks, layers, metrics, models
from nncore.metrics.counting import Counting

Array = NDArray[Any]
CLASSES = {name: cls for name, cls in metrics.CLASSES.items() if issubclass(cls, Counting)}
CASES = [
    pytest.param(cls, settings, id=f"{name} {settings}")
    for name, cls in CLASSES.items()
    for settings in settings_for(cls)
]
EACH = pytest.mark.parametrize("cls", [complete(c) for c in CLASSES.values()], ids=CLASSES)
PLAIN = [cls for cls in CLASSES.values() if complete(cls) is cls]


def data(rng: np.random.Generator, samples: int, labels: int = 4) -> tuple[Array, Array, Array]:
    """Targets, predictions in [0, 1] that lean towards them, and weights."""
    y = rng.integers(0, 2, size=(samples, labels)).astype(np.float32)
    p = (0.3 * y + rng.uniform(0, 0.7, size=y.shape)).astype(np.float32)
    return y, p, rng.uniform(0, 2, size=samples).astype(np.float32)


def expected(metric: Any, y: Array, p: Array, weight: Array | float = 1.0) -> Array:
    """The value of a metric for all samples, from the definition of its counts."""
    p = p.astype(np.float64)
    if metric.from_logits:
        p = 1 / (1 + np.exp(-p))
    if metric.top_k is not None:
        rank = np.argsort(np.argsort(-p, axis=-1, kind="stable"), axis=-1)
        p = np.where(rank < metric.top_k, p, -np.inf)
    w = np.broadcast_to(np.reshape(weight, (-1, 1)), p.shape).astype(np.float64)
    if metric.label_weights is not None and not metric.multi_label:
        w = w * np.array(metric.label_weights)
    if metric.class_id is not None:
        y, p, w = (a[:, metric.class_id : metric.class_id + 1] for a in (y, p, w))
    if not metric.multi_label:
        y, p, w = (a.reshape(-1, 1) for a in (y, p, w))
    positive = p > np.float32(metric.thresholds)[:, np.newaxis, np.newaxis]
    hit, miss = positive * w, ~positive * w
    sums = [(part * of).sum(axis=1) for of in (y != 0, y == 0) for part in (hit, miss)]
    values = metric._reference(sums[0], sums[2], sums[3], sums[1])
    average = getattr(metric, "average", "macro")
    if average is None:
        return np.asarray(values[0])
    weights = sums[0][0] + sums[1][0] if average == "weighted" else metric.label_weights
    found: Array = np.average(values, axis=-1, weights=weights if metric.multi_label else None)
    return found[0] if found.shape == (1,) else found


@pytest.mark.parametrize(("cls", "settings"), CASES)
def test_counts_of_a_stream(isa: str, rng: np.random.Generator, cls: Any, settings: dict[str, Any]) -> None:
    y, p, weight = data(rng, 97)
    if "from_logits" in settings:
        p = np.log(p / (1 - p))
    metric = cls(**settings)
    before = metric.result()
    for weights in (None, weight):
        for at in range(0, 97, 13):
            part = slice(at, at + 13)
            metric.update_state(y[part], p[part], None if weights is None else weights[part])
        np.testing.assert_allclose(
            metric.result(),
            expected(metric, y, p, 1.0 if weights is None else weights),
            rtol=1e-12,
            atol=1e-12,
        )
        one = len(metric.thresholds) == 1 and getattr(metric, "average", "macro")
        assert np.shape(metric.result()) == (() if one else np.shape(metric.result()))
        metric.reset_state()
        np.testing.assert_array_equal(metric.result(), before)


def identity(metric: Any, weighted: bool = False) -> nncore.Sequential:
    """A model of 4 outputs, which are a sigmoid of its inputs, after it was taken from the loss."""
    model = nncore.Sequential([layers.Input((4,)), layers.Activation("sigmoid")])
    given = {"weighted_metrics" if weighted else "metrics": ["mse", metric, "accuracy"]}
    model.compile("sgd", "binary_crossentropy", **given)
    return model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("cls", "settings"), CASES)
def test_a_network_counts_as_the_metric_alone(
    rng: np.random.Generator, cls: Any, settings: dict[str, Any], weighted: bool
) -> None:
    y, p, weight = data(rng, 50)
    x = np.log(p / (1 - p))
    metric = cls(name="counted", **settings)
    model = identity(metric, weighted)
    alone = metric(y, model.predict(x, verbose=0), weight if weighted else None)
    for batch in (1, 7, 50):
        logs = model.evaluate(x, y, batch, sample_weight=weight, verbose=0, return_dict=True)
        assert list(logs) == ["accuracy", "counted", "loss", "mse"]
        np.testing.assert_array_equal(logs["counted"], alone)
        assert type(logs["counted"]) is type(alone)


@EACH
def test_threads_and_batches_change_nothing(rng: np.random.Generator, threads: None, cls: Any) -> None:
    y, x, weight = data(rng, 3000, 64)
    found = []
    for count in (1, 2, 7):
        _core.set_num_threads(count)
        model = nncore.Sequential(
            [layers.Input((64,)), layers.Dense(200, "relu"), layers.Dense(64, "sigmoid")]
        )
        model.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) / 8 for w in model.get_weights()])
        model.compile("sgd", "binary_crossentropy", metrics=[cls(name="a")], weighted_metrics=[cls(name="b")])
        history = model.fit(x, y, 512, 2, 0, sample_weight=weight, shuffle=False).history
        found.append([history, *(model.evaluate(x, y, size, 0, weight)[1:] for size in (100, 3000))])
        assert found[-1][1] == found[-1][2]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("cls", "settings"), CASES)
def test_saved_copied_and_pickled(
    rng: np.random.Generator, tmp_path: Path, cls: Any, settings: dict[str, Any]
) -> None:
    y, p, weight = data(rng, 20)
    metric = cls(**settings)
    metric.update_state(y, p)
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert repr(twin) == repr(metric)
        np.testing.assert_array_equal(twin.result(), metric.result())
        np.testing.assert_array_equal(twin(y[::-1], p, weight), copy.deepcopy(metric)(y[::-1], p, weight))
    model = identity(metric)
    model.save(tmp_path / "model.nncore")
    loaded = models.load_model(tmp_path / "model.nncore")
    assert loaded.metrics_names == model.metrics_names
    for one, other in zip(model.evaluate(p, y, verbose=0), loaded.evaluate(p, y, verbose=0)):
        np.testing.assert_array_equal(one, other)


@EACH
def test_counts_can_be_merged(rng: np.random.Generator, cls: Any) -> None:
    y, p, _ = data(rng, 40)
    whole, half, other = (_core.Counter(cls().spec()) for _ in range(3))
    whole.count(y, p, None)
    half.count(y[:15], p[:15], None)
    other.count(y[15:], p[15:], None)
    half.merge(other)
    assert half.result() == whole.result()


@pytest.mark.parametrize("cls", PLAIN)
def test_names(cls: Any) -> None:
    nncore.utils.clear_session()
    first = cls()
    assert [cls().name, metrics.get(cls).name] == [f"{first.name}_1", f"{first.name}_2"]
    assert all(metrics.found(name, "").name == name for name in (first.name, cls.__name__))
    row = _core.metrics()[first.name]
    assert row[1:] == (False, True)
    assert {setting[0] for setting in row[0]} <= set(inspect.signature(cls).parameters)


@EACH
@pytest.mark.parametrize(
    ("y", "p", "weight", "error"),
    [
        ([1, 0], [0.5], None, r"one shape \(samples, ...\), got \(2,\) and \(1,\)"),
        ([1, 0], [0.5, 0.1], [1, 2, 3], "sample_weight"),
        (1, 0.5, None, "one shape"),
    ],
)
def test_arrays_that_do_not_fit(cls: Any, y: Any, p: Any, weight: Any, error: str) -> None:
    metric = cls(name="m")
    with pytest.raises(ValueError, match=rf"\[m\] .*{error}"):
        metric.update_state(y, p, weight)


@EACH
def test_shapes_and_numbers(cls: Any) -> None:
    y, p = [1, 0, 1, 1, 0, 0], [0.9, 0.2, 0.4, 0.8, 0.6, 0.1]
    flat = cls()(y, p)
    for shape in ((6, 1), (3, 2), (3, 2, 1), (1, 2, 3)):
        assert cls()(np.reshape(y, shape), np.reshape(p, shape)) == flat
    assert cls()(np.reshape(y, (6, 1)), p) == cls()(y, np.reshape(p, (6, 1))) == flat
    assert cls()(np.array(y, bool), np.array(p), 1) == cls()(y, p, np.ones((6, 1))) == flat
    assert cls()([*y, 1, 0], [*p, np.nan, 0.3], [*[1] * 6, 0, 0]) == flat
    assert cls()([], []) == cls().result()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"thresholds": [0.5, 1.5]}, "thresholds must be in"),
    ({"top_k": 0}, "top_k must be at least 1"),
    ({"top_k": 5}, "expected at least 5 classes, got rows of 4"),
    ({"class_id": -1}, "class_id must be at least 0"),
    ({"class_id": 4}, "expected more than 4 classes, got rows of 4"),
    ({"num_thresholds": 1}, "num_thresholds must be at least 2"),
    ({"curve": "roc curve"}, "curve must be one of"),
    ({"summation_method": "left"}, "summation_method must be one of"),
    ({"num_labels": 4}, "num_labels is for multi_label"),
    ({"num_labels": 3, "multi_label": True}, "expected 3 labels, got rows of 4"),
    ({"label_weights": [1, 2]}, "expected one value for each of 2 labels, got rows of 4"),
    ({"label_weights": [1, 1, 1, -1]}, "label_weights must be in"),
]


@pytest.mark.parametrize(
    ("cls", "settings", "error"),
    [
        pytest.param(cls, {**dict.fromkeys(required(cls), 0.5), **settings}, error, id=f"{name} {settings}")
        for name, cls in CLASSES.items()
        for settings, error in BAD
        if has(cls, settings) and not (required(cls) and "num_thresholds" in settings)
    ],
)
def test_settings_that_do_not_fit(cls: Any, settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        cls(**settings)(np.ones((3, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match=error):
        identity(cls(**settings))


@EACH
def test_class_numbers_are_no_targets(cls: Any) -> None:
    model = nncore.Sequential([layers.Input((4,)), layers.Activation("softmax")])
    with pytest.raises(ValueError, match="do not take the same kind of targets"):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[cls()])


def test_early_stopping_wants_one_value() -> None:
    stop = callbacks.EarlyStopping("m", mode="max")
    stop.on_train_begin()
    with pytest.raises(ValueError, match=r"one value of 'm', got \[0.5 0.7\]"):
        stop.on_epoch_end(0, {"m": np.array([0.5, 0.7])})
