"""A loss that is not finite ends a training, and the first layer that is not finite is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_callbacks import FIT, X, Y, make, parameters

import nncore
from nncore import callbacks, layers, models, optimizers
from nncore.callbacks import Callback, CallbackList, History, LambdaCallback
from nncore.optimizers import schedules

BAD = np.where(np.arange(20) == 13, np.nan, Y)  # of the fourth batch


def ended(model: nncore.Sequential, x: Any, y: Any, *others: Callback, **fit: Any) -> History:
    return model.fit(x, y, **{**FIT, **fit}, callbacks=[callbacks.TerminateOnNaN(), *others])


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("way", ["plain", "schedule", "gradients", "batches"])
def test_training_ends_before_the_update(way: str, watched: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def optimizer() -> Any:
        return optimizers.SGD(schedules.ExponentialDecay(0.1, 2, 0.5)) if way == "schedule" else "sgd"

    model, until = make(optimizer()), make(optimizer())
    if way == "gradients":
        model.gradients = until.gradients = lambda gradients: None
    others = [LambdaCallback(on_batch_end=lambda batch, logs: None)] if watched else []
    if way == "batches":
        batches = [(X[i : i + 4], BAD[i : i + 4]) for i in range(0, 20, 4)]
        history = model.fit(iter(batches), verbose=0, callbacks=[callbacks.TerminateOnNaN(), *others])
    else:
        history = ended(model, X, BAD, *others, shuffle=False, epochs=3)
    until.fit(X[:12], Y[:12], **FIT, shuffle=False)
    assert parameters(model) == parameters(until)
    assert history.epoch == [0]
    assert np.isnan(history.history["loss"])
    expected = "Batch 3: the loss is nan, so the training ends. The batch has targets that are not finite\n"
    assert capsys.readouterr().out == expected
    assert model.optimizer is not None
    assert model.optimizer.iterations == 3


def huge(model: nncore.Sequential, layer: str, value: float = 1e38) -> nncore.Sequential:
    weights = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([np.full_like(w, value) for w in weights])
    return model


def residual() -> models.Model:
    """A graph with a model in it, whose first layer overflows."""
    nncore.utils.set_random_seed(1)
    inner = nncore.Sequential([nncore.Input((3,)), layers.Dense(3, name="deep")], name="inner")
    huge(inner, "deep")
    x = nncore.Input((3,))
    model = models.Model(x, layers.Dense(1)(layers.Add()([x, inner(layers.Rescaling(9.0)(x))])))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("model", "x", "told"),
    [
        (make, X * np.nan, "The batch has inputs that are not finite"),
        (make, np.where(X > 0.9, np.inf, X), "The batch has inputs that are not finite"),
        (lambda: huge(make(activation=None), "first"), X * 9, "are those of the layer 'first'"),
        (lambda: huge(make(), "last"), X, "are those of the layer 'last'"),
        (lambda: huge(make(), "norm", np.nan), X, "'norm', whose weights are not finite: an update before"),
        (
            lambda: huge(make(), "last", 1e30),
            X,
            "The values of all layers are finite: the loss itself is not",
        ),
        (residual, X, "are those of the layer 'inner/deep'"),
    ],
)
def test_the_first_layer_that_went_wrong_is_named(
    model: Callable[[], Any], x: Any, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = model()
    before = parameters(made)
    ended(made, x, Y, batch_size=20)
    assert told in capsys.readouterr().out
    assert parameters(made) == before
    with pytest.raises(RuntimeError, match=rf"^\[TerminateOnNaN\] Batch 0: the loss is .*{told}"):
        model().fit(x, Y, 20, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def test_several_inputs_and_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = nncore.Input((2,)), nncore.Input((2,))
    model = models.Model([a, b], [layers.Dense(1, name="one")(a), layers.Dense(1, name="two")(b)])
    model.compile("sgd", "mse")
    huge(model, "two")  # type: ignore[arg-type]
    ended(model, [X[:, :2], 9 * X[:, 1:]], [Y, Y], shuffle=True)  # type: ignore[arg-type]
    assert "those of the layer 'two'" in capsys.readouterr().out


def test_in_a_loop_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    model = make()
    end = CallbackList([callbacks.TerminateOnNaN()], model=model)
    end.on_train_begin()
    end.on_train_batch_end(0, {"loss": 1.0})
    assert not model.stop_training
    end.on_train_batch_end(1, {"loss": np.inf})
    assert model.stop_training
    assert capsys.readouterr().out == "Batch 1: the loss is inf, so the training ends\n"


def test_finite_losses_are_left_alone() -> None:
    plain, watched = make("adam"), make("adam")
    a, b = plain.fit(X, Y, epochs=3, **FIT), ended(watched, X, Y, epochs=3)
    assert a.history == b.history
    assert parameters(plain) == parameters(watched)
