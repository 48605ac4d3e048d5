"""Keras' files: files of Keras are read, and written files have the same layout."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_file_cases import FIXTURES, MODELS, NOT_IN_H5, data, keras_2, outputs, trained

import nncore
from nncore import layers, models
from nncore.callbacks import ModelCheckpoint
from nncore.layers import Add, Dense, Dropout, Input
from nncore.saving import hdf5

pytestmark = pytest.mark.once

with zipfile.ZipFile(FIXTURES) as _archive:
    FILES = {name: _archive.read(name) for name in _archive.namelist()}
FACTS = json.loads(FILES.pop("facts.json"))
ENDS = (".keras", ".h5", ".weights.h5")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def close(found: list[Any], wanted: list[Any]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def inside(model: Any) -> set[str]:
    own = {type(layer).__name__ for layer in model.layers}
    return own.union(
        *(inside(layer) for layer in model.layers if isinstance(layer, models.Model)), {"InputLayer"}
    )


def test_every_layer_is_in_a_case() -> None:
    before = {name for name, cls in layers.CLASSES.items() if issubclass(cls, layers.BeforeNetwork)}
    of_keras = set(layers.CLASSES) - before  # for which it needs TensorFlow
    assert set().union(*(inside(case(nncore)) for case in MODELS.values())) >= of_keras


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".weights.h5")])
def test_models_of_keras_are_read_and_train_on(name: str, folder: Path) -> None:
    case = name.partition(".")[0]
    model = models.load_model(folder / name)
    x, y = data(case) if case in MODELS else (data("graph")[0][0], None)
    close(outputs(model, x), FACTS[case]["before"])
    if y is not None:
        assert model.optimizer.iterations == (3 if case != "names" else 1)
        for _ in range(2):
            model.train_on_batch(x, y)
        close(outputs(model, x), FACTS[case]["after"])
    assert models.load_model(folder / name, compile=False).optimizer is None


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("case", MODELS)
def test_weights_of_keras_are_read(case: str, end: str, folder: Path) -> None:
    if f"{case}{end}" in FILES:
        model = MODELS[case](nncore)
        model.load_weights(folder / f"{case}{end}")
        close(outputs(model, data(case)[0]), FACTS[case]["before"])


def tree(node: hdf5.Node, path: str = "") -> dict[str, Any]:
    """Paths of groups and data sets, with shapes and types."""
    values = node.values
    own = {path: None if values is None else (values.shape, values.dtype)}
    return own | {p: v for name, one in node.items.items() for p, v in tree(one, f"{path}/{name}").items()}


def weights_in(content: bytes) -> hdf5.Node:
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read("model.weights.h5")
    return hdf5.read(content)


@pytest.mark.parametrize("end", [".keras", ".weights.h5"])
@pytest.mark.parametrize("case", MODELS)
def test_weights_are_written_where_keras_has_them(case: str, end: str, folder: Path) -> None:
    model = models.load_model(folder / f"{case}.keras")
    (model.save if end == ".keras" else model.save_weights)(folder / f"own{end}")
    own, theirs = weights_in((folder / f"own{end}").read_bytes()), weights_in(FILES[f"{case}{end}"])
    # Parts without weights, whose names begin with an underscore, are left out.
    assert tree(own) == {path: each for path, each in tree(theirs).items() if "/_" not in path}
    for path in tree(own):
        one, other = own.at(path[1:]) if path else own, theirs.at(path[1:]) if path else theirs
        assert one is not None
        assert other is not None
        assert one.attributes == other.attributes
        if one.values is not None and other.values is not None:
            np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("case", [case for case in MODELS if case not in NOT_IN_H5])
def test_old_files_are_written_where_keras_has_them(case: str, folder: Path) -> None:
    models.load_model(folder / f"{case}.h5").save(folder / "own.h5")
    own, theirs = (hdf5.read((folder / name).read_bytes()) for name in ("own.h5", f"{case}.h5"))
    assert own.attributes.keys() == theirs.attributes.keys()
    for part, label in (("model_weights", "layer_names"), ("optimizer_weights", "weight_names")):
        ours, group = own.items[part].attributes[label], theirs.items[part].attributes[label]
        assert len(ours) == len(group)
        assert part == "optimizer_weights" or ours == group
    for layer in own.items["model_weights"].attributes["layer_names"]:
        shapes = [
            [node.at(name).values.shape for name in node.attributes["weight_names"]]  # type: ignore[union-attr]
            for node in (root.items["model_weights"].items[layer] for root in (own, theirs))
        ]
        assert shapes[0] == shapes[1]


def known(entry: Any) -> Any:
    """A config without what is nothing, says where Keras has it, or is an operation of masks."""
    if isinstance(entry, dict):
        left_out = ("module", "registered_name", "build_config", "dtype", "ragged", "optional", "reduction")
        left_out += ("shared_object_id",)
        return {k: known(v) for k, v in entry.items() if v is not None and k not in left_out}
    if not isinstance(entry, list):
        return entry
    return [known(one) for one in entry if not (isinstance(one, dict) and ".ops" in str(one.get("module")))]


@pytest.mark.parametrize("case", MODELS)
def test_configs_are_those_of_keras(case: str, folder: Path) -> None:
    text = models.load_model(folder / f"{case}.keras", compile=False).to_json()
    with zipfile.ZipFile(folder / f"{case}.keras") as archive:
        theirs = known(json.loads(archive.read("config.json")))
    del theirs["compile_config"]
    silent: dict[str, Any] = {
        "data_format": "channels_last",
        "renorm_momentum": 0.99,
        "zero_output_for_mask": True,  # of layers in a Bidirectional, where it is always so
        "threshold": 0.0,
        "axis": -1,
    }
    silent["fill_mode"] = "constant"

    def compared(own: Any, other: Any) -> None:
        if isinstance(other, dict):
            other.pop("mask", None)  # of an operation
            for name in own.keys() | other.keys():
                if name in own and name in other:
                    compared(own[name], other[name])
                elif name in other:
                    assert other[name] in (silent.get(name), {}, False), (name, other[name])
        elif isinstance(other, list) and isinstance(own, list):
            assert len(own) == len(other)
            for one, two in zip(own, other):
                compared(one, two)
        elif isinstance(other, float):
            assert own == pytest.approx(other, rel=1e-7)
        else:
            assert other in (own, [own]) or own == [other, other]

    compared(known(json.loads(text)), theirs)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("case", MODELS)
def test_what_is_written_is_read(case: str, end: str, tmp_path: Path) -> None:
    model, (x, y) = trained(nncore, case), data(case)
    path = tmp_path / f"own{end}"
    if end == ".weights.h5":
        model.save_weights(path)
        twin = MODELS[case](nncore)
        twin.load_weights(path)
    else:
        model.save(path)
        twin = models.load_model(path)
        for one in (model, twin):
            for _ in range(2):
                one.train_on_batch(x, y)
    close(outputs(model, x), outputs(twin, x))


@pytest.mark.parametrize("case", MODELS)
def test_configs_make_equal_models(case: str) -> None:
    model = MODELS[case](nncore)
    for twin in (
        models.model_from_json(model.to_json()),
        models.clone_model(model),
        type(model).from_config(model.get_config()),
    ):
        assert type(twin) is type(model)
        assert twin.get_config() == model.get_config()
        assert [w.path for w in twin.weights] == [w.path for w in model.weights]
        assert twin.layers[1] is not model.layers[1]
        twin.set_weights(model.get_weights())
        close(outputs(twin, data(case)[0]), outputs(model, data(case)[0]))
    assert models.model_from_json(model.to_json()).metrics_names == model.metrics_names
    assert models.clone_model(model).optimizer is None


def test_configs_of_early_versions_are_read() -> None:
    """Configs of Keras 2.1: layers in a plain list, and a learning rate called lr."""
    scaling = {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "normal"},
    }
    first = {"name": "a", "trainable": False, "units": 4, "batch_input_shape": [None, 3], "dtype": "float32",
             "activation": "linear", "kernel_initializer": scaling, "kernel_regularizer": None}  # fmt: skip
    entry = {
        "class_name": "Sequential",
        "keras_version": "2.1.2",
        "config": [
            {"class_name": "Dense", "config": first},
            {"class_name": "Activation", "config": {"activation": "relu", "trainable": True, "name": "b"}},
        ],
        "compile_config": {
            "optimizer": {"class_name": "Adam", "config": {"lr": 0.25, "decay": 0.0, "beta_1": 0.5}},
            "loss": "MeanSquaredError",
            "metrics": [["accuracy"]],
            "sample_weight_mode": None,
        },
    }
    model = models.model_from_json(json.dumps(entry))
    assert [layer.output_shape for layer in model.layers] == [(None, 4), (None, 4)]
    assert not model.layers[0].trainable
    assert model.layers[0].kernel_initializer.distribution == "truncated_normal"
    assert (model.optimizer.learning_rate, model.optimizer.beta_1) == (0.25, 0.5)
    assert model.metrics_names == ["loss", "accuracy"]


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    one = nncore.Sequential([Input((3,)), Dense(4, name="a"), Dense(2, name="b")])
    other = nncore.Sequential([Input((3,)), Dense(4, name="a"), Dense(5, name="b")])
    one.save(tmp_path / "m.h5")
    one.save_weights(tmp_path / "m.weights.h5")
    one.save_weights(tmp_path / "m.safetensors")
    before = other.get_weights()
    for name in ("m.h5", "m.weights.h5", "m.safetensors"):
        other.set_weights(before)
        with pytest.raises(ValueError, match=r"\(4, 5\)"):
            other.load_weights(tmp_path / name)
        assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))
        with pytest.warns(UserWarning, match="stay") as warned:
            other.load_weights(tmp_path / name, skip_mismatch=True)
        assert "(4, 5)" in str(warned[0].message)
        found = other.get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(found[:2], one.get_weights()))
        assert all(np.array_equal(a, b) for a, b in zip(found[2:], before[2:]))


def error(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred)


@pytest.mark.parametrize("end", [".keras", ".h5"])
def test_functions_among_the_metrics_are_found_by_name(end: str, tmp_path: Path) -> None:
    model = nncore.Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse", metrics=[error, "mae"])
    model.save(tmp_path / f"m{end}")
    with pytest.raises(ValueError, match="'error' is a function: give custom_objects"):
        models.load_model(tmp_path / f"m{end}")
    twin = models.load_model(tmp_path / f"m{end}", custom_objects={"error": error})
    x, y = np.ones((4, 3)), np.zeros(4)
    close(twin.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0))
    with pytest.raises(ValueError, match="custom_objects"):
        models.model_from_json(model.to_json())
    again = models.model_from_json(model.to_json(), {"error": error})
    assert again.metrics_names == model.metrics_names == ["loss", "error", "mae"]


def test_state_of_another_kind_starts_anew(tmp_path: Path) -> None:
    model = trained(nncore, "images")
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(
        b'"clipnorm": null', b'"clipnorm": null, "use_ema": true', 1
    )
    parts["config.json"] = parts["config.json"].replace(b'"use_ema": false, ', b"")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.warns(UserWarning, match="starts anew"):
        assert models.load_model(tmp_path / "m.keras").optimizer.iterations == 0


def test_a_checkpoint_is_a_file_of_keras(tmp_path: Path) -> None:
    model = nncore.Sequential([Input((3,)), Dense(1)])
    model.compile("adam", "mse")
    whole = ModelCheckpoint(tmp_path / "{epoch}.keras")
    weights = ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    model.fit(np.ones((4, 3)), np.ones(4), epochs=2, verbose=0, callbacks=[whole, weights])
    twin = models.load_model(tmp_path / "2.keras")
    close(twin.get_weights(), model.get_weights())
    twin.load_weights(tmp_path / "1.weights.h5")
    assert not np.array_equal(twin.get_weights()[0], model.get_weights()[0])
    with pytest.raises(ValueError, match=r"\[ModelCheckpoint\].*\.weights\.h5"):
        ModelCheckpoint("a.keras", save_weights_only=True)


def test_what_keras_files_cannot_hold_is_refused(tmp_path: Path) -> None:
    x, both = Input((3,), name="x"), Dense(3, name="both")
    inner = nncore.Model(x, both(x), name="inner")
    model = nncore.Model(x, Add()([inner(x), both(x)]))
    for name in ("m.keras", "m.h5"):
        with pytest.raises(ValueError, match="'both' is in several of the models"):
            model.save(tmp_path / name)
    adam = nncore.optimizers.Adam(weight_decay=0.1)
    adam.exclude_from_weight_decay(var_names=["bias"])
    inner.compile(adam, "mse")
    with pytest.raises(ValueError, match="exclude_from_weight_decay"):
        inner.save(tmp_path / "m.keras")
    for name in ("m.keras", "m.h5", "m.hdf5"):
        with pytest.raises(ValueError, match=r"end in \.weights\.h5 or \.safetensors"):
            inner.save_weights(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_models_without_shapes_come_back(tmp_path: Path) -> None:
    model = nncore.Sequential([Dense(3, name="a"), Dropout(0.5), Dense(1)])
    model.compile("adam", "mse")
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        twin = models.load_model(tmp_path / name)
        assert not twin.built
        assert twin.get_config() == model.get_config()
        assert twin.fit(np.ones((4, 2)), np.ones(4), verbose=0)


def test_reading_needs_no_h5py(folder: Path) -> None:
    program = f"""
import sys
sys.modules["h5py"] = None
import nncore
for name in {sorted(FILES)!r}:
    if not name.endswith(".weights.h5"):
        model = nncore.models.load_model({str(folder)!r} + "/" + name)
try:
    model.save({str(folder)!r} + "/own.keras")
except ImportError as error:
    assert "nncore[hdf5]" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_files_of_keras_2_are_as_recorded() -> None:
    h5py = pytest.importorskip("h5py")
    assert tree(hdf5.read(keras_2(h5py))) == tree(hdf5.read(FILES["keras_2.h5"]))
