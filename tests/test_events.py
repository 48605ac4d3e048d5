"""Events of passes: of callbacks, of a source of batches, and the end of a pass by a flag."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import layers

BATCH = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


class Source:
    """Two batches, as a keras.utils.PyDataset with events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        self.events.append(str(index))
        return BATCH

    def on_epoch_begin(self) -> None:
        self.events.append("begin")

    def on_epoch_end(self) -> None:
        self.events.append("end")


@pytest.fixture
def model() -> nncore.Sequential:
    model = nncore.Sequential([nncore.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def one_pass(model: nncore.Sequential, method: str, source: Any, **options: Any) -> Any:
    if method == "validation":
        return model.fit(*BATCH, validation_data=source, verbose=0, **options)
    return getattr(model, method)(source, verbose=0, **options)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "validation"])
def test_a_source_is_told_of_each_pass(model: nncore.Sequential, method: str) -> None:
    source = Source()
    one_pass(model, method, source)
    assert source.events == ["begin", "0", "1", "end"]


def test_a_source_is_told_of_each_epoch(model: nncore.Sequential) -> None:
    source = Source()
    model.fit(source, epochs=3, verbose=0)
    assert source.events == ["begin", "0", "1", "end"] * 3


def endless() -> Iterator[Any]:
    for _ in itertools.count():
        yield BATCH


class Stops(nncore.callbacks.Callback):
    """Sets a flag of the model after the third batch."""

    def __init__(self, flag: str) -> None:
        super().__init__()
        self.flag, self.batches = flag, 0

    def _count(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        assert self.batches < 100, "the pass did not stop"
        if self.batches == 3:
            setattr(self.model, self.flag, True)

    on_train_batch_end = on_test_batch_end = on_predict_batch_end = _count


@pytest.mark.parametrize(
    ("method", "flag"),
    [("fit", "stop_training"), ("evaluate", "stop_evaluating"), ("predict", "stop_predicting")],
)
@pytest.mark.parametrize("arrays", [True, False])
def test_a_pass_stops_when_a_callback_says_so(
    model: nncore.Sequential, method: str, flag: str, arrays: bool
) -> None:
    many = np.ones((80, 2), np.float32), np.ones((80, 1), np.float32)
    for _ in range(2):  # the flag of one pass is not that of the next
        callback = Stops(flag)
        if not arrays:
            result = one_pass(model, method, endless(), callbacks=[callback])
        elif method == "predict":
            result = model.predict(many[0], batch_size=4, callbacks=[callback])
        else:
            result = getattr(model, method)(*many, batch_size=4, verbose=0, callbacks=[callback])
        assert callback.batches == 3
        if method == "predict":
            assert result.shape == (12, 1)
            assert np.isfinite(result).all()
        if method == "evaluate":
            assert np.isfinite(result)


def test_a_validation_stops_alone(model: nncore.Sequential) -> None:
    callback = Stops("stop_evaluating")
    callback.on_train_batch_end = lambda batch, logs=None: None  # type: ignore[method-assign]
    history = model.fit(
        *BATCH, epochs=2, validation_data=(np.ones((80, 2)), np.ones(80)), validation_batch_size=4,
        callbacks=[callback], verbose=0,
    )  # fmt: skip
    assert len(history.epoch) == 2
    assert callback.batches == 3 + 20


def test_a_validation_that_stops_is_begun_again(model: nncore.Sequential) -> None:
    source = Source()
    stops = nncore.callbacks.LambdaCallback(
        on_test_batch_end=lambda batch, logs: setattr(model, "stop_evaluating", True)
    )
    model.fit(*BATCH, epochs=3, validation_data=source, callbacks=[stops], verbose=0)
    assert source.events == ["begin", "0"] * 3


@pytest.mark.parametrize(
    ("method", "event", "flag"),
    [("evaluate", "on_test_begin", "stop_evaluating"), ("predict", "on_predict_begin", "stop_predicting")],
)
def test_a_pass_may_be_stopped_before_it_begins(
    model: nncore.Sequential, method: str, event: str, flag: str
) -> None:
    class StopsAtOnce(Stops):
        pass

    callback = StopsAtOnce(flag)
    setattr(callback, event, lambda logs=None: setattr(model, flag, True))
    one_pass(model, method, endless(), callbacks=[callback])
    assert callback.batches <= 1


def test_means_that_are_reset_keep_their_names(model: nncore.Sequential) -> None:
    resets = nncore.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: model.reset_metrics())
    history = model.fit(*BATCH, epochs=2, callbacks=[resets], verbose=0)
    assert history.history == {"loss": [0.0, 0.0]}
