"""Writes docs/coming-from-keras.md: public names of Keras 3 and of earlier versions, and what nncore has.

    python tools/coming_from_keras.py

It asks the package itself, the names in ``common/keras_names.txt`` and the texts of errors. Only deliberate
differences are listed here.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nncore
from nncore import callbacks, layers, losses, metrics, optimizers
from nncore.common.absent import ALIASES, real
from nncore.common.described import Compiled
from nncore.common.keras_names import ARGUMENTS, EARLIER, explained, public

FILE = Path(__file__).parents[1] / "docs/coming-from-keras.md"
COLUMNS = 5
IN_KERAS = "Keras has it, nncore not yet: "
RUNS, DIFFERS, MISSING = "✓", "≠", "–"

_HINGE = "a target of 0 always stands for -1; in Keras only if all targets of the batch are 0 or 1"
_LOSS = "has the values and arguments of the function in `losses`"
_LOOKUP = "`get_config` has the vocabulary that `adapt` made; a model prepares arrays as a whole"
_OVERLAP = "weights count as they are; in Keras their whole part"
_ITERATOR = "is made by `flow` or `flow_from_directory`, and has arguments of its own"
# Deliberate differences of what is there, by Keras' name. `tests/test_keras_signatures.py` accepts a default
# that the text has as ``name=value``, and any signature where it speaks of the "arguments of" something.
DIFFERENT = {
    "Model.compile": "`run_eagerly`, `steps_per_execution` and `jit_compile` have no effect",
    "Model.predict": "`verbose=0`, so that predictions in a loop do not fill the screen",
    "Model.save": "names with other ends than `.keras` and `.h5` give a safetensors file of nncore",
    "callbacks.BackupAndRestore": "training goes on at the batch it had reached, to the same bits",
    "callbacks.TensorBoard": "writes scalars and histograms; `write_graph` has no effect",
    "callbacks.TerminateOnNaN": "also names the first layer whose values are not finite",
    "datasets.mnist.load_data": "`path=None`; it may also name a folder with the four files of MNIST",
    "layers.IntegerLookup": _LOOKUP,
    "layers.MultiHeadAttention": "its inputs keep their masks for other layers, also on PyTorch",
    "layers.StringLookup": _LOOKUP,
    "layers.TextVectorization": _LOOKUP,
    "losses.Hinge": _HINGE,
    "losses.SquaredHinge": _HINGE,
    "losses.hinge": _HINGE,
    "losses.squared_hinge": _HINGE,
    "metrics.BinaryIoU": _OVERLAP,
    "metrics.Hinge": _HINGE,
    "metrics.IoU": _OVERLAP,
    "metrics.MeanIoU": _OVERLAP,
    "metrics.OneHotIoU": _OVERLAP,
    "metrics.OneHotMeanIoU": _OVERLAP,
    "metrics.SquaredHinge": _HINGE,
    "ops.binary_crossentropy": _LOSS,
    "ops.categorical_crossentropy": _LOSS,
    "ops.gelu": "`approximate=False`, as in `activations`",
    "ops.sparse_categorical_crossentropy": _LOSS,
    "preprocessing.image.DirectoryIterator": _ITERATOR,
    "preprocessing.image.Iterator": _ITERATOR,
    "preprocessing.image.NumpyArrayIterator": _ITERATOR,
    "models.load_model": "runs no code from files; seeds of dropout are left out",
    "preprocessing.text.one_hot": "numbers are made of the words' MD5, the same in each run",
    "regularizers.OrthogonalRegularizer": "the gradient of a vector of norm 0 is 0, not NaN",
    "utils.PyDataset": "`workers`, `use_multiprocessing` and `max_queue_size` have no effect",
    "utils.normalize": "right for axis 0, too",
    "utils.plot_model": 'drawn by Matplotlib, not Graphviz; `splines` is "ortho" only',
    "utils.set_random_seed": "the numbers that follow from a seed are others than Keras'",
}

HEAD = f"""# Coming from Keras

`tools/coming_from_keras.py` writes this page.

Programs keep their code and change their import lines: `import keras` becomes `from nncore import keras`, and
`from tensorflow.keras.layers import Dense` becomes `from nncore.keras.layers import Dense`. Names, arguments,
defaults and results are those of Keras 3. What is not there raises an error that says what to do instead.

These differences are everywhere:

- All values are float32, and images have their channels last. Other types and orders are errors.
- Layers, losses and optimizers are compiled code: classes of your own cannot derive from them, but metrics,
  callbacks and data sets can be written in Python.
- A cross-entropy behind a matching softmax or sigmoid is computed from logits, so 1e-7 does not clip it.
- A seed gives the same bits for every number of threads, and other random numbers than in Keras.
- `nncore.ops` and `nncore.activations` compute arrays; symbolic values are for layers.

The tables have Keras' public names. A name that Keras has in several modules is listed in one of them.
{RUNS} runs, {DIFFERS} differs in what is said below the table, {MISSING} is not there.
"""


def objects() -> dict[str, Any]:
    """An object of each class whose attributes are among Keras' names."""
    normalization = layers.BatchNormalization()
    normalization.build((None, 2))
    model = nncore.Sequential()
    return {
        "Layer": layers.Dense(1),
        "Model": model,
        "Sequential": model,
        "Optimizer": optimizers.SGD(),
        "Metric": metrics.BinaryAccuracy(),
        "Loss": losses.MeanSquaredError(),
        "callbacks.Callback": callbacks.Callback(),
        "Variable": normalization.weights[0],
    }


OBJECTS = objects()


def said(call: Callable[[], Any]) -> str:
    """The text of the error of a call; nothing if there is none."""
    try:
        call()
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        return str(error)
    return ""


def own(path: str) -> Any:
    """What nncore has under a name of Keras: a property of a class as such. None if it has nothing."""
    room, _, name = path.rpartition(".")
    if room in OBJECTS:
        of_class = getattr(type(OBJECTS[room]), name, None)
        return of_class if isinstance(of_class, property) else getattr(OBJECTS[room], name, None)
    try:
        return getattr(importlib.import_module(f"nncore.{room}".rstrip(".")), name)
    except (AttributeError, ImportError):
        return None


@functools.cache
def owned() -> dict[str, Any]:
    """Each name of Keras that nncore has, with what it has there."""
    return {path: thing for path in public() if (thing := own(path)) is not None}


def refused(path: str) -> list[str]:
    """The arguments in Keras of what nncore has that it does not take, or only with their default."""
    known = inspect.signature(owned()[path]).parameters
    needed = [7 for p in known.values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    found = []
    for name in public()[path][1].keys() - known:
        text = said(functools.partial(owned()[path], *needed, **{name: "x"}))
        if "Keras has it" in text or "is not available" in text:
            found.append(name)
    return sorted(found)


# ---- the page


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names, key=str.lower))


def table(head: list[str], cells: Iterable[str]) -> list[str]:
    """Cells row by row below the cells of the head."""
    cells, width = [*cells], len(head)
    cells += [""] * (-len(cells) % width)
    lines = [head, ["---"] * width, *(cells[at : at + width] for at in range(0, len(cells), width))]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def difference(path: str) -> str:
    """How a name that nncore has differs from Keras, or ""."""
    thing = owned()[path]
    if isinstance(thing, type) and issubclass(thing, Compiled) and vars(thing).get("_abstract"):
        return "classes of your own cannot derive from it"
    return DIFFERENT.get(path, "")


def instead(path: str) -> str:
    """What to do where nncore does not have a name of Keras."""
    room, _, name = path.rpartition(".")
    advice = explained(f"nncore.{room}".rstrip("."), name).removeprefix(": ").removeprefix(IN_KERAS)
    return advice.replace(f"numpy.{name} computes", "NumPy's function of this name computes")


def home(path: str) -> tuple[str, str]:
    """The section of a name, and the name in it. The attributes of a class are a section."""
    room = path.rpartition(".")[0]
    section = room if room in OBJECTS else path.partition(".")[0] if room else "keras"
    return section, path.removeprefix(f"{section}.")


def sections() -> dict[str, dict[str, list[str]]]:
    """For each section one path of each object, and its names there; of those with one end, the first."""
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    rooms = {path.rpartition(".")[0] for path in public()}
    for path, (paths, _) in public().items():
        first = min(paths, key=lambda other: other.count(".") or 9)
        if path != first or path in rooms - OBJECTS.keys() or path.rpartition(".")[0] in ALIASES:
            continue
        section, _ = home(path)
        ends = {
            other.rpartition(".")[2]: home(other)[1] for other in reversed(paths) if home(other)[0] == section
        }
        found[section][path] = [*ends.values()]
    return dict(sorted(found.items(), key=lambda item: (item[0] in OBJECTS, item[0])))


def by_text(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Names with the same text together, the most of them last."""
    found: dict[str, list[str]] = defaultdict(list)
    for text, name in pairs:
        found[text].append(name)
    return sorted(found.items(), key=lambda item: len(item[1]))


def section_lines(section: str, names: dict[str, list[str]]) -> list[str]:
    """The table of a section, then differences, what to do instead, and arguments that are missing."""
    there = {path: difference(path) for path in names if path in owned()}
    marks = {path: MISSING if path not in there else DIFFERS if there[path] else RUNS for path in names}
    head = f"## {'Attributes of ' * (section in OBJECTS)}{section}: {len(there)} of {len(names)}\n"
    cells = sorted((f"{quoted(names[path])} {marks[path]}" for path in names), key=str.lower)
    notes = []
    for text, those in by_text((text, home(path)[1]) for path, text in there.items() if text):
        notes.append(f"- {DIFFERS} {quoted(those)}: {text}.")
    missing = by_text((instead(path), home(path)[1]) for path in names if path not in there)
    for text, those in missing:
        rest = text == missing[-1][0] and len(those) > COLUMNS
        notes.append(f"- {MISSING} {'the others' if rest else quoted(those)}: {text}.")
    arguments = by_text((quoted(refused(path)), home(path)[1]) for path in there if callable(owned()[path]))
    for text, those in arguments:
        if text:
            notes.append(f"- Without the arguments {text}, or with their defaults: {quoted(those)}.")
    return [head, *table([""] * COLUMNS, cells), *notes, *([""] if notes else [])]


def earlier(head: str, texts: dict[str, str]) -> list[str]:
    """The table of earlier names or arguments, and what to do now."""
    rows = sorted(
        (quoted(names), text) for text, names in by_text((text, name) for name, text in texts.items())
    )
    return table([head, "now"], itertools.chain.from_iterable(rows))


def page() -> str:
    """The text of the file."""
    lines, absent = [HEAD], []
    for section, names in sections().items():
        if owned().keys() & names:
            lines += section_lines(section, names)
        else:
            advice = " and ".join(dict.fromkeys(map(instead, names)))
            absent += [f"`{section}`", advice, quoted(home(path)[1] for path in names)]
    lines += ["## Modules that are not there\n", *table(["module", "what instead", "names"], absent)]
    lines += ["## Earlier spellings\n", "Names of Keras 1 and 2, and of `tf.keras`:\n"]
    modules = {name: f"it is {real(f'nncore.{name}')} now" for name in ALIASES}
    arguments = {name: text if " " in text else f"It is {text} now" for name, text in ARGUMENTS.items()}
    lines += [*earlier("name", {**modules, **EARLIER}), *earlier("argument", arguments)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
