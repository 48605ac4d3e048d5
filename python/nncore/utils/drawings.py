"""`plot_model`, and `model_to_dot` for programs that expect drawings of Graphviz."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from ..common.absent import explains
from ..common.arguments import boolean, integer, reject_unsupported, require_default

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Figure:
    """`nncore.plot.model` with Keras' arguments: draws the graph of a model into a file.

    Args:
        model: a `Model` or `Sequential` that is built.
        to_file: the file, in the format of its suffix, .png, .svg, .pdf, ...; default "model.png"; None
            writes none.
        show_shapes: output shapes of the layers, and numbers of parameters; default False.
        show_dtype: False only: all values are float32.
        show_layer_names: names of the layers, besides their classes; default False.
        rankdir: "TB", from top to bottom (default), or "LR", from left to right.
        expand_nested: False only: a model in the model is one box.
        dpi: pixels an inch; default 200.
        show_layer_activations: the layers' activations, other than linear; default False.
        show_trainable: whether layers with weights are trainable; default False.
        splines: "ortho" only, Keras' default; arrows bend in curves beside the boxes.

    Returns:
        The figure, which a notebook shows.

    Raises:
        TypeError, ValueError, ImportError: as `nncore.plot.model`, or an argument is not available.

    Example::

        nncore.utils.plot_model(model, "model.png", show_shapes=True)
    """
    owner = "plot_model"
    reject_unsupported(owner, kwargs, {"layer_range": None}, plot_model.__annotations__)
    if boolean(owner, "show_dtype", show_dtype):
        raise ValueError(f"[{owner}] show_dtype=True is not available: all values are float32")
    if boolean(owner, "expand_nested", expand_nested):
        raise ValueError(
            f"[{owner}] expand_nested=True is not available: plot the model that is in the model by itself"
        )
    require_default(owner, "splines", splines, "ortho")
    from .. import plot

    return plot.model(
        model,
        to_file,
        show_shapes=boolean(owner, "show_shapes", show_shapes),
        show_params=show_shapes,
        show_names=boolean(owner, "show_layer_names", show_layer_names),
        show_activations=boolean(owner, "show_layer_activations", show_layer_activations),
        show_trainable=boolean(owner, "show_trainable", show_trainable),
        rankdir=rankdir,
        dpi=integer(owner, "dpi", dpi),
    )


class Dot:
    """A drawing that `model_to_dot` returns, with the methods of pydot's graphs to write it.

    Attributes:
        figure: the figure of matplotlib.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def create(self, prog: object = None, format: str = "svg") -> bytes:
        """The content of a file. Args as `write`."""
        file = io.BytesIO()
        self.figure.savefig(file, format=format)
        return file.getvalue()

    def write(self, path: str | os.PathLike[str], prog: object = None, format: str | None = None) -> None:
        """Writes a file.

        Args:
            path: its name.
            prog: has no effect, as no program is called.
            format: "svg", "png", "pdf", ...; default the suffix of the name.
        """
        self.figure.savefig(path, format=format)

    def _repr_svg_(self) -> str:
        return self.create().decode()


@explains
def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Dot:
    """The drawing of `plot_model`, without a file.

    Args:
        subgraph: False only.
        others: as `plot_model`.

    Returns:
        A `Dot`, which a notebook shows, with ``create(format="svg")`` and ``write(path)``.

    Raises:
        TypeError, ValueError, ImportError: as `plot_model`.
    """
    if boolean("model_to_dot", "subgraph", subgraph):
        raise ValueError("[model_to_dot] subgraph=True is not available: a drawing is one graph")
    figure = plot_model(
        model,
        None,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        rankdir=rankdir,
        expand_nested=expand_nested,
        dpi=dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
    )
    return Dot(figure)
