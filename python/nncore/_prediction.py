"""Prediction: outputs of a model for inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from . import _core, _data
from ._arguments import integer
from ._arguments import training as in_training
from ._feeds import SLICE, Batches, Data
from ._inputs import BATCH
from ._progress import Progress, style
from ._stack import Floats
from ._training import Callbacks, Trainable
from .callbacks import CallbackList

if TYPE_CHECKING:
    from .models import Sequential


def _inputs(x: _data.Array) -> Data:
    return Data(x, None, None)


class Predictive(Trainable):
    """Layers that can be trained and asked. See `nncore.Sequential`."""

    def __call__(self, x: ArrayLike, training: bool | None = False) -> Floats:
        """Outputs (n, ...) of inputs (n, ...). With `training`, dropout is at work; weights stay."""
        return self._outputs(x, training is not False and in_training(self.name, training))

    def _outputs(self, x: object, training: bool) -> Floats:
        if type(x) is np.ndarray and self._network is not None:
            try:
                return self._network.forward(x, training)
            except _core.RefusedArray:
                pass  # x may become an array that the core takes; if not, the reason is found below
        array = self._x(x)
        network = self._ready(_inputs(array), compiled=False)
        try:
            return network.forward(array, training)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None

    def predict_on_batch(self, x: Any) -> Floats:
        """Outputs of one batch, as `predict`."""
        return self(x)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Callbacks = None,
    ) -> Floats:
        """Outputs for inputs.

        Silent by default, unlike Keras, so that a prediction in a loop does not fill the screen.

        Args:
            x: as `fit`; of an iterator's batches only x is used.
            batch_size: samples between two calls of callbacks for batches, and in one of `steps`; default
                32. It has no influence on the result.
            verbose: default 0; else as `fit`.
            steps: number of batches, if not all data.
            callbacks: as `fit`.

        Returns:
            Array (n, ...) of float32; of no samples for an empty x.

        Raises:
            ValueError, TypeError: as `fit`, but the model need not be compiled.
        """
        plain = batch_size is None and steps is None and callbacks is None
        if plain and type(x) is np.ndarray and type(verbose) is int and verbose == 0:
            return self._outputs(x, False)
        owner = self.name
        look = style(owner, verbose)
        size = None if batch_size is None else integer(owner, "batch_size", batch_size)
        limit = None if steps is None else integer(owner, "steps", steps)
        if _data.is_batches(x):
            if size is not None:
                raise ValueError(f"[{owner}] batch_size must not be given when x yields batches")
            called = CallbackList(owner, callbacks, cast("Sequential", self))
            return self._predict_batches(x, limit, called, look)
        array = self._x(x)
        size = size or (max(1, -(-len(array) // limit)) if limit else BATCH)
        if limit is not None:
            array = array[: limit * size]
        if callbacks is None and not look:
            return self._outputs(array, False)
        called = CallbackList(owner, callbacks, cast("Sequential", self))
        network = self._ready(_inputs(array), compiled=False)
        rows, at = len(array), 0
        out = np.empty((rows, *network.output_shape), np.float32)
        with self._announced(called, look, -(-rows // size)) as progress:
            each = called.watches_batches("predict")
            while at < rows:
                start = at
                if each:
                    called.call("on_predict_batch_begin", at // size, {})
                at = network.predict(array, out, at, min(rows, at + size) if each else rows, SLICE)
                if each:
                    called.call("on_predict_batch_end", start // size, {"outputs": out[start:at]})
                progress.update(-(-at // size) - -(-start // size), {})
                if self.stop_predicting:
                    break
        return out[:at]

    @contextlib.contextmanager
    def _announced(self, called: CallbackList, look: int, steps: int | None) -> Iterator[Progress]:
        """Around all steps of a prediction: callbacks hear of its begin and, unless it fails, of its end."""
        called.start({"verbose": look, "epochs": 1, "steps": steps})
        with Progress(look).start("Prediction", steps) as progress:
            self.stop_predicting = False
            called.call("on_predict_begin", {})
            yield progress
            progress.finish({})
        called.call("on_predict_end", {})

    def _predict_batches(self, x: Any, limit: int | None, called: CallbackList, look: int) -> Floats:
        def adapt(item: object) -> Any:
            array = self._x(_data.unpacked(self.name, item)[0])
            if self._network is not None:
                self._checked(self._network, _inputs(array))
            return _inputs(array)

        feed, outputs = Batches(x, limit, adapt), []
        network = self._ready(feed.first(), compiled=False)

        def work(data: Any, order: Any, start: int, stop: int, size: int, seconds: float) -> int:
            outputs.append(network.forward(data.x, False))
            return stop

        with self._announced(called, look, feed.steps) as progress:
            feed.start(0)
            while not feed.done():
                called.call("on_predict_batch_begin", len(outputs), {})
                feed.advance(work, True)
                called.call("on_predict_batch_end", len(outputs) - 1, {"outputs": outputs[-1]})
                progress.update(1, {})
                if self.stop_predicting:
                    break
        return np.concatenate(outputs)
