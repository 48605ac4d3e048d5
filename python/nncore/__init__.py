"""nncore: Keras' API over small, fast C++ kernels for CPUs.

>>> import nncore
>>> model = nncore.Sequential([nncore.Input((4,)), nncore.layers.Dense(3, activation="softmax")])
>>> model.predict([[0.1, 0.2, 0.3, 0.4]]).shape
(1, 3)

Modules: layers, models, activations, initializers, regularizers, constraints, losses, metrics, optimizers,
callbacks, utils; ops and reference (the kernels as functions, and their specification in NumPy); datasets;
plot.

Environment: NNCORE_ISA, NNCORE_NUM_THREADS (else OMP_NUM_THREADS), NNCORE_DATA_DIR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from . import _core
except ImportError as error:
    from importlib.util import find_spec
    from zipimport import zipimporter

    if isinstance(__spec__.loader, zipimporter):
        raise ImportError(
            f"nncore cannot be imported from a zip file ({__spec__.loader.archive}), as its compiled module "
            "must be a file of its own: install it with pip, or unpack the zip file"
        ) from error
    if find_spec(f"{__name__}._core") is not None:
        raise
    raise ImportError(
        "nncore's compiled module is missing. In a clone of the project, build and install it with "
        "`pip install .`, and start Python in another folder than the sources."
    ) from error

from . import activations, callbacks, initializers, layers, losses, metrics, models, optimizers
from ._core import available_isas, get_num_threads, isa, set_num_threads
from .common.absent import answer
from .layers import Input
from .models import Model, Sequential

if TYPE_CHECKING:
    import nncore as keras

    from . import (
        backend,
        constraints,
        datasets,
        ops,
        plot,
        preprocessing,
        reference,
        regularizers,
        utils,
    )

__version__ = _core.__version__

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "__version__",
    "activations",
    "available_isas",
    "backend",
    "callbacks",
    "constraints",
    "datasets",
    "get_num_threads",
    "initializers",
    "isa",
    "keras",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plot",
    "preprocessing",
    "reference",
    "regularizers",
    "set_num_threads",
    "show_config",
    "utils",
]

_ON_DEMAND = (
    "backend",
    "constraints",
    "datasets",
    "ops",
    "plot",
    "preprocessing",
    "reference",
    "regularizers",
    "utils",
)
answer(__name__, "keras", "nn", "saving", *_ON_DEMAND)
for _module in (activations, initializers, losses, metrics):
    answer(_module.__name__)


def show_config() -> None:
    """Prints what is installed and how it runs: versions, instruction set, threads, compiler."""
    import platform

    import numpy

    from .common.messages import say

    info = _core.build_info()
    rows = {
        "nncore": __version__,
        "Python": platform.python_version(),
        "NumPy": numpy.__version__,
        "instruction set": f"{isa()} (available: {', '.join(available_isas())})",
        "threads": f"{get_num_threads()} ({info.pop('threads', 'unknown')})",
        **info,
    }
    width = max(map(len, rows))
    say("\n".join(f"{name:<{width}}  {value}" for name, value in rows.items()))
