"""Sequences, series and batches of `nncore.utils`, as in the tests of Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncore
from nncore import utils
from nncore.utils.batches import Dataset

pytestmark = pytest.mark.once

# ---- pad_sequences


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]),
        ({"maxlen": 4, "value": 7, "padding": "post"}, [[1, 7, 7, 7], [2, 3, 7, 7], [4, 5, 6, 7]]),
        ({"maxlen": 0}, [[], [], []]),
    ],
)
def test_pad_sequences(settings: dict[str, Any], expected: list) -> None:
    rows = [[1], [2, 3], [4, 5, 6]]
    held = np.empty(3, object)
    held[:] = rows
    for given in (rows, held, [np.array(row) for row in rows], [tuple(row) for row in rows]):
        result = utils.pad_sequences(given, **settings)
        assert result.dtype == np.int32
        assert result.tolist() == expected


def test_pad_sequences_of_vectors_floats_and_text() -> None:
    result = utils.pad_sequences([[[1, 1]], [[2, 1], [2, 2]], []], maxlen=2, dtype="float32")
    assert result.tolist() == [[[0, 0], [1, 1]], [[2, 1], [2, 2]], [[0, 0], [0, 0]]]
    assert result.dtype == np.float32
    words = [["a"], ["b", "c", "d"]]
    assert utils.pad_sequences(words, 2, object, value="-").tolist() == [["-", "a"], ["c", "d"]]
    assert utils.pad_sequences(words, 2, "<U3", "post", value="pad").tolist() == [["a", "pad"], ["c", "d"]]
    assert utils.pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((row for row in [[1]]),), "sequences must be a list of sequences"),
        (([[1], 2],), "sequences must hold sequences, got 2 at 1"),
        (([[1]], None, "int32", "left"), r"padding must be one of \['pre', 'post'\], got 'left'"),
        (([[1]], None, "int32", "pre", "both"), "truncating must be one of"),
        (([["a"]], None, "int32", "pre", "pre", "-"), "value='-' needs dtype=object"),
        (([[[1, 2]], [[1]]],), r"vectors must be of shape \(2,\), got \(1,\) at 1"),
        (([[1]], -1), "maxlen must be at least 0"),
    ],
)
def test_pad_sequences_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=rf"\[pad_sequences\] {message}"):
        utils.pad_sequences(*arguments)


def test_misspelt_arguments_are_explained() -> None:
    with pytest.raises(
        TypeError, match=r"\[pad_sequences\] unexpected argument 'max_len'. Did you mean 'maxlen'"
    ):
        utils.pad_sequences([[1]], max_len=2)  # type: ignore[call-arg]


# ---- normalize


def test_normalize() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    for axis in (0, 1, 2, -1):
        np.testing.assert_allclose(np.linalg.norm(utils.normalize(x, axis), axis=axis), 1)
    np.testing.assert_allclose(np.abs(utils.normalize(x, order=1)).sum(-1), 1)
    assert utils.normalize(np.float32([[3, 4]])).dtype == np.float32
    assert utils.normalize(np.array([3, 4])).tolist() == [0.6, 0.8]


# ---- PyDataset


class Squares(utils.PyDataset):
    def __init__(self, batches: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batches, self.calls = batches, []

    @property
    def num_batches(self) -> int | None:
        return self.batches

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.full((4, 1), index % 5, np.float32)
        return x, x**2

    def on_epoch_begin(self) -> None:
        self.calls.append("begin")

    def on_epoch_end(self) -> None:
        self.calls.append("end")


def small_model(size: int = 1) -> nncore.Sequential:
    utils.set_random_seed(1)
    model = nncore.Sequential([nncore.Input((size,)), nncore.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_py_dataset_trains() -> None:
    data, model = Squares(6, workers=2, use_multiprocessing=True), small_model()
    model.fit(data, epochs=2, validation_data=Squares(2), verbose=0)
    assert data.calls == ["begin", "end"] * 2
    assert model.optimizer.iterations == 12
    assert model.predict(data, verbose=0).shape == (24, 1)
    assert (data.workers, data.use_multiprocessing, data.max_queue_size) == (2, True, 10)
    assert utils.Sequence is utils.PyDataset


def test_py_dataset_without_end() -> None:
    model = small_model()
    model.fit(Squares(None), steps_per_epoch=3, epochs=2, verbose=0)
    assert model.optimizer.iterations == 6


def test_py_dataset_must_be_complete() -> None:
    with pytest.raises(NotImplementedError, match=r"\[PyDataset\] __len__ or num_batches must tell"):
        list(utils.PyDataset())
    with pytest.raises(NotImplementedError, match=r"\[PyDataset\] __getitem__\(index\) must give batch 3"):
        utils.PyDataset()[3]


def test_what_has_batches_by_index_and_is_an_iterator_ends() -> None:
    class Both(Squares):
        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Both:  # type: ignore[override]
            return self

        def __next__(self) -> Any:
            raise AssertionError("not to be called")

    model = small_model()
    model.fit(Both(3), epochs=2, validation_data=Both(3), verbose=0)
    assert model.optimizer.iterations == 6


# ---- timeseries_dataset_from_array


def series(*arguments: Any, **settings: Any) -> list:
    return [
        [part.tolist() for part in item] if isinstance(item, tuple) else item.tolist()
        for item in utils.timeseries_dataset_from_array(*arguments, **settings)
    ]


def test_timeseries_as_keras_documents_it() -> None:
    data = np.arange(100)
    batches = list(utils.timeseries_dataset_from_array(data, data * 2, 9, batch_size=5, end_index=99))
    assert len(batches) == 19  # 91 windows
    assert [len(x) for x, _ in batches] == [5] * 18 + [1]
    for number, (x, y) in enumerate(batches):
        np.testing.assert_array_equal(x[:, 0], np.arange(len(x)) + 5 * number)
        np.testing.assert_array_equal(x - x[:, :1], np.tile(np.arange(9), (len(x), 1)))
        np.testing.assert_array_equal(y, 2 * x[:, 0])


def test_timeseries_settings() -> None:
    data = np.arange(20)
    assert series(data, None, 3, sampling_rate=4, sequence_stride=5) == [
        [[0, 4, 8], [5, 9, 13], [10, 14, 18]]
    ]
    assert series(data, data[:2], 3) == [[[[0, 1, 2], [1, 2, 3]], [0, 1]]]
    assert series(data, None, 2, start_index=10, end_index=13) == [[[10, 11], [11, 12]]]
    assert series(data, data, 19, batch_size=None)[1] == [list(range(1, 20)), 1]
    assert series(np.ones((4, 2)), None, 4) == [np.ones((1, 4, 2)).tolist()]
    assert series(data, None, 20, start_index=5) == []


def test_timeseries_in_another_order_each_pass() -> None:
    data = utils.timeseries_dataset_from_array(np.arange(99), np.arange(99), 3, shuffle=True, seed=5)
    first, second = ([y.tolist() for _, y in data] for _ in range(2))
    assert first != second
    assert all(
        sorted(number for batch in order for number in batch) == list(range(97)) for order in (first, second)
    )
    again = utils.timeseries_dataset_from_array(np.arange(99), np.arange(99), 3, shuffle=True, seed=5)
    assert [y.tolist() for _, y in again] == first


@pytest.mark.parametrize(
    "settings",
    [
        {"sequence_length": 0},
        {"sequence_stride": 0},
        {"sequence_stride": 10},
        {"sampling_rate": 10},
        {"start_index": -1},
        {"start_index": 10},
        {"end_index": 10},
        {"start_index": 5, "end_index": 5},
        {"batch_size": 0},
        {"format": "torch"},
    ],
    ids=str,
)
def test_timeseries_refuses(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^\[timeseries_dataset_from_array\] "):
        utils.timeseries_dataset_from_array(np.arange(10), None, **{"sequence_length": 2, **settings})


# ---- the methods of tf.data


def numbers() -> Dataset:
    return utils.timeseries_dataset_from_array(np.arange(10), np.arange(10), 1, batch_size=4)


def firsts(data: Dataset) -> list[list[int]]:
    return [y.tolist() for _, y in data]


def test_methods_of_datasets() -> None:
    data = numbers()
    assert len(data) == 3
    assert firsts(data) == firsts(data) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert firsts(data.take(1)) == [[0, 1, 2, 3]]
    assert firsts(data.skip(2)) == [[8, 9]]
    assert [len(data.take(n)) for n in (-1, 0, 2, 9)] == [3, 0, 2, 3]
    assert len(data.skip(9)) == 0
    doubled = data.map(lambda x, y: (x, 2 * y), num_parallel_calls=-1)
    assert firsts(doubled.take(1)) == [[0, 2, 4, 6]]
    assert [x.sum() for x in data.map(lambda x, y: x)] == [6, 22, 17]
    assert data.cache().prefetch(buffer_size=-1) is data
    assert firsts(data.repeat(2)) == firsts(data) * 2
    assert len(data.repeat(2)) == 6
    rebatched = data.unbatch().batch(5)
    assert [x.shape for x, _ in rebatched] == [(5, 1), (5, 1)]
    assert firsts(data.unbatch().batch(6, drop_remainder=True)) == [[0, 1, 2, 3, 4, 5]]
    assert len(list(data.as_numpy_iterator())) == 3
    with pytest.raises(TypeError, match="number of batches is not known"):
        len(data.unbatch())
    with pytest.raises(AttributeError, match=r"\[Dataset\] there is no 'filter'\. There are take, skip"):
        data.filter(print)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_shuffled_datasets(size: int) -> None:
    data = numbers().unbatch().shuffle(size, seed=3)
    passes = [[int(y) for _, y in data] for _ in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(10))
    assert (passes[0] == passes[1]) == (size == 1)
    for order in passes:  # an item comes at most size - 1 places early
        assert all(number < place + size for place, number in enumerate(order))


def test_datasets_train() -> None:
    model = small_model()
    history = model.fit(numbers().cache(), validation_data=numbers(), epochs=2, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert model.optimizer.iterations == 6
    model.fit(numbers().repeat(), steps_per_epoch=5, epochs=1, verbose=0)
    assert model.optimizer.iterations == 11
    assert model.predict(numbers().map(lambda x, y: x), verbose=0).shape == (10, 1)
