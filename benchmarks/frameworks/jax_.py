"""JAX: a step of Adam written by hand and compiled, pooling by lax.reduce_window as in its neural-network
libraries.

Two forms that are faster on a CPU are timed beside it: pooling as a maximum over reshaped axes, and for the
smallest network a whole epoch as one scan.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.frameworks.run import Array
from benchmarks.workloads import Training

WINDOWS = ("NHWC", "HWIO", "NHWC")


def pool_by_windows(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def pool_by_reshaping(x: Any) -> Any:
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


class Model:
    def __init__(self, of: Training) -> None:
        self.of = of
        self.binary = of.loss == "binary_crossentropy"
        key, self.parameters = jax.random.key(1), []
        shape: tuple[int, ...] = of.shape
        draw = jax.nn.initializers.glorot_uniform()
        for kind, *settings in of.layers:
            key, own = jax.random.split(key)
            if kind == "conv":
                kernel: tuple[int, ...] = (3, 3, shape[2], settings[0])
                shape = (shape[0] - 2, shape[1] - 2, settings[0])
            elif kind == "dense":
                kernel = (int(np.prod(shape)), settings[0])
                shape = (settings[0],)
            else:
                shape = (shape[0] // 2, shape[1] // 2, shape[2]) if kind == "pool" else shape
                continue
            self.parameters.append((draw(own, kernel), jnp.zeros(settings[0])))
        first, second = (jax.tree.map(jnp.zeros_like, self.parameters) for _ in range(2))
        self.state = (self.parameters, first, second, jnp.float32(0), key)
        self.pool = pool_by_windows
        self.step = jax.jit(self._step, donate_argnums=0)
        self.epoch = jax.jit(self._epoch, donate_argnums=0)
        self.probabilities = jax.jit(self._probabilities)

    def _logits(self, parameters: Any, x: Any, key: Any = None) -> Any:
        weights = iter(parameters)
        for kind, *settings in self.of.layers:
            if kind == "conv":
                w, b = next(weights)
                x = jax.nn.relu(
                    lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=WINDOWS) + b
                )
            elif kind == "pool":
                x = self.pool(x)
            elif kind == "dropout" and key is not None:
                kept = jax.random.bernoulli(key, 1 - settings[0], x.shape)
                x = jnp.where(kept, x / (1 - settings[0]), 0)
            elif kind == "dense":
                w, b = next(weights)
                x = x.reshape(len(x), -1) @ w + b
                x = jax.nn.relu(x) if settings[1] == "relu" else x
        return x

    def _loss(self, parameters: Any, x: Any, y: Any, key: Any) -> Any:
        z = self._logits(parameters, x, key)
        if self.binary:
            return jnp.mean(jax.nn.softplus(z[:, 0]) - y * z[:, 0])
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1))

    def _step(self, state: Any, x: Any, y: Any) -> Any:
        parameters, m, v, t, key = state
        key, own = jax.random.split(key)
        g = jax.grad(self._loss)(parameters, x, y, own)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        new = jax.tree.map(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + 1e-7), parameters, m, v)
        return new, m, v, t, key

    def _epoch(self, state: Any, x: Any, y: Any) -> Any:
        """x (batches, batch, ...)"""
        return lax.scan(lambda s, xy: (self._step(s, *xy), None), state, (x, y))[0]

    def _probabilities(self, parameters: Any, x: Any) -> Any:
        z = self._logits(parameters, x)
        return jax.nn.sigmoid(z) if self.binary else jax.nn.softmax(z)

    def arrays(self, x: Array, y: Array) -> tuple[Array, Array]:
        return x, y.astype(np.float32 if self.binary else np.int32)

    def fits(self) -> dict[str, Callable[[Any, Any, int, int], Any]]:
        if self.binary:
            return {"": self.fit, "lax.scan": self.fit_by_scan}
        if ("pool",) in self.of.layers:
            return {"": self.fit, "reshaped pooling": self.fit_by_reshaping}
        return {"": self.fit}

    def fit(self, x: Any, y: Any, batch: int, epochs: int) -> None:
        for _ in range(epochs):
            for i in range(0, len(x), batch):
                self.state = self.step(self.state, x[i : i + batch], y[i : i + batch])
        jax.block_until_ready(self.state)

    def fit_by_reshaping(self, x: Any, y: Any, batch: int, epochs: int) -> None:
        if self.pool is not pool_by_reshaping:
            self.pool = pool_by_reshaping
            self.step = jax.jit(self._step, donate_argnums=0)
            self.probabilities = jax.jit(self._probabilities)
        self.fit(x, y, batch, epochs)

    def fit_by_scan(self, x: Any, y: Any, batch: int, epochs: int) -> None:
        xs, ys = (jnp.asarray(a).reshape(-1, batch, *a.shape[1:]) for a in (x, y))
        for _ in range(epochs):
            self.state = self.epoch(self.state, xs, ys)
        jax.block_until_ready(self.state)

    def predict(self, x: Any, batch: int) -> Array:
        parameters = self.state[0]
        return np.concatenate(
            [self.probabilities(parameters, x[i : i + batch]) for i in range(0, len(x), batch)]
        )

    def calls(self) -> dict[str, Callable[[Any], Any]]:
        call = partial(self.probabilities, self.state[0])
        return {"": lambda x: np.asarray(call(x))}


make = Model
