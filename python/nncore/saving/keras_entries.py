"""Objects that Keras' configs give by class and config: losses, metrics, optimizers and others."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from .. import losses, metrics, optimizers
from ..common import custom
from ..common.arguments import text
from ..common.content import expect
from ..training.trainer import Trainer

# Settings in Keras' configs that nncore's classes lack, with the values that have no effect.
_SILENT: dict[str, tuple[Any, ...]] = {
    "axis": (-1,), "reduction": ("auto", "sum_over_batch_size"), "decay": (0.0,), "dtype": ("float32",),
    "is_legacy_optimizer": (True, False), "jit_compile": (True, False),
}  # fmt: skip
_CODE = ("Lambda", "__lambda__", "function", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def class_of(entry: object, what: str) -> tuple[str, dict[str, Any]]:
    """Class name and config of an entry for a class of Keras itself."""
    entry = expect(dict, entry, what)
    name, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    config = entry.get("config")
    if isinstance(config, list) and name == "Sequential":
        config = {"layers": config}  # before Keras 2.2.3
    label = config.get("name") if isinstance(config, Mapping) else None
    whose = f"the {what} {label!r:.80}" if label else f"a {what}"
    if name in _CODE:
        raise ValueError(
            f"{whose} is a {name}: code in files is never run. Make the model anew with layers of nncore, "
            "and load its weights with load_weights"
        )
    if not isinstance(name, str):
        raise ValueError(f"{whose} has the class {name!r:.80}")
    if what == "optimizer":
        name = name.removeprefix("Custom>")
    root = "keras" if module is None else str(module).partition(".")[0]
    others = (None, name, f"Custom>{name}") if what == "optimizer" else (None, name)
    if root not in ("keras", "tf_keras", "tensorflow") or registered not in others:
        raise ValueError(
            f"{whose} is of a class of your own, {registered or name!r:.80}: make the model anew with layers "
            "of nncore, and load its weights with load_weights"
        )
    if ".ops" in str(module):
        raise ValueError(f"{whose} is the operation {name} of keras.ops: models are of layers alone here")
    return name, expect(dict, config, f"config of {whose}")


def plain(value: Any) -> Any:
    """A value of a config, with Keras' entries for tuples replaced by their items."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        return [plain(each) for each in expect(list, value["items"], "tuple")]
    return value


def given_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not None. None is the default wherever it is accepted."""
    return {name: plain(value) for name, value in config.items() if value is not None}


def described(entry: object, what: str, classes: Mapping[str, Any]) -> Any:
    """The object of a family, such as a loss, for an entry."""
    name, config = class_of(entry, what)
    if name not in classes:
        raise ValueError(f"the {what} {name!r:.80} is not available")
    cls, given = classes[name], given_of(config)
    known = inspect.signature(cls).parameters
    if "class_aggregation" in config and "class_aggregation" in known:  # where None is not the default
        given["class_aggregation"] = config["class_aggregation"]
    for key in [
        key
        for key in given
        if (key not in known or given[key] == "auto") and given[key] in _SILENT.get(key, ())
    ]:
        del given[key]
    if given.get("distribution") == "normal":  # VarianceScaling before Keras 2.2.3
        given["distribution"] = "truncated_normal"
    if issubclass(cls, optimizers.Optimizer):
        if "lr" in given:
            given["learning_rate"] = given.pop("lr")
        if isinstance(rate := given.get("learning_rate"), Mapping):
            rate = class_of(rate, "schedule")
            given["learning_rate"] = {"class_name": rate[0], "config": given_of(rate[1])}
        return cls.from_config(given)
    return cls(**given)


# ---- settings of compile


def _each(value: Any, one: Any) -> Any:
    """Applies `one` to each entry, in lists and in tables by the names of outputs."""
    if isinstance(value, list):
        return [_each(each, one) for each in value]
    if isinstance(value, Mapping) and "class_name" not in value:
        return {name: _each(each, one) for name, each in value.items()}
    return value if value is None or isinstance(value, str) else one(value)


def _function(given: Any) -> Any:
    """The metric of nncore with the name of a function, or else the user's function of that name."""
    entry = given if isinstance(given, Mapping) else {"config": given}
    registered, name = entry.get("registered_name"), text("file", "metric", entry.get("config"))
    if registered in (None, "function"):
        try:
            return metrics.get(name)
        except ValueError:
            registered = name
    return custom.function_of(text("file", "metric", registered))


def _metric(entry: Any) -> Any:
    if entry.get("class_name") == "function":
        return _function(entry)
    name, config = class_of(entry, "metric")
    if name == "MeanMetricWrapper":
        found = _function(config.get("fn"))
        made = found if isinstance(found, metrics.Metric) else metrics.MeanMetricWrapper(found)
        made.name = text("file", "name", config.get("name", made.name))
        return made
    return described(entry, "metric", metrics.CLASSES)


def _loss(entry: Any) -> Any:
    if entry.get("class_name") == "function" and entry.get("module") == "builtins":
        return losses.get(text("file", "loss", entry.get("config")))
    return described(entry, "loss", losses.CLASSES)


def compile_as(trainer: Trainer, config: dict[str, Any]) -> None:
    """Compiles a model as a config says."""
    optimizer: Any = config.get("optimizer", config.get("optimizer_config"))
    try:
        given = {name: _each(plain(config.get(name)), _metric) for name in ("metrics", "weighted_metrics")}
        for name, value in given.items():  # Keras 2 has a list for each output, also where there is one
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
                given[name] = value[0]
        if not isinstance(optimizer, str):
            optimizer = described(optimizer, "optimizer", optimizers.CLASSES)
        trainer.compile(
            optimizer, _each(plain(config.get("loss")), _loss), plain(config.get("loss_weights")), **given
        )
    except (ValueError, TypeError, LookupError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{what:.400}. load_model(path, compile=False) leaves out what it was compiled with"
        ) from error
