"""Forms of data: all give the results of a plain float32 array, and nothing large is copied."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Callable, Iterator
from ctypes import c_float
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nncore
from nncore.common.arrays import as_array, is_batches
from nncore.layers import Conv2D, Dense, Flatten, Input

BASE = (np.arange(60).reshape(20, 3) % 17).astype(np.float32)  # fits into every type
LABELS = np.arange(20) % 2


class WithArray:
    def __init__(self, a: Any) -> None:
        self.a = a

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.a, dtype=dtype)


class WithDlpack:
    def __init__(self, a: Any) -> None:
        self.a = a

    def __dlpack__(self, **options: Any) -> Any:
        return self.a.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self.a.__dlpack_device__()


def read_only(a: Any) -> Any:
    a = a.copy()
    a.setflags(write=False)
    return a


def unaligned(a: Any) -> Any:
    raw = np.zeros(a.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(a.tobytes(), np.uint8)
    return raw[1:].view(a.dtype).reshape(a.shape)


TYPES = (
    "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 >f2 >f4 >f8 >i2 >i4 >i8 >u2 >u8 longdouble".split()  # noqa: SIM905
)
FORMS: dict[str, Callable[[Any], Any]] = {
    **{str(t): (lambda a, t=t: a.astype(t)) for t in TYPES},
    "list": lambda a: a.tolist(),
    "tuples": lambda a: tuple(tuple(row) for row in a.tolist()),
    "list of arrays": list,
    "Fortran": np.asfortranarray,
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every second column": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "read-only": read_only,
    "unaligned": unaligned,
    "masked without a mask": np.ma.asarray,
    "DataFrame": pd.DataFrame,
    "DataFrame of several types": lambda a: pd.DataFrame(a).astype({0: "int64", 1: "float32", 2: "uint8"}),
    "DataFrame of nullable types": lambda a: pd.DataFrame(a).astype({0: "Int64", 1: "Float32"}),
    "slice of a DataFrame": lambda a: pd.DataFrame(np.hstack([a, a])).iloc[:, :3],
    "__array__": WithArray,
    "DLPack": WithDlpack,
}


def make() -> nncore.Sequential:
    nncore.utils.set_random_seed(4)
    model = nncore.Sequential([Input((3,)), Dense(5, activation="tanh"), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def trained(x: Any, y: Any) -> tuple[Any, ...]:
    model = make()
    history = model.fit(x, y, epochs=2, batch_size=6, validation_split=0.25, verbose=0).history
    return history, model.predict(x).tolist(), model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_inputs_gives_the_same(form: str) -> None:
    assert trained(FORMS[form](BASE), LABELS) == trained(BASE, LABELS)


@pytest.mark.parametrize(
    "form", [f for f in FORMS if f not in ("tuples", "transposed") and "DataFrame" not in f]
)
def test_every_form_of_targets_gives_the_same(form: str) -> None:
    labels = LABELS.astype(np.float32)
    assert trained(BASE, FORMS[form](labels)) == trained(BASE, labels)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS[:, None],
        LABELS.astype(bool),
        pd.Series(LABELS),
        pd.Series(LABELS, dtype="boolean"),
        pd.DataFrame({"y": LABELS}),
        [[v] for v in LABELS.tolist()],
    ],
    ids=["column", "bool", "Series", "nullable Series", "DataFrame", "nested list"],
)
def test_one_target_may_be_a_column_or_not(labels: Any) -> None:
    assert trained(BASE, labels) == trained(BASE, LABELS)


def test_mixed_and_bool_columns_of_a_frame() -> None:
    frame = pd.DataFrame({"a": LABELS == 1, "b": np.arange(20), "c": np.linspace(0, 1, 20)})
    expected = np.stack([LABELS == 1, np.arange(20), np.linspace(0, 1, 20)], axis=1).astype(np.float32)
    np.testing.assert_array_equal(make().predict(frame), make().predict(expected))


def test_missing_values_of_a_frame_become_nan() -> None:
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1.0, 2.0], "c": [0, 0]})
    assert np.isnan(make().predict(frame)).tolist() == [[False], [True]]


def test_the_last_axis_of_length_one_may_be_left_out_or_added() -> None:
    images = np.random.default_rng(1).random((6, 5, 5), dtype=np.float32)
    model = nncore.Sequential([Input((5, 5, 1)), Conv2D(2, 3), Flatten()])
    np.testing.assert_array_equal(model.predict(images), model.predict(images[..., None]))
    flat = nncore.Sequential([Input((3,)), Dense(2)])
    np.testing.assert_array_equal(flat.predict(BASE[..., None]), flat.predict(BASE))
    single = nncore.Sequential([Input((1,)), Dense(2)])
    np.testing.assert_array_equal(single.predict(BASE[:, 0]), single.predict(BASE[:, :1]))
    np.testing.assert_array_equal(single.predict([1.0, 2.0]), single.predict([[1.0], [2.0]]))


def test_a_list_of_one_input() -> None:
    model = make()
    np.testing.assert_array_equal(model.predict([BASE]), model.predict(BASE))
    np.testing.assert_array_equal(model.predict([BASE[0]]), model.predict(BASE[:1]))


def test_a_batch_larger_than_the_data() -> None:
    model = make()
    assert model.fit(BASE, LABELS, batch_size=1000, verbose=0).params["steps"] == 1
    assert model.predict(BASE, batch_size=1000).shape == (20, 1)


def test_prediction_of_nothing() -> None:
    assert make().predict(BASE[:0]).shape == (0, 1)


@pytest.mark.parametrize("samples", [1, 2, 31, 32, 33, 1023, 1024, 1025])
def test_any_number_of_samples(samples: int) -> None:
    x = np.random.default_rng(2).random((samples, 3), dtype=np.float32)
    model = make()
    one_by_one = np.concatenate([model.predict(x[i : i + 1]) for i in range(min(samples, 40))])
    np.testing.assert_allclose(model.predict(x)[:40], one_by_one, rtol=1e-6)
    history = model.fit(x, (x[:, 0] > 0.5).astype(int), verbose=0)
    assert history.params["steps"] == -(-samples // 32)


# ---- nothing large is copied

ROWS = 20_000
SIZE = ROWS * 100 * 4


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_a_memmap_is_not_copied(call: str, tmp_path: Path) -> None:
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(ROWS, 100))
    y = np.zeros(ROWS, np.uint8)
    model = nncore.Sequential([Input((100,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x[:32], y[:32], verbose=0)
    tracemalloc.start()
    try:
        if call == "fit":
            model.fit(x, y, batch_size=500, verbose=0, validation_split=0.2)
        elif call == "evaluate":
            model.evaluate(x, y, batch_size=500, verbose=0)
        else:
            model.predict(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < SIZE / 10


@pytest.mark.parametrize(
    "form", ["Fortran", "read-only", "every second row", ">f8", "u1", "DLPack", "__array__"]
)
def test_arrays_are_used_where_they_are(form: str) -> None:
    value = FORMS[form](BASE)
    array = as_array("test", "x", value)
    base = value.a if hasattr(value, "a") else value
    assert np.shares_memory(array, base)


# ---- batches


def batches(size: int = 5) -> Iterator[Any]:
    for start in range(0, 20, size):
        yield BASE[start : start + size], LABELS[start : start + size]


class Again:
    """A source that can be iterated more than once, and knows its length."""

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[Any]:
        return batches()


def expected() -> list[float]:
    return make().fit(BASE, LABELS, batch_size=5, epochs=3, shuffle=False, verbose=0).history["loss"]


def test_something_that_can_be_iterated_again_and_again() -> None:
    history = make().fit(Again(), epochs=3, verbose=0)
    assert history.history["loss"] == expected()
    assert history.params["steps"] == 4


def test_an_endless_generator() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield from batches()

    assert make().fit(endless(), epochs=3, steps_per_epoch=4, verbose=0).history["loss"] == expected()


def test_an_iterator_that_ends_early_ends_the_training() -> None:
    with pytest.warns(UserWarning, match="the data ended before epoch 2"):
        history = make().fit(batches(), epochs=3, verbose=0)
    assert history.history["loss"] == expected()[:1]
    with (
        pytest.warns(UserWarning, match="ran out after 1 of 3"),
        pytest.warns(UserWarning, match="the data ended before epoch 3"),
    ):
        history = make().fit(batches(), epochs=3, steps_per_epoch=3, verbose=0)
    assert len(history.epoch) == 2


def test_batches_with_weights() -> None:
    weight = np.linspace(0, 1, 20)
    one, other = make(), make()
    first = one.fit(BASE, LABELS, 5, shuffle=False, sample_weight=weight, verbose=0).history
    triples = ((x, y, weight[5 * i : 5 * i + 5]) for i, (x, y) in enumerate(batches()))
    assert other.fit(triples, verbose=0).history == first
    one, other = make(), make()
    first = one.fit(BASE, LABELS, 5, shuffle=False, class_weight={1: 3.0}, verbose=0).history
    assert other.fit(batches(), class_weight={1: 3.0}, verbose=0).history == first


def test_batches_to_evaluate_predict_and_validate() -> None:
    model = make()
    assert model.evaluate(batches(), verbose=0) == model.evaluate(BASE, LABELS, batch_size=5, verbose=0)
    np.testing.assert_array_equal(model.predict(batches()), model.predict(BASE))
    np.testing.assert_array_equal(model.predict(x for x, _ in batches()), model.predict(BASE))
    np.testing.assert_array_equal(model.predict(Again(), steps=2), model.predict(BASE[:10]))
    one, other = make(), make()
    first = one.fit(
        BASE, LABELS, validation_data=(BASE, LABELS), validation_batch_size=5, epochs=2, verbose=0
    )
    second = other.fit(BASE, LABELS, validation_data=Again(), epochs=2, verbose=0)
    assert second.history == first.history


class Indexed:
    """A source like keras.utils.PyDataset: without __iter__; an IndexError does not end it."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.ended = 0

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        self.asked.append(index)
        rows = slice(5 * (index % 4), 5 * (index % 4) + 5)
        return BASE[rows], LABELS[rows]

    def on_epoch_end(self) -> None:
        self.ended += 1


def test_a_source_with_indexed_batches() -> None:
    source = Indexed()
    model = make()
    history = model.fit(source, epochs=3, verbose=0)
    assert history.history["loss"] == expected()
    assert history.params["steps"] == 4
    assert source.asked == [0, 1, 2, 3] * 3
    assert source.ended == 3
    assert model.evaluate(source, verbose=0) == model.evaluate(BASE, LABELS, batch_size=5, verbose=0)
    np.testing.assert_array_equal(model.predict(source), model.predict(BASE))
    np.testing.assert_array_equal(model.predict(source, steps=2), model.predict(BASE[:10]))
    assert source.ended == 6
    one, other = make(), make()
    first = one.fit(source, validation_data=Indexed(), epochs=2, verbose=0)
    second = other.fit(Again(), validation_data=Again(), epochs=2, verbose=0)
    assert first.history == second.history


@pytest.mark.parametrize("source", [Indexed, Again])
def test_an_epoch_of_as_many_steps_as_there_are_batches(source: type) -> None:
    assert make().fit(source(), epochs=3, steps_per_epoch=4, verbose=0).history["loss"] == expected()


def test_batches_build_a_model() -> None:
    model = nncore.Sequential([Dense(1)])
    model.compile("sgd", "mse")
    model.fit(batches(), verbose=0)
    assert model.input_shape == (None, 3)


@pytest.mark.parametrize(
    "value",
    [[1], (1,), "a", b"a", {}, np.ones(2), pd.Series([1]), range(3), 3, array("d", [1]), (c_float * 2)(1, 2)],
)
def test_what_is_not_an_iterator_of_batches(value: Any) -> None:
    assert not is_batches(value)
