"""Texts of errors about names, arguments and attributes that Keras, or an earlier version of it, has.

keras_names.txt, which ``tools/keras_names.py`` writes, lists those of Keras 3. Names that nncore has are
never looked up here. If nncore has one of several names that Keras has for a thing, all of them work.
"""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_ROOT = __name__.partition(".")[0]
_FILE = Path(__file__).with_suffix(".txt")
_IN_KERAS = "Keras has it, nncore not yet"
_LIST = "dir(nncore.{room}) lists what there is"
_KEPT = "model.save and nncore.models.load_model keep models"
_ARRAYS = "prepare arrays by NumPy, Pillow or scikit-learn, or give fit an iterator of batches"
_OUTSIDE = "compute in NumPy before and after the model"
_FLOAT32 = "leave it out, as all values are float32 and the last axis is the channels"

# What to do instead of a name of Keras, by the longest prefix of its path that is listed.
_INSTEAD = {
    "": "leave it out, or run this part in Keras",
    "applications": "build the layers, and give set_weights arrays: there are no pretrained networks",
    "backend": _OUTSIDE,
    "backend.batch_get_value": "x.numpy() has the values of a weight",
    "backend.batch_set_value": "x.assign(value) sets a weight, or the learning rate of an optimizer",
    "backend.get_value": "x.numpy() has the values of a weight, float(x) a learning rate",
    "backend.set_value": "x.assign(value) sets a weight, or the learning rate of an optimizer",
    "callbacks": "derive a class from nncore.callbacks.Callback",
    "callbacks.RemoteMonitor": "send the logs by LambdaCallback(on_epoch_end=...) and a package for HTTP",
    "datasets": "read the arrays by other means, such as numpy.load",
    "distribution": "leave it out, as a model trains on the cores of one machine",
    "initializers": f"give layer.set_weights arrays; {_LIST}",
    "layers": f"build it of other layers, or {_OUTSIDE}; {_LIST}",
    "layers.Lambda": f"{_OUTSIDE}, as what runs in a network is compiled",
    "metrics": f"compute it in NumPy from model.predict(x); {_LIST}",
    "ops": _OUTSIDE,
    "preprocessing": _ARRAYS,
    "random": "numpy.random.default_rng() draws numbers, nncore.utils.set_random_seed sets the seed",
    "utils": f"{_ARRAYS}; {_LIST}",
    "wrappers": "call fit and predict of a model in a class of your own",
    **dict.fromkeys(("activations", "constraints", "losses", "optimizers", "regularizers"), _LIST),
    **dict.fromkeys(("config", "dtype_policies", "mixed_precision", "quantizers"), _FLOAT32),
    **dict.fromkeys(("export", "legacy", "models", "saving", "utils.legacy"), _KEPT),
    "Model.export": _KEPT,
}

# Names of earlier versions and of tf.keras, and what to do instead.
_GONE = "Keras 3 has it no more"
_LEAVE_OUT = f"{_GONE}: leave it out"
_MOMENTS = "model.save keeps the moments"
EARLIER = {
    "backend.function": f"{_GONE}: Model(model.input, layer.output).predict(x) has what layers make",
    "backend.gradients": f"{_GONE}: model.gradients is called with those of each step",
    "backend.image_dim_ordering": "it is image_data_format now",
    "backend.set_image_dim_ordering": f"{_GONE}: {_FLOAT32}",
    "engine": f"{_GONE}: see nncore.layers and nncore.models",
    "estimator": f"{_GONE}: use fit, evaluate and predict of a model",
    "initializations": "it is nncore.initializers now",
    "layers.AtrousConvolution2D": "it is Conv2D with dilation_rate now",
    "layers.CuDNNGRU": "Keras 3 calls it GRU",
    "layers.CuDNNLSTM": "Keras 3 calls it LSTM",
    "layers.Deconvolution2D": "Keras 3 calls it Conv2DTranspose",
    "layers.DenseFeatures": f"{_GONE}: {_ARRAYS}",
    "layers.Highway": f"{_GONE}: build it of Dense, Multiply and Add",
    "layers.MaxoutDense": f"{_GONE}: Maximum takes the values of several Dense",
    "layers.Merge": "use Add, Multiply, Average, Concatenate or Dot on a list of values",
    "layers.TimeDistributedDense": "use Dense, which works on the last axis of any shape",
    "losses.Reduction": 'give reduction="sum_over_batch_size", or leave it out',
    "models.Graph": "use nncore.Model(inputs, outputs)",
    "np_utils": "it is nncore.utils now",
    "regularizers.WeightRegularizer": "it is L1L2 now",
    "regularizers.activity_l1": "give the layer activity_regularizer=L1(...)",
    "regularizers.activity_l2": "give the layer activity_regularizer=L2(...)",
    "regularizers.l1l2": "it is L1L2 now",
    "utils.HDF5Matrix": f"{_GONE}: {_ARRAYS}",
    "utils.categorical_probas_to_classes": "use y.argmax(axis=-1)",
    "Layer.W": "it is kernel now",
    "Layer.b": "it is bias now",
    "Layer.output_dim": "it is units now",
    "Layer.reset_states": "Keras 3 calls it reset_state, and no layer here has a state between batches",
    "Model.predict_classes": "use predict(x).argmax(axis=-1), or predict(x) > 0.5 of one sigmoid",
    "Model.predict_proba": "it is predict now",
    "Model.to_yaml": f"{_GONE}: {_KEPT}",
    "Optimizer.decay": "it is a schedule now: learning_rate=InverseTimeDecay(rate, 1, decay)",
    "Optimizer.get_updates": f"{_GONE}: see nncore.ops",
    "Optimizer.lr": "it is learning_rate now",
    "Optimizer.get_weights": _MOMENTS,
    "Optimizer.set_weights": _MOMENTS,
    **dict.fromkeys(("dtensor", "experimental", "utils.multi_gpu_model"), _LEAVE_OUT),
    **{f"backend.{name}": _LEAVE_OUT for name in ("get_session", "set_session", "tensorflow_backend")},
    **{
        f"backend.{name}": f"{_GONE}: call model(x, training=True)"
        for name in ("learning_phase", "set_learning_phase")
    },
    **dict.fromkeys(("Layer.add_update", "Layer.updates"), _LEAVE_OUT),
    **{f"layers.LocallyConnected{n}D": f"{_GONE}: use other layers" for n in (1, 2)},
    **{f"Model.{name}_generator": f"{name} takes generators" for name in ("evaluate", "fit", "predict")},
    **{
        f"Layer.get_{name}_at": f"layer.{name} is that of the first call"
        for name in ("input", "input_shape", "output", "output_shape")
    },
}

# Arguments of earlier versions: the name of the argument now, or a sentence that says what to do.
ARGUMENTS = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "alpha": "negative_slope",
    "atrous_rate": "dilation_rate",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "bias": "use_bias",
    "border_mode": "padding",
    "class_mode": "Leave it out: the loss says it",
    "concat_axis": "axis",
    "decay": "It is a schedule now: learning_rate=schedules.InverseTimeDecay(rate, 1, decay)",
    "dim_ordering": "data_format",
    "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer",
    "dynamic": "Leave it out: networks are always compiled",
    "epsilon": "min_delta",
    "generator": "x",
    "grayscale": 'Give color_mode="grayscale"',
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "input": "inputs",
    "input_length": "Give input_shape, or put Input before",
    "l": "l2",
    "lr": "learning_rate",
    "metric": "metrics",
    "nb_classes": "num_classes",
    "nb_epoch": "epochs",
    "nb_filter": "filters",
    "nb_val_samples": "validation_steps",
    "output": "outputs",
    "output_dim": "units",
    "p": "rate",
    "period": "save_freq",
    "sample_weight_mode": "Leave it out: sample_weight of fit says it",
    "samples_per_epoch": "steps_per_epoch",
    "save_format": "Leave it out: the end of the name says it, as .keras or .h5",
    "show_accuracy": 'Give compile metrics=["accuracy"]',
    "sigma": "stddev",
    "subsample": "strides",
    "weights": "Call set_weights of the layer once it is built",
    **dict.fromkeys(
        ("batch_input_shape", "batch_shape"),
        "Give input_shape without the batch axis, or put Input(batch_shape=...) first",
    ),
    **dict.fromkeys(("nb_col", "nb_row"), "It is kernel_size=(rows, columns) now"),
    **dict.fromkeys(
        ("max_q_size", "max_queue_size", "nb_worker", "pickle_safe", "use_multiprocessing", "workers"),
        "Leave it out: batches are read as they are needed",
    ),
}

# What to do instead of a value that is not available.
_VALUES = {
    "data_format": "give x.transpose(0, 2, 3, 1), whose last axis is the channels",
    "stateful": "return_state=True gives the state, which initial_state=... of the next call takes",
}


@functools.cache
def public() -> dict[str, tuple[list[str], dict[str, str]]]:
    """For each name of Keras, without "keras.": all names of that object; its arguments, with the Python text
    of their defaults, or "".
    """
    found = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        names, _, rest = line.partition(":")
        arguments = {name: default for name, _, default in (one.partition("=") for one in rest.split())}
        found.update(dict.fromkeys(names.split(), (names.split(), arguments)))
    return found


@functools.cache
def _arguments() -> dict[str, set[str]]:
    """The arguments of Keras' objects, by the last part of the name."""
    found: dict[str, set[str]] = {}
    for name, (_, arguments) in public().items():
        found.setdefault(name.rpartition(".")[2], set()).update(arguments)
    return found


def near(word: str, words: Iterable[str], end: str = "") -> str:
    """The sentence " Did you mean ...?" with the closest of the words; `end` if none is close."""
    by_lower = {known.lower(): known for known in words}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.75)
    return f" Did you mean {by_lower[found[0]]!r}?" if found else end


# ---- modules


def _own(path: str) -> Any:
    """The object of nncore with this name of Keras, or None."""
    parent, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(f"{_ROOT}.{parent}".rstrip("."))
    except ImportError:
        return None
    own = vars(module)
    return getattr(module, name) if name in own.get("__all__", ()) else own.get(name)


def _advice(path: str) -> str | None:
    """The advice for a name of Keras or of an earlier version; None for other names."""
    if path in EARLIER:
        return EARLIER[path]
    if path in public():
        parts = path.split(".")
        begins = [".".join(parts[:count]) for count in range(len(parts), -1, -1)]
        instead = next(_INSTEAD[begin] for begin in begins if begin in _INSTEAD)
        numpy: Any = importlib.import_module("numpy")
        if parts[0] == "ops" and f"ops.numpy.{parts[-1]}" in public() and hasattr(numpy, parts[-1]):
            instead = f"numpy.{parts[-1]} computes it of arrays, before and after the model"
        return f"{_IN_KERAS}: {instead.format(room=parts[0])}"
    return None


def explained(module: str, name: str) -> str:
    """The end of the error for a missing name of a module: advice, or the nearest name, or ""."""
    path = f"{module}.{name}".partition(".")[2]
    if (advice := _advice(path)) is not None:
        return f": {advice}"
    loaded = importlib.import_module(module)
    hint = near(name, (known for known in dir(loaded) if not known.startswith("_")))
    return f".{hint}" if hint else ""


def found(module: str, name: str) -> Any:
    """The object that a module, or the package around it, has under another name of Keras.

    Raises:
        AttributeError: there is no such object.
    """
    room = module.partition(".")[2]
    path = f"{room}.{name}".lstrip(".")
    others = list(public()[path][0]) if path in public() else []
    if room and room not in public():
        others.append(f"{room.rpartition('.')[0]}.{name}")
    for other in others:
        if other != path and (value := _own(other)) is not None:
            return value
    raise AttributeError(f"module {module!r} has no attribute {name!r}{explained(module, name)}")


# ---- arguments, attributes and names in quotes


def about_argument(owner: str, name: str, known: Iterable[str]) -> str:
    """The end of the error for an argument that `owner`, a class or function, does not have."""
    known = [name for name in dict.fromkeys(known) if name not in ("self", "options", "others")]
    now = ARGUMENTS.get(name, "")
    if now in known:
        return f": it is {now!r} now."
    if name in _arguments().get(owner, ()):
        return f": {_IN_KERAS}: leave it out."
    if " " in now:
        return f". {now}."
    return "." + near(name, known, end=f" There are: {', '.join(known)}.")


def about_value(name: str) -> str:
    """What to do if a value of this argument is not available."""
    return _VALUES.get(name, "leave it out")


def about_attribute(thing: Any, name: str) -> str:
    """The error message for a missing attribute of an object of a public class."""
    bases = [cls.__name__ for cls in type(thing).__mro__]
    bases += ["Layer"] * ("Model" in bases)
    advice = (_advice(f"{prefix}{base}.{name}") for base in bases for prefix in ("", "callbacks."))
    said = next((f": {one}" for one in advice if one), None)
    if said is None:
        hint = near(name, (known for known in dir(thing) if not known.startswith("_")))
        said = f".{hint}" if hint else ""
    return f"{type(thing).__name__!r} object has no attribute {name!r}{said}"


def about_name(what: str, name: str) -> str:
    """What an error says about a name of a "loss", "metric", ... that Keras has, in any case; else ""."""
    family = f"{what}es" if what == "loss" else "optimizers.schedules" if what == "schedule" else f"{what}s"
    path = f"{family}.{name}"
    return EARLIER.get(path) or "Keras has it" * (_plain(path) in _plain_names())


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


@functools.cache
def _plain_names() -> set[str]:
    return {_plain(name) for name in public()}
