"""ONNX Runtime: predictions of mnist_cnn with random weights, checked against onnx' own evaluator."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from benchmarks.frameworks.run import Array
from benchmarks.workloads import Training

WEIGHTS = {"kernel": (64, 1, 3, 3), "bias": (64,), "matrix": (10816, 10), "shift": (10,)}
IMAGE, OUTPUT = ["n", 1, 28, 28], ["n", 10]


def graph() -> Any:
    """Images (n, 1, 28, 28) to probabilities."""
    rng, node, info = np.random.default_rng(1), helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Conv", ["x", "kernel", "bias"], ["convolved"]),
        node("Relu", ["convolved"], ["positive"]),
        node("MaxPool", ["positive"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["pooled"], ["flat"]),
        node("Gemm", ["flat", "matrix", "shift"], ["logits"]),
        node("Softmax", ["logits"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in WEIGHTS.items()
    ]
    ends = [[info("x", TensorProto.FLOAT, IMAGE)], [info("y", TensorProto.FLOAT, OUTPUT)]]
    network = helper.make_graph(nodes, "mnist_cnn", *ends, weights)
    return helper.make_model(network, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


class Model:
    def __init__(self) -> None:
        model, options = graph(), onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        x = np.random.default_rng(2).random((2, 1, 28, 28), np.float32)
        expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
        np.testing.assert_allclose(self.predict(x, 1), expected, rtol=1e-3, atol=1e-5)

    def arrays(self, x: Array, y: Array) -> tuple[Array, Array]:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y

    def fits(self) -> dict[str, Callable[[Array, Array, int, int], None]]:
        return {}

    def predict(self, x: Array, batch: int) -> Array:
        run = self.session.run
        return np.concatenate([run(None, {"x": x[i : i + batch]})[0] for i in range(0, len(x), batch)])

    def calls(self) -> dict[str, Callable[[Array], Any]]:
        return {"": lambda x: self.session.run(None, {"x": x})}


def make(of: Training) -> Model:
    return Model()
