"""Files whose settings are of another type than they should be, and files too large for the memory."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_saving import everything, same

import nncore
from nncore import layers, losses, metrics, models, optimizers
from nncore.optimizers import schedules

pytestmark = pytest.mark.once

Path_ = tuple[Any, ...]

WRONG: dict[type, list[Any]] = {
    bool: [0, 1, 1.0, None, "true", [], {}],
    int: [True, False, 1.5, 1.0, 10**30, -(10**30), None, "1", [1], {}, [[]]],
    float: [True, None, "0.1", [], {}, 10**400, 1e999, [0.5]],
    str: [None, 1, True, [], {}, "\ud800", "a\udfffb", ["relu"]],
    list: [None, 1, True, "ab", {}, {"class_name": "x"}],
    dict: [1, True, "x", [], [[]], {}],
    type(None): [True, [], {}, "x", 1.5],
}
# None is a value of these: of a name the automatic one, and so on.
OPTIONAL = (
    "name",
    "max_value",
    "seed",
    "compile",
    "loss",
    "activation",
    "recurrent_activation",
    "output_padding",
    "kernel_initializer",
    "bias_initializer",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "warmup_target",
    "ema_overwrite_frequency",
    "gradient_accumulation_steps",
)
OPTIONAL_NUMBERS = ("max_value", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
# One number stands for the list.
PAIRS = {
    "kernel_size", "strides", "dilation_rate", "pool_size", "padding", "cropping", "size", "factor",
    "height_factor", "width_factor",
}  # fmt: skip


def places(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value inside a JSON value, with its path."""
    yield path, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key), inner


def changed(value: Any, path: Path_, new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def taken_apart(model: nncore.Sequential) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header and settings of a model's file, and the rest of it."""
    data: bytes = model.__reduce__()[1][1]
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    return header, json.loads(header["__metadata__"]["nncore"]), data[end:]


def put_together(header: str, data: bytes) -> bytes:
    text = header.encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def models_of_all_kinds() -> list[nncore.Sequential]:
    trained = nncore.Sequential(
        [layers.Input((3,)), layers.Dense(2, name="a"), layers.ReLU(negative_slope=0.5)]
    )
    trained.compile(
        optimizers.Adam(),
        losses.BinaryCrossentropy(from_logits=True),
        metrics=[metrics.BinaryAccuracy(name="b")],
    )
    trained.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    ruled = nncore.Sequential([layers.Input((3,)), layers.Dense(2)])
    rate = schedules.CosineDecay(0.1, 4.0, 0.5, "c", warmup_target=0.25, warmup_steps=2.0)
    optimizer = optimizers.SGD(rate, clipnorm=0.5, use_ema=True, gradient_accumulation_steps=2)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    ruled.compile(optimizer, "mse")
    ruled.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    return [everything(), trained, ruled, nncore.Sequential([layers.Dense(2), layers.Dropout(0.5)])]


def what_is_wrong(path: Path, model: nncore.Sequential) -> str:
    """A message if the file is neither refused properly nor loads the same model; else nothing."""
    try:
        found = models.load_model(path)
    except ValueError as error:
        text = str(error)
        text.encode()
        return "" if str(path) in text and len(text) < 1500 else f"unclear: {text}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    try:
        same(model, found)
    except AssertionError:
        return "taken for the right one"
    return ""


@pytest.mark.full
def test_every_setting_of_a_wrong_type_is_refused_or_means_the_same(tmp_path: Path) -> None:
    path, count = tmp_path / "m", 0
    for model in models_of_all_kinds():
        header, settings, data = taken_apart(model)
        for way, value in places(settings):
            if way[:1] == ("parameters",):
                continue  # read by load_weights alone
            for wrong in WRONG[type(value)]:
                if type(wrong) is type(value) and wrong == value:
                    continue
                last = way[-1] if way else ""
                if (wrong is None and last in OPTIONAL) or (wrong == {} and last == "config"):
                    continue
                of_pair = isinstance(value, list) and not PAIRS.isdisjoint(way[-2:])
                of_axes = last == "axis" and isinstance(wrong, (int, list, type(None)))
                if (
                    of_axes
                    or (type(wrong) is int and (of_pair or last == "learning_rate"))
                    or (type(wrong) is float and last in OPTIONAL_NUMBERS)
                ):
                    continue
                header["__metadata__"]["nncore"] = json.dumps(changed(settings, way, wrong))
                path.write_bytes(put_together(json.dumps(header), data))
                count += 1
                fault = what_is_wrong(path, model)
                assert not fault, (way, wrong, value, fault)
    assert count > 1500


def test_settings_of_an_optimizer_that_came_later_may_be_missing(tmp_path: Path) -> None:
    model = models_of_all_kinds()[1]
    header, settings, data = taken_apart(model)
    settings["compile"]["optimizer"]["config"] = {"learning_rate": 0.001}
    header["__metadata__"]["nncore"] = json.dumps(settings)
    (tmp_path / "m").write_bytes(put_together(json.dumps(header), data))
    same(model, models.load_model(tmp_path / "m"))


def test_every_parameter_of_a_wrong_type_is_refused(tmp_path: Path) -> None:
    path, model = tmp_path / "m", models_of_all_kinds()[1]
    header, settings, data = taken_apart(model)
    for way, value in places(settings["parameters"], ("parameters",)):
        for wrong in WRONG[type(value)]:
            if wrong == value and type(wrong) is type(value):
                continue
            header["__metadata__"]["nncore"] = json.dumps(changed(settings, way, wrong))
            path.write_bytes(put_together(json.dumps(header), data))
            with pytest.raises(ValueError, match="not a usable model file"):
                model.load_weights(path)


@pytest.mark.parametrize("wrong", [True, 1.0, "1", [1], None, 0, 3, 10**400])
def test_the_version_is_an_integer(wrong: Any, tmp_path: Path) -> None:
    header, settings, data = taken_apart(models_of_all_kinds()[1])
    header["__metadata__"]["nncore"] = json.dumps({**settings, "version": wrong})
    (tmp_path / "m").write_bytes(put_together(json.dumps(header), data))
    with pytest.raises(ValueError, match="not a usable model file"):
        models.load_model(tmp_path / "m")


KEYS: dict[str, Callable[[str], str]] = {
    "a tensor": lambda text: text.replace('"a/bias":', '"a/kernel":'),
    "metadata": lambda text: text.replace('{"__metadata__":', '{"__metadata__": {}, "__metadata__":'),
    "settings": lambda text: text.replace('\\"built\\":', '\\"built\\": true, \\"built\\":'),
    "of a layer": lambda text: text.replace('\\"units\\":', '\\"units\\": 2, \\"units\\":'),
    "of a tensor": lambda text: text.replace('"dtype":', '"dtype": "F32", "dtype":', 1),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_key_that_is_there_twice_is_refused(case: str, tmp_path: Path) -> None:
    header, _, data = taken_apart(models_of_all_kinds()[1])
    text = json.dumps(header)
    assert KEYS[case](text) != text
    (tmp_path / "m").write_bytes(put_together(KEYS[case](text), data))
    with pytest.raises(ValueError, match=r"the key '.*' is there twice"):
        models.load_model(tmp_path / "m")


# ---- names


BAD_NAMES = ("\ud800", "a\udfff", "\udce4")


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("way", ["escaped", "raw"])
def test_a_tensor_whose_name_is_no_text_is_refused(name: str, way: str, tmp_path: Path) -> None:
    header, _, data = taken_apart(models_of_all_kinds()[1])
    header[f"{name}/kernel"] = header.pop("a/kernel")
    (tmp_path / "m").write_bytes(put_together(json.dumps(header, ensure_ascii=way == "escaped"), data))
    with pytest.raises(ValueError, match="not a usable model file"):
        models.load_model(tmp_path / "m")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_no_file_could_hold_are_refused(name: str) -> None:
    makers: list[Callable[[], object]] = [
        lambda: layers.Dense(1, name=name),
        lambda: nncore.Sequential(name=name),
        lambda: optimizers.SGD(name=name),
        lambda: losses.MeanSquaredError(name=name),
        lambda: metrics.BinaryAccuracy(name=name),
    ]
    for make in makers:
        with pytest.raises(ValueError, match=r"name must be text that UTF-8 can hold"):
            make()


@pytest.mark.parametrize("name", ["ä", "模型", "🙂", "a b", "\0", "\n", "__metadata__", '"', "{}"])
def test_odd_names_come_back(name: str, tmp_path: Path) -> None:
    model = nncore.Sequential([layers.Input((2,)), layers.Dense(1, name=name)], name=name)
    model.save(tmp_path / "m")
    same(model, models.load_model(tmp_path / "m"))


# ---- memory

SHORT = """
import resource, sys
import numpy as np
import nncore
from nncore import models
what, path, margin = sys.argv[1], sys.argv[2], int(sys.argv[3])
small = nncore.Sequential([nncore.layers.Input((1,)), nncore.layers.Dense(1)])
small.save(path + "-small")
models.load_model(path + "-small").predict(np.ones((1, 1)))
model = models.load_model(path) if what != "load" else None
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + margin * 2**20, resource.RLIM_INFINITY))
try:
    if what == "load":
        models.load_model(path)
    elif what == "weights":
        model.load_weights(path)
    else:
        model.save(path + "-again")
    print("done")
except MemoryError as error:
    print("MemoryError")
"""


@pytest.mark.full
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="memory cannot be limited")
@pytest.mark.parametrize("what", ["load", "weights", "save"])
def test_too_little_memory_is_a_memory_error(what: str, tmp_path: Path) -> None:
    """Whatever allocation fails: never the end of the process, another error, or a wait without end."""
    model = nncore.Sequential([layers.Input((2000,)), layers.Dense(2000)])
    model.save(tmp_path / "m")
    said = []
    for margin in (2, 10, 18, 26, 34, 42, 50, 58, 70, 90, 400):
        command = [sys.executable, "-c", SHORT, what, str(tmp_path / "m"), str(margin)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (margin, done.stderr[-2000:])
        said.append(done.stdout.strip())
    assert said[0] == "MemoryError"
    assert said[-1] == "done"
    assert set(said) == {"MemoryError", "done"}
    left = {"m", "m-small"} | ({"m-again"} if what == "save" else set())
    assert {path.name for path in tmp_path.iterdir()} == left
