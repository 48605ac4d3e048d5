"""The networks that every framework trains, and what nncore has to reach. Imports no framework."""

from __future__ import annotations

from typing import Any, NamedTuple

# ("conv", filters): 3 x 3, relu; ("normalized", filters): 3 x 3, padded, batch normalization, relu;
# ("pool",): 2 x 2; ("dense", units, activation); ...
Layer = tuple[Any, ...]


class Training(NamedTuple):
    """With Adam as in Keras, in the order of the data. `least`: the test accuracy of one that has learnt."""

    shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    loss: str
    samples: int
    batch: int
    epochs: int = 1
    least: float = 0.0


def mlp(width: int = 512, depth: int = 2) -> tuple[Layer, ...]:
    return (*[("dense", width, "relu")] * depth, ("dense", 10, "softmax"))


CNN: tuple[Layer, ...] = (("conv", 64), ("pool",), ("flatten",), ("dense", 10, "softmax"))
CONVNET: tuple[Layer, ...] = (
    ("conv", 32),
    ("pool",),
    ("conv", 64),
    ("pool",),
    ("flatten",),
    ("dropout", 0.5),
    ("dense", 10, "softmax"),
)
NORMALIZED: tuple[Layer, ...] = (
    ("normalized", 32),
    ("pool",),
    ("normalized", 64),
    ("pool",),
    ("flatten",),
    ("dense", 10, "softmax"),
)
BINARY: tuple[Layer, ...] = (("dense", 10, "relu"), ("dense", 1, "sigmoid"))
SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"

TRAININGS = {
    "mnist_cnn": Training((28, 28, 1), CNN, SPARSE, 60_000, 32, least=0.95),
    "binary": Training((2,), BINARY, "binary_crossentropy", 1_000, 10, epochs=100, least=0.9),
    "mnist_convnet": Training((28, 28, 1), CONVNET, ONE_HOT, 12_800, 128, least=0.85),
    "mlp": Training((784,), mlp(), SPARSE, 60_000, 128, least=0.93),
    "normalized": Training((32, 32, 3), NORMALIZED, SPARSE, 6_400, 64, least=0.5),
}


def training(name: str, quick: bool) -> Training:
    """Of a quick run: the same network and a few batches of made-up digits, which are easily told apart."""
    whole = TRAININGS[name]
    if not quick:
        return whole
    images = name != "binary"
    return whole._replace(
        samples=20 * whole.batch if images else 200, epochs=1 if images else 5, least=0.5 if images else 0.0
    )


class Target(NamedTuple):
    """What nncore is to reach: a ratio best peer / nncore, a largest value, or one beyond NumPy's own."""

    text: str
    ratio: float | None = None
    at_most: float | None = None
    beyond_numpy: float | None = None


class Workload(NamedTuple):
    title: str
    frameworks: tuple[str, ...]
    figures: dict[str, Target]
    unit: str = "s"


EVERY = ("nncore", "keras", "torch", "jax")
WORKLOADS = {
    "mnist_cnn": Workload(
        "Conv2D(64, 3), MaxPooling2D, Dense(10): 60,000 images, batch 32",
        (*EVERY, "onnxruntime"),
        {
            "train": Target("20 x", ratio=20),
            "predict one": Target("15 us, 4 x", ratio=4, at_most=15e-6),
            "predict 10,000": Target("1.8 x", ratio=1.8),
        },
    ),
    "binary": Workload(
        "Dense(10), Dense(1): 10,000 steps of batch 10",
        (*EVERY, "sklearn"),
        {"train": Target("60 x", ratio=60)},
    ),
    "mnist_convnet": Workload(
        "Keras' MNIST example, two convolutions: 12,800 images, batch 128",
        EVERY,
        {"train": Target("4 x", ratio=4)},
    ),
    "mlp": Workload(
        "784-512-512-10: 60,000 images, batch 128",
        (*EVERY, "sklearn"),
        {"train": Target("1.5 x", ratio=1.5)},
    ),
    "normalized": Workload(
        "two convolutions with batch normalization: 6,400 made-up images of 32 x 32 x 3, batch 64",
        ("nncore", "keras", "torch"),
        {"train": Target("1.5 x", ratio=1.5)},
    ),
    "script": Workload(
        "mnist_cnn as a program from start to end: 3 epochs with validation, evaluate, predict",
        ("nncore", "keras"),
        {"whole process": Target("15 x", ratio=15)},
    ),
    "import": Workload(
        "import beyond an empty program",
        ("nncore", "numpy", "keras", "torch", "jax", "sklearn", "onnxruntime"),
        {"import": Target("NumPy + 30 ms", beyond_numpy=0.030)},
    ),
    "memory": Workload(
        "largest resident memory of mnist_cnn in training, import included, beyond a process with the data",
        EVERY,
        {"memory": Target("60 MB", at_most=60.0)},
        unit="MB",
    ),
}
