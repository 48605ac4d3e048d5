"""The networks that every framework trains, and what nncore has to reach. Imports no framework."""

from __future__ import annotations

from typing import Any, NamedTuple

# ("conv", filters): 3 x 3, relu; ("same", filters): padded; ("normalized", filters): padded, batch
# normalization, relu; ("separable", filters): padded, relu; ("pool",): 2 x 2; ("average",): over the image;
# ("embedding", tokens, width); ("lstm", units), ("gru", units), ("both", units): the last state, of an LSTM
# in both directions; ("conv1d", filters): 5 steps, relu; ("largest",): over the steps; ("dense", units,
# activation); ...
Layer = tuple[Any, ...]


class Training(NamedTuple):
    """With Adam as in Keras, in the order of the data. `least`: the test accuracy of one that has learnt.

    `products`: multiplications of dense layers and convolutions forward, a sample.
    """

    shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    loss: str
    samples: int
    batch: int
    epochs: int = 1
    least: float = 0.0
    products: float = 0.0

    @property
    def of_mnist(self) -> bool:
        return self.shape in ((28, 28, 1), (784,))

    @property
    def tokens(self) -> int:
        """How many tokens samples are made of; 0 if they are numbers."""
        return int(self.layers[0][1]) if self.layers[0][0] == "embedding" else 0


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
PROBABILITY: Layer = ("dense", 1, "sigmoid")
LSTM: tuple[Layer, ...] = (("embedding", 10_000, 32), ("lstm", 32), PROBABILITY)
BOTH: tuple[Layer, ...] = (("embedding", 10_000, 64), ("both", 64), PROBABILITY)
GRU: tuple[Layer, ...] = (("gru", 64), ("dense", 1, None))
CONV1D: tuple[Layer, ...] = (
    ("embedding", 10_000, 64),
    ("conv1d", 128),
    ("largest",),
    ("dense", 64, "relu"),
    PROBABILITY,
)
SEPARABLE: tuple[Layer, ...] = (
    ("same", 32),
    ("separable", 64),
    ("pool",),
    ("separable", 128),
    ("pool",),
    ("separable", 256),
    ("average",),
    ("dense", 10, "softmax"),
)
BINARY: tuple[Layer, ...] = (("dense", 10, "relu"), PROBABILITY)
SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"
YES_OR_NO, NUMBER = "binary_crossentropy", "mean_squared_error"

TRAININGS = {
    "mnist_cnn": Training((28, 28, 1), CNN, SPARSE, 60_000, 32, least=0.95),
    "binary": Training((2,), BINARY, YES_OR_NO, 1_000, 10, epochs=100, least=0.9),
    "mnist_convnet": Training((28, 28, 1), CONVNET, ONE_HOT, 12_800, 128, least=0.85),
    "mlp": Training((784,), mlp(), SPARSE, 60_000, 128, least=0.93),
    "normalized": Training((32, 32, 3), NORMALIZED, SPARSE, 6_400, 64, least=0.5),
    "lstm": Training((100,), LSTM, YES_OR_NO, 6_400, 64, least=0.7, products=100 * 4 * 32 * 64),
    "bidirectional": Training((100,), BOTH, YES_OR_NO, 3_200, 64, least=0.7, products=100 * 8 * 64 * 128),
    "gru": Training((24, 8), GRU, NUMBER, 12_800, 32, least=0.5, products=24 * 3 * 64 * 72),
    "conv1d": Training((200,), CONV1D, YES_OR_NO, 6_400, 64, least=0.7, products=196 * 5 * 64 * 128),
    "separable": Training(
        (32, 32, 3),
        SEPARABLE,
        SPARSE,
        3_200,
        64,
        least=0.15,
        products=1024 * (27 * 32 + 9 * 32 + 32 * 64) + 256 * (9 + 128) * 64 + 64 * (9 + 256) * 128,
    ),
}


def training(name: str, quick: bool) -> Training:
    """Of a quick run: the same network and a few batches of made-up digits, which are easily told apart."""
    whole = TRAININGS[name]
    if not quick:
        return whole
    if name == "binary":
        return whole._replace(samples=200, epochs=5, least=0.0)
    least = 0.5 if whole.of_mnist or name == "normalized" else -10.0
    return whole._replace(samples=20 * whole.batch, epochs=1, least=least)


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
THREE = EVERY[:3]
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
        THREE,
        {"train": Target("1.5 x", ratio=1.5)},
    ),
    "lstm": Workload(
        "Embedding(10000, 32), LSTM(32), Dense(1): 6,400 x 100 tokens, batch 64",
        THREE,
        {"train": Target("1.5 x", ratio=1.5)},
    ),
    "bidirectional": Workload(
        "Embedding(10000, 64), Bidirectional(LSTM(64)), Dense(1): 3,200 x 100 tokens, batch 64",
        THREE,
        {"train": Target("1.3 x", ratio=1.3)},
    ),
    "gru": Workload("GRU(64), Dense(1): 12,800 x 24 x 8, batch 32", THREE, {"train": Target("3 x", ratio=3)}),
    "conv1d": Workload(
        "Embedding(10000, 64), Conv1D(128, 5), GlobalMaxPooling1D, Dense(64), Dense(1): 6,400 x 200 tokens, "
        "batch 64",
        THREE,
        {"train": Target("2 x", ratio=2)},
    ),
    "separable": Workload(
        "a convolution and three separable ones: 3,200 made-up images of 32 x 32 x 3, batch 64",
        THREE,
        {"train": Target("1.3 x", ratio=1.3)},
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
