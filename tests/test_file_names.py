"""Names whose suffix belongs to a format that is not written are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import nncore
from nncore.layers import Dense, Input
from nncore.models import load_model

pytestmark = pytest.mark.once

NAMES = "m.hdf w.weights.json m.onnx m.npz m.npy m.pt m.pth m.pkl m.pickle m.tflite m.pb m.zip"


def model() -> nncore.Sequential:
    return nncore.Sequential([Input((3,)), Dense(1)])


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("method", ["save", "save_weights"])
@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_of_another_format(name: str, method: str, kind: Any, tmp_path: Path) -> None:
    path = kind(tmp_path / name)
    wanted = f"{name.rpartition('.')[0]}.safetensors"
    with pytest.raises(ValueError, match=rf"^\[{method}\] .*safetensors.*'{wanted}'"):
        getattr(model(), method)(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("method", ["save", "save_weights"])
def test_a_file_of_that_name_stays_as_it_is(method: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"theirs")
    with pytest.raises(ValueError, match="safetensors"):
        getattr(model(), method)(path)
    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["m.safetensors", "m.SafeTensors", "m", "m.keras.safetensors", "h5"])
def test_other_names(name: str, tmp_path: Path) -> None:
    one = model()
    one.save(tmp_path / name)
    assert load_model(tmp_path / name).count_params() == 4
    one.save_weights(tmp_path / name)
    one.load_weights(tmp_path / name)
