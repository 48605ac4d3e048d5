"""Cases for keras_cases.py: steps of each optimizer with each loss, and values at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras_graph_cases import Case, X, set_weights
from metric_cases import complete, copied
from op_cases import PLAIN, over_rows, row_targets

from nncore import losses, metrics
from nncore.common.operations import ACTIVATIONS
from nncore.common.rows import LOSSES
from nncore.optimizers import CLASSES as OPTIMIZERS

EDGES = np.array([0.0, -0.0, 1.0, 0.5, np.inf, -np.inf, np.nan, -1.0, 30.0], np.float32)


def steps(name: str) -> Case:
    """Weights after one and after ten steps of each optimizer, from the same initial weights.

    Of an odd number of samples: gradients of equal size that cancel would leave only rounding to divide by.
    """
    inputs = LOSSES[losses.CLASSES[name]._function.__name__].inputs
    x, y = X[:11], row_targets(np.random.default_rng(6), inputs, (12, 4))[:11]
    last = None if inputs in PLAIN else "sigmoid" if inputs == "bits" else "softmax"

    def case(k: Any) -> Any:
        found = {}
        for optimizer in OPTIMIZERS:
            model = set_weights(k.Sequential([k.Input((3,)), k.layers.Dense(4, last)]))
            model.compile(getattr(k.optimizers, optimizer)(), getattr(k.losses, name)())
            found[optimizer] = []
            for step in range(10):
                model.train_on_batch(x, y)
                if step in (0, 9):
                    found[optimizer].append(model.get_weights())
        return found

    return case


def reductions(k: Any) -> Any:
    """Values of losses with each reduction, and trainings with sample weights."""
    y, weight, found = X[:, :2], np.linspace(0, 2, 12, dtype=np.float32), {}
    for reduction in ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None):
        alone = k.losses.MeanAbsoluteError(reduction)
        found[str(reduction)] = [alone(y, 1 - y), alone(y, 1 - y, weight)]
        if reduction in ("none", None):
            continue
        for weights in (None, weight):
            model = set_weights(k.Sequential([k.Input((3,)), k.layers.Dense(2)]))
            model.compile("sgd", alone, metrics=["mae"], weighted_metrics=["mse"])
            history = model.fit(X, y, 5, 2, 0, sample_weight=weights, shuffle=False).history
            found[str(reduction)] += [history, model.get_weights()]
    return found


def sparse(cls: Any) -> bool:
    """Whether its targets are class numbers: a loss that clips before it divides by the sum."""
    return LOSSES[cls._function.__name__].inputs == "classes"


def edges_for(activation: str) -> Any:
    """The edges; of a row only numbers, as one that is none makes all NaN, or worse."""
    return EDGES[np.isfinite(EDGES)] if over_rows(activation) else EDGES


def edges(name: str) -> Case:
    """Values of a loss for targets and outputs at the edges."""
    operation = LOSSES[losses.CLASSES[name]._function.__name__]
    each = EDGES if operation.inputs in PLAIN else EDGES[:4]  # PyTorch refuses what is no probability
    outputs = np.stack(np.meshgrid(each, each), -1).reshape(-1, 2)
    targets = [[1.0, 0.0]] * len(outputs)

    def case(k: Any) -> Any:
        function = getattr(k.losses, operation.public.__name__)
        return function(np.array(targets, np.float32), outputs)

    return case


def metric_edges(name: str) -> Case:
    """Results without positive targets, without negative ones, with equal scores, and without samples."""
    ours = complete(metrics.CLASSES[name])

    def case(k: Any) -> Any:
        cls = getattr(k.metrics, name)
        found = []
        for y, p in ((0, 0.3), (1, 0.3), (0, 0.7), (1, 0.7), (1, 1.0), (0, 0.0)):
            metric = cls(**getattr(ours, "keywords", {}), name="m")
            found.append(copied(metric(np.full((6, 1), y, np.float32), np.full((6, 1), p, np.float32))))
            found.append(copied(metric(np.array([[1.0], [0.0]]), np.array([[p], [p]]), np.array([0.5, 2.0]))))
            metric.reset_state()
            found.append(copied(metric.result()))
        return found

    return case


CASES: dict[str, Case] = {
    **{f"steps: {name}": steps(name) for name in losses.CLASSES},
    "reductions": reductions,
    **{f"edges: {name}": edges(name) for name, cls in losses.CLASSES.items() if not sparse(cls)},
    **{
        f"edges: metric {name}": metric_edges(name)
        for name, cls in metrics.CLASSES.items()
        if cls._function is None and not cls.in_python
    },
    **{
        f"edges: {name}": lambda k, name=name: getattr(k.activations, name)(
            edges_for(name)[None].repeat(2, 0)
        )
        for name in ACTIVATIONS
    },
}
