"""Passes of data through a model's network: `fit`, `evaluate` and `predict`, with callbacks and progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np

from .. import _core
from ..callbacks.callback import Callbacks, History, Logs
from ..callbacks.callback_list import CallbackList, checked
from ..common import arrays
from ..common.arguments import boolean, integer, several
from ..common.arrays import Floats
from ..common.messages import warn
from ..common.progress import Progress, style
from .course import Course
from .data import split, validation_of
from .feeds import Data, Feed, Rows, Taken, Work
from .steps import Steps
from .trainer import Trainer


def _begin(
    trainer: Trainer,
    called: CallbackList,
    look: int,
    feed: Feed,
    epochs: int = 1,
    course: Course | None = None,
) -> None:
    directions = trainer.settings.directions() if trainer.settings else None
    params = {"verbose": look, "epochs": epochs, "steps": feed.steps}
    called.begin(trainer.model(), params, directions, course)


def _steps(
    trainer: Trainer,
    mode: str,
    feed: Feed,
    work: Work,
    logs: Callable[[], Logs],
    called: CallbackList,
    progress: Progress,
    course: Course | None = None,
) -> int:
    """Runs a pass in slices, to its end or until a callback stops it. Returns the number of steps made.

    Args:
        mode: "train", "test" or "predict".
        logs: gives the logs of the steps made so far.
        course: in training only.
    """
    each, made = called.watches(mode), course.made if course else 0
    if made and progress.shown:
        progress.update(made, {})
    while not feed.done():
        if each:
            getattr(called, f"on_{mode}_batch_begin")(made, {})
        try:
            steps = feed.advance(work, each)
        except RuntimeError as error:  # a callback or another thread compiled the model meanwhile
            if mode == "train":  # `Steps` named the model, or the error is the user's
                raise
            raise RuntimeError(f"[{trainer.net.name}] {error}") from None
        made += steps
        if each or progress.shown:
            values = logs()
            if each:
                getattr(called, f"on_{mode}_batch_end")(made - 1, values)
            progress.update(steps, values if mode != "predict" else {})
        if course and course.watchers:
            course.watch(made - 1)
        if trainer.stops[mode]:
            break
    return made


def _pass(
    trainer: Trainer,
    mode: str,
    feed: Feed,
    work: Work,
    logs: Callable[[], Logs],
    called: CallbackList,
    progress: Progress,
) -> Logs:
    """Runs a pass of evaluation or prediction, as `_steps` does, and returns the last logs."""
    trainer.stops[mode] = False
    getattr(called, f"on_{mode}_begin")({})
    feed.start(0)
    if not _steps(trainer, mode, feed, work, logs, called, progress) and mode == "test":
        warn("the data to evaluate are used up: there is no result")
        return {}
    found = logs() if mode == "test" else {}
    getattr(called, f"on_{mode}_end")(found)
    return found


def _test(
    trainer: Trainer, network: _core.Network, feed: Feed, called: CallbackList, progress: Progress
) -> Logs:
    sums = trainer.new_sums()
    work = partial(trainer.test, network, sums)
    return _pass(trainer, "test", feed, work, partial(trainer.logs, network, sums), called, progress)


def _validation_due(owner: str, frequency: object) -> Any:
    if (listed := several(frequency)) is not None:
        epochs = {integer(owner, "validation_freq", epoch) for epoch in listed}
        return lambda epoch: epoch in epochs
    every = integer(owner, "validation_freq", frequency)
    return lambda epoch: epoch % every == 0


def _warn_of_changes(trainer: Trainer) -> None:
    frozen = trainer.settings.frozen if trainer.settings else ()
    changed = sorted(path for x, path in trainer.net.computing() if x.trainable == (path in frozen))
    if changed:
        warn(
            f"[{trainer.net.name}] `trainable` of {', '.join(changed)} was changed after compile: call "
            "compile again for it to take effect"
        )


def fit(
    trainer: Trainer,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Callbacks = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | list[int] = 1,
) -> History:
    """Trains the model. Everything is checked before the first step.

    Ctrl-C ends it within half a second and leaves the weights of the last finished step.

    Args:
        x: inputs (n, ...) of any real type: array, memmap, list, DataFrame, tensor. Of several inputs a
            list, tuple or dict of them, the dict by the names of inputs. Or something that
            yields batches (x, y) or (x, y, sample_weight), which are taken as they come: an iterable, or
            an object with ``len(x)`` batches ``x[i]``, whose ``on_epoch_end()``, if it has one, is called
            after each epoch, such as a `nncore.utils.PyDataset`.
        y: targets (n, ...): one value for each output, or class numbers for the sparse loss. An axis of
            length 1 at the end may be left out or added. Of several outputs a list, tuple or dict.
        batch_size: samples in a step; default 32.
        epochs: number of the last epoch; default 1.
        verbose: 0 for silence, 1 for a progress bar, 2 for one line an epoch. "auto" (default) and 1 are
            a bar in a terminal or notebook, and lines elsewhere.
        callbacks: `nncore.callbacks.Callback` instances.
        validation_split: share of the samples, the last ones of x and y, that validate instead of train.
        validation_data: (x, y) or (x, y, sample_weight) to evaluate after each epoch, or something that
            yields batches of them.
        shuffle: a new order in each epoch (default), or always the given one. Batches of an iterator
            come as they are.
        class_weight: class number -> weight of its samples in the loss; classes left out weigh 1.
        sample_weight: (n,) or (n, 1) weights of the samples in the loss. Of several outputs one for all,
            or a list, tuple or dict.
        initial_epoch: the epoch to start from, counted from 0; default 0.
        steps_per_epoch: steps of an epoch, if not all data; the next epoch continues after them.
        validation_steps: steps of a validation, if not all data.
        validation_batch_size: default batch_size.
        validation_freq: validates after every n-th epoch (default 1), or after the listed epochs, counted
            from 1.

    Returns:
        The `History` with loss, metrics and both for validation ("val_...") after each epoch: means over
        the samples as they were trained, the loss first.

    Raises:
        ValueError: not compiled, or wrong shapes, labels, numbers. The model is as it was.
        TypeError: wrong types. The model is as it was.
    """
    trainer.require_loss("fit")
    net, owner = trainer.net, trainer.net.name
    last = integer(owner, "epochs", epochs, low=0)
    first = integer(owner, "initial_epoch", initial_epoch, low=0)
    look, shuffle = style(owner, verbose), boolean(owner, "shuffle", shuffle)
    due = _validation_due(owner, validation_freq)
    called = CallbackList(checked(owner, callbacks), add_history=True)
    given = x, y, sample_weight
    if validation_data is None and validation_split:
        given, validation_data = split(owner, given, trainer.data, validation_split)
    adapt = partial(trainer.data, class_weight=class_weight)
    feed, data = trainer.feed(given, batch_size, steps_per_epoch, adapt, shuffle, resume=True)
    validation, seen = None, [data]
    if validation_data is not None:
        held = validation_of(owner, validation_data, validation_steps)
        size = None if arrays.is_batches(held[0]) else validation_batch_size or batch_size
        validation, other = trainer.feed(held, size, validation_steps, trainer.data)
        seen.append(other)
    network = trainer.ready(*seen)
    _warn_of_changes(trainer)
    trainer.stops["train"] = False
    trainer.history = history = cast(History, called.history)
    assert trainer.settings is not None
    sums = trainer.sums = trainer.new_sums()
    course = Course(net, trainer.settings, network, feed, sums, first)
    _begin(trainer, called, look, feed, last, course)
    logs: Logs = {}
    called.on_train_begin({})
    work = Steps(trainer, network, sums, bool(course.watchers))
    so_far = partial(trainer.logs, network, sums)
    with Progress(look) as progress:
        for epoch in range(course.epoch, last):
            trainer.restart(network, sums)
            called.on_epoch_begin(epoch, {})
            course.begin(epoch)
            if look:
                progress.start(f"Epoch {epoch + 1}/{last}", feed.steps)
            if not _steps(trainer, "train", feed, work, so_far, called, progress, course):
                warn(f"the data ended before epoch {epoch + 1}, and so does the training")
                break
            logs = so_far()
            if validation is not None and due(epoch + 1):
                scores = _test(trainer, network, validation, called, Progress())
                logs.update({f"val_{name}": value for name, value in scores.items()})
            if look:
                progress.finish(logs)
            called.on_epoch_end(epoch, logs)
            if trainer.stops["train"]:
                break
    if trainer.settings is not None:
        trainer.settings.optimizer.finalize_variable_values()
    called.on_train_end(logs)
    return history


def evaluate(
    trainer: Trainer,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: int | str = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Callbacks = None,
    return_dict: bool = False,
) -> Any:
    """Loss and metrics on data, without training.

    Args:
        x, y, batch_size, verbose, sample_weight, callbacks: as `fit`.
        steps: number of batches, if not all data.
        return_dict: default False.

    Returns:
        The loss; with metrics a list of the loss and them (`metrics_names`); with return_dict a dict.

    Raises:
        ValueError, TypeError: as `fit`.
    """
    trainer.require_loss("evaluate")
    owner = trainer.net.name
    look, as_dict = style(owner, verbose), boolean(owner, "return_dict", return_dict)
    called = CallbackList(checked(owner, callbacks))
    feed, data = trainer.feed((x, y, sample_weight), batch_size, steps, trainer.data)
    network = trainer.ready(data)
    _begin(trainer, called, look, feed)
    with Progress(look).start("Evaluation", feed.steps) as progress:
        logs = _test(trainer, network, feed, called, progress)
        progress.finish(logs)
    return trainer.returned(logs, as_dict)


def predict(
    trainer: Trainer,
    x: Any,
    batch_size: int | None,
    verbose: int | str,
    steps: int | None,
    callbacks: Callbacks,
) -> Any:
    """See `Model.predict`."""
    owner, look = trainer.net.name, style(trainer.net.name, verbose)
    size = None if batch_size is None else integer(owner, "batch_size", batch_size)
    limit = None if steps is None else integer(owner, "steps", steps)
    if not arrays.is_batches(x):
        data = trainer.inputs(x)
        x = Taken(data.x)
        if limit is not None:
            size = size or max(1, -(-data.rows // limit))
            x, limit = Taken(data.cut(slice(limit * size))[0]), None
        if callbacks is None and not look:
            return trainer.outputs(x, False)
    called = CallbackList(checked(owner, callbacks))
    return _predicted(trainer, *trainer.feed((x, None, None), size, limit, trainer.inputs), called, look)


def _predicted(trainer: Trainer, feed: Feed, first: Data, called: CallbackList, look: int) -> Any:
    """The outputs for all data of a feed. The first data build the model."""
    net, network = trainer.net, trainer.ready(first, compiled=False)
    xs = first.x if isinstance(first.x, tuple) else (first.x,)
    shapes = [tuple(one) for one in network.output_shapes([array.shape[1:] for array in xs])]
    outs = tuple(np.empty((first.rows, *sizes), np.float32) for sizes in shapes)
    parts: list[tuple[Floats, ...]] = []

    def work(data: Data, order: Any, start: int, stop: int, size: int, seconds: float) -> int:
        if isinstance(feed, Rows):
            stop = network.predict(data.x, outs if len(outs) > 1 else outs[0], start, stop, seconds)
            parts.append(tuple(out[start:stop] for out in outs))
        else:
            made = network.forward(data.x, False)
            parts.append(made if isinstance(made, tuple) else (made,))
            if (other := [array.shape[1:] for array in parts[-1]]) != shapes:
                raise ValueError(
                    f"[{net.name}] batches have outputs of shapes {shapes} and {other}, which cannot "
                    "be one array: use predict_on_batch for each"
                )
        return stop

    def logs() -> Logs:
        return {"outputs": net.packed(parts[-1] if len(outs) > 1 else parts[-1][0])}

    _begin(trainer, called, look, feed)
    with Progress(look).start("Prediction", feed.steps) as progress:
        progress.finish(_pass(trainer, "predict", feed, work, logs, called, progress))
    if isinstance(feed, Rows):
        rows = sum(len(part[0]) for part in parts)
        found = tuple(out[:rows] for out in outs)
    else:
        found = tuple(np.concatenate(each) for each in zip(*parts))
    return net.packed(found if len(found) > 1 else found[0])
