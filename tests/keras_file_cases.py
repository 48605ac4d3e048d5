"""Models that are written and read by Keras and by nncore, which have the same names: `k` is either of them.

Run with a Python that has Keras, this file writes ``keras_files.zip``: files that Keras wrote, with the
predictions of their models, before and after one more step of training. test_keras_files.py reads them.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).with_name("keras_files.zip")


def images(k: Any) -> Any:
    of = k.layers
    model = k.Sequential(
        [
            of.Input((9, 8, 2), name="pictures"),
            of.Rescaling(0.5, 0.1),
            of.Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer="l2", name="wide"),
            of.BatchNormalization(momentum=0.5),
            of.MaxPooling2D(),
            of.Conv2D(6, (2, 3), strides=(1, 2), groups=2, use_bias=False, name="grouped"),
            of.LeakyReLU(0.1),
            of.AveragePooling2D(2, 1, "same"),
            of.Dropout(0.0, name="off"),
            of.ELU(0.5),
            of.GlobalAveragePooling2D(),
            of.Dense(5, "gelu", kernel_initializer="he_normal", bias_constraint="max_norm"),
            of.LayerNormalization(epsilon=0.01),
            of.Activation("tanh"),
            of.Dense(3, kernel_initializer=k.initializers.RandomNormal(0.0, 0.3)),
            of.Softmax(),
        ],
        name="pictures_model",
    )
    model.compile(k.optimizers.Adam(0.01, weight_decay=0.1), "categorical_crossentropy", metrics=["accuracy"])
    return model


def sizes(k: Any) -> Any:
    """Layers that change the size of images, and random ones that leave images of one pixel as they are."""
    of = k.layers
    model = k.Sequential(
        [
            of.Input((9, 8, 2), name="given"),
            of.Normalization(mean=[0.5, 0.25], variance=2.0 * np.ones(2), name="by_numbers"),
            of.Normalization(axis=(1, -1), name="by_data"),
            of.Resizing(6, 5, interpolation="nearest", crop_to_aspect_ratio=True),
            of.ZeroPadding2D(((1, 0), (2, 1))),
            of.Conv2DTranspose(
                3, (3, 2), (2, 1), "same", output_padding=(1, 0), activation="relu", name="wider"
            ),
            of.PReLU("ones", shared_axes=[1, 2]),
            of.Cropping2D((1, 2)),
            of.UpSampling2D((1, 2), interpolation="bilinear"),
            of.CenterCrop(5, 6),
            of.Softmax(axis=1),
            of.ReLU(0.5, 0.1, 0.01),
            of.GaussianNoise(0.0),
            of.GaussianDropout(0.0),
            of.AlphaDropout(0.0),
            of.RandomRotation((0.1, 0.1), "constant", fill_value=0.1),
            of.RandomZoom((0.1, 0.1), (0.2, 0.2), "nearest", "nearest"),
            of.RandomTranslation((0.1, 0.1), (-0.2, -0.2)),
            of.RandomBrightness((0.1, 0.1), (-1.0, 1.0)),
            of.RandomContrast((-0.1, 0.1), (-1.0, 1.0)),
            of.GlobalAveragePooling2D(keepdims=True),
            of.RandomFlip("horizontal", seed=3),
            of.RandomCrop(1, 1, seed=4),
            of.Reshape((1, 3)),
            of.UpSampling1D(3),
            of.ZeroPadding1D((0, 1)),
            of.Cropping1D((1, 0)),
            of.Flatten(),
            of.Dense(2),
        ],
        name="sizes",
    )
    model.get_layer("by_data").adapt(data("sizes")[0])
    model.compile(k.optimizers.SGD(0.1), "mse")
    return model


def shapes(k: Any) -> Any:
    of = k.layers
    model = k.Sequential(name="shapes")
    model.add(of.Input((12,)))
    for layer in (
        of.Reshape((2, 3, 2)),
        of.ReLU(negative_slope=0.25),
        of.BatchNormalization(scale=False, trainable=False),
        of.LayerNormalization(axis=[-2, -1]),
        of.GlobalMaxPooling2D(keepdims=True),
        of.Flatten(),
        of.Dense(2, "softplus", use_bias=False, kernel_constraint=k.constraints.MinMaxNorm(0.1, 2.0)),
    ):
        model.add(layer)
    rate = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model.compile(
        k.optimizers.SGD(rate, momentum=0.9, nesterov=True), k.losses.MeanSquaredError(), metrics=["mae"]
    )
    return model


def graph(k: Any) -> Any:
    """Two inputs and outputs, a layer and two models that are called twice."""
    of = k.layers
    a, b = of.Input((4,), name="a"), of.Input((4,), name="b")
    both = of.Dense(4, "silu", name="both")
    inner_in = of.Input((4,), name="inner_in")
    inner = k.Model(inner_in, of.Add()([of.Dense(4, name="own")(inner_in), inner_in]), name="inner")
    chain = k.Sequential([of.Input((4,), name="chain_in"), of.Dense(4, "tanh", name="link")], name="chain")
    first, second = inner(a), inner(chain(b))
    merged = [
        of.Subtract()([first, second]),
        of.Multiply()([both(a), chain(both(second))]),
        of.Average()([a, b, first]),
        of.Maximum()([first, b]),
        of.Minimum()([second, a]),
    ]
    wide = of.Concatenate(name="wide")([*merged, of.Dot(1)([a, second])])
    narrow = of.Dense(1, "sigmoid", name="narrow")(wide)
    model = k.Model([a, b], [narrow, of.Dense(2, name="ends")(of.Add()(merged[:2]))], name="graph")
    model.compile(
        k.optimizers.Adam(0.01, use_ema=True),
        ["binary_crossentropy", k.losses.MeanSquaredError()],
        loss_weights=[1.0, 0.5],
        metrics=[[k.metrics.MeanAbsoluteError(name="away")], ["mae"]],
    )
    return model


def names(k: Any) -> Any:
    """A dict of outputs, and gradients that are accumulated."""
    of = k.layers
    x = of.Input((3,), name="x")
    model = k.Model(x, {"u": of.Dense(2, name="u")(x), "t": of.Dense(1, name="t")(x)}, name="names")
    adam = k.optimizers.Adam(0.01, gradient_accumulation_steps=2, clipnorm=1.0)
    model.compile(adam, {"u": "mse", "t": "mae"}, metrics={"u": ["mse"], "t": ["mse"]})
    return model


def parts(k: Any) -> Any:
    """Layers of parts; calls with keyword arguments."""
    of = k.layers
    image, text, mask = of.Input((6, 8, 3), name="image"), of.Input((4, 5), name="text"), of.Input((4, 6))
    image_steps = of.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="by_channel")(image)
    image_steps = of.SpatialDropout2D(0.0)(image_steps)
    image_steps = of.SeparableConv2D(5, (1, 3), strides=(1, 1), depthwise_regularizer="l2", name="both")(
        image_steps
    )
    image_steps = of.Reshape((6, 30))(image_steps)
    attention = of.MultiHeadAttention(
        2, 3, value_dim=4, output_shape=6, bias_constraint="max_norm", name="mix"
    )
    found = attention(text, image_steps, attention_mask=mask)
    found = of.MultiHeadAttention(1, 2, use_bias=False, name="own")(found, found, use_causal_mask=True)
    found = of.Attention(name="dots")([found, of.Dense(6, name="wide")(image_steps)])
    found = of.Bidirectional(of.LSTM(2, return_sequences=True, name="way"), "ave", name="ways")(found)
    ends = of.Dense(2, name="ends")(of.Flatten()(found))
    model = k.Model([image, text, mask], ends, name="parts")
    model.compile(k.optimizers.Adam(0.01), "mse")
    return model


def steps(k: Any) -> Any:
    """Words and series, with masks, which Keras' files have as operations."""
    of = k.layers
    x, z = of.Input((6,), name="words"), of.Input((6, 3), name="series")
    e = of.Embedding(9, 4, mask_zero=True, embeddings_regularizer="l2", name="table")(x)
    both = of.Concatenate(name="joined")([of.Masking(0.5)(z), e])
    deep = of.TimeDistributed(of.Dense(4, "tanh", kernel_initializer="he_normal"), name="each")(both)
    mean = of.GlobalAveragePooling1D()(of.Multiply()([deep, e]))
    causal = of.Conv1D(3, 2, padding="causal", dilation_rate=2, activation="relu", name="causal")(z)
    first = of.Flatten()(of.MaxPooling1D(2)(of.SpatialDropout1D(0.0)(causal)))
    turned = of.AveragePooling1D(2, padding="same")(of.Permute((2, 1))(z))
    many = of.RepeatVector(2)(of.GlobalMaxPooling1D()(turned))
    joined = of.Concatenate(name="wide")([mean, first, of.Flatten()(many)])
    model = k.Model([x, z], [of.Dense(2, name="ends")(joined), deep], name="steps")
    model.compile(k.optimizers.Adam(0.01), "mse")
    return model


def series(k: Any) -> Any:
    of = k.layers
    model = k.Sequential([of.Input((None, 3), name="steps")], name="series")
    for layer in (
        of.LSTM(4, return_sequences=True, go_backwards=True, kernel_regularizer="l2", name="long"),
        of.GRU(5, return_sequences=True, recurrent_regularizer=k.regularizers.L2(0.1), name="gated"),
        of.GRU(3, "relu", return_sequences=True, reset_after=False, use_bias=False, unroll=False),
        of.SimpleRNN(4, recurrent_constraint="unit_norm", bias_initializer="ones", name="simple"),
        of.Dense(2),
    ):
        model.add(layer)
    model.compile(k.optimizers.Adam(0.01), "mse")
    return model


# Keras' own files of these cannot be compiled, not be written (RandomBrightness cannot be copied), or not be
# read (operations of masks).
NOT_IN_H5 = ("names", "sizes", "steps")
MODELS = {case.__name__: case for case in (images, sizes, shapes, graph, names, parts, series, steps)}


def data(case: str) -> tuple[Any, Any]:
    """x and y for a case."""
    rng = np.random.default_rng(5)

    def some(*shape: int) -> Any:
        return rng.normal(size=(8, *shape)).astype(np.float32)

    if case == "images":
        return some(9, 8, 2), np.eye(3, dtype=np.float32)[rng.integers(3, size=8)]
    if case == "shapes":
        return some(12), some(2)
    if case == "parts":
        return [some(6, 8, 3), some(4, 5), (some(4, 6) > -0.5).astype(np.float32)], some(2)
    if case == "series":
        return some(6, 3), some(2)
    if case == "steps":
        words = rng.integers(0, 9, (8, 6)) * (np.arange(6) < 1 + np.arange(8)[:, None])
        return [words, some(6, 3) * (words > 2)[..., None]], [some(2), some(6, 4)]
    if case == "sizes":
        return some(9, 8, 2), some(2)
    if case == "graph":
        return [some(4), some(4)], [rng.integers(2, size=(8, 1)).astype(np.float32), some(2)]
    return some(3), {"u": some(2), "t": some(1)}


def outputs(model: Any, x: Any) -> list[Any]:
    """Predictions; for a dict in the order of its keys."""
    found = model.predict(x, verbose=0)
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found)]
    return [np.asarray(one) for one in (found if isinstance(found, (list, tuple)) else [found])]


def trained(k: Any, case: str) -> Any:
    k.utils.set_random_seed(3)
    model = MODELS[case](k)
    x, y = data(case)
    for _ in range(3):
        model.train_on_batch(x, y)
    return model


KERAS_2 = {
    "class_name": "Functional",
    "keras_version": "2.15.0",
    "config": {
        "name": "model",
        "trainable": True,
        "layers": [
            {
                "class_name": "InputLayer",
                "config": {
                    "batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False,
                    "name": "input_1",
                },
                "name": "input_1",
                "inbound_nodes": [],
            },
            {
                "class_name": "Sequential",
                "config": {
                    "name": "sequential",
                    "layers": [
                        {
                            "class_name": "InputLayer",
                            "config": {
                                "batch_input_shape": [None, 4], "dtype": "float32", "sparse": False,
                                "ragged": False, "name": "dense_input",
                            },
                        },
                        {
                            "class_name": "Dense",
                            "config": {
                                "name": "dense", "trainable": True, "dtype": "float32",
                                "batch_input_shape": [None, 4], "units": 4, "activation": "relu",
                                "use_bias": True,
                                "kernel_initializer": {"class_name": "GlorotUniform", "config": {}},
                                "bias_initializer": {"class_name": "Zeros", "config": {}},
                                "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}},
                                "bias_regularizer": None, "activity_regularizer": None,
                                "kernel_constraint": None, "bias_constraint": None,
                            },
                        },
                    ],
                },
                "name": "sequential",
                "inbound_nodes": [[["input_1", 0, 0, {}]], [["normal", 0, 0, {}]]],
            },
            {
                "class_name": "BatchNormalization",
                "config": {
                    "name": "normal", "trainable": True, "dtype": "float32", "axis": [1], "momentum": 0.99,
                    "epsilon": 0.001, "center": True, "scale": True,
                    "beta_initializer": {"class_name": "Zeros", "config": {}},
                    "gamma_initializer": {"class_name": "Ones", "config": {}},
                    "moving_mean_initializer": {"class_name": "Zeros", "config": {}},
                    "moving_variance_initializer": {"class_name": "Ones", "config": {}},
                    "beta_regularizer": None, "gamma_regularizer": None, "beta_constraint": None,
                    "gamma_constraint": None,
                },
                "name": "normal",
                "inbound_nodes": [[["sequential", 1, 0, {}]]],
            },
            {
                "class_name": "LeakyReLU",
                "config": {"name": "leaky", "trainable": True, "dtype": "float32", "alpha": 0.25},
                "name": "leaky",
                "inbound_nodes": [[["sequential", 2, 0, {}]]],
            },
            {
                "class_name": "Concatenate",
                "config": {"name": "wide", "trainable": True, "dtype": "float32", "axis": -1},
                "name": "wide",
                "inbound_nodes": [[["input_1", 0, 0, {}], ["leaky", 0, 0, {}]]],
            },
        ],
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["wide", 0, 0]],
    },
}  # fmt: skip
KERAS_2_TRAINING = {
    "loss": {"class_name": "MeanSquaredError", "config": {"reduction": "auto", "name": "mean_squared_error"}},
    "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"name": "mae", "fn": "mae"}}]],
    "weighted_metrics": None,
    "loss_weights": None,
    "optimizer_config": {
        "class_name": "Custom>SGD",
        "config": {
            "name": "SGD", "weight_decay": None, "clipnorm": None, "global_clipnorm": None, "clipvalue": None,
            "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "jit_compile": True,
            "is_legacy_optimizer": False, "learning_rate": 0.01, "momentum": 0.0, "nesterov": False,
        },
    },
}  # fmt: skip
KERAS_2_WEIGHTS = {
    "sequential": {"dense/kernel:0": (4, 4), "dense/bias:0": (4,)},
    "normal": {
        "normal/gamma:0": (4,),
        "normal/beta:0": (4,),
        "normal/moving_mean:0": (4,),
        "normal/moving_variance:0": (4,),
    },
}


def keras_2(h5py: Any, for_keras_3: bool = False) -> bytes:
    """A file in the layout of Keras 2.15, which counts the calls of a Sequential from 1 where that begins
    with an input. Keras 3 reads it where they are counted from 0.
    """
    config = json.dumps(KERAS_2)
    for number in (0, 1) if for_keras_3 else ():
        config = config.replace(f'"sequential", {number + 1}', f'"sequential", {number}')
    rng, buffer = np.random.default_rng(4), io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", "2.15.0"
        file.attrs["model_config"], file.attrs["training_config"] = config, json.dumps(KERAS_2_TRAINING)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [entry["name"].encode() for entry in KERAS_2["config"]["layers"]]  # type: ignore[index]
        for entry in KERAS_2["config"]["layers"]:  # type: ignore[index]
            group, own = weights.create_group(entry["name"]), KERAS_2_WEIGHTS.get(entry["name"], {})
            group.attrs["weight_names"] = [name.encode() for name in own]
            for name, size in own.items():
                group.create_dataset(name, data=rng.uniform(0.5, 1.5, size).astype(np.float32))
        weights.create_group("top_level_model_weights").attrs["weight_names"] = np.zeros(0)
    return buffer.getvalue()


def main() -> None:
    import tempfile

    import h5py
    import keras

    folder, facts = Path(tempfile.mkdtemp()), {}
    files = {"keras_2.h5": keras_2(h5py)}
    for case in MODELS:
        model = trained(keras, case)
        x, y = data(case)
        for end in (".keras", ".h5", ".weights.h5"):
            if end != ".h5" or case not in NOT_IN_H5:
                path = folder / f"{case}{end}"
                (model.save_weights if end == ".weights.h5" else model.save)(path)
                files[path.name] = path.read_bytes()
        again = keras.models.load_model(folder / f"{case}.keras")
        facts[case] = {"before": [one.tolist() for one in outputs(again, x)]}
        for _ in range(2):
            again.train_on_batch(x, y)
        facts[case]["after"] = [one.tolist() for one in outputs(again, x)]
    (folder / "keras_2.h5").write_bytes(keras_2(h5py, for_keras_3=True))
    old = keras.models.load_model(folder / "keras_2.h5", compile=False)
    facts["keras_2"] = {"before": [one.tolist() for one in outputs(old, data("graph")[0][0])]}
    files["facts.json"] = json.dumps(facts).encode()
    with zipfile.ZipFile(FIXTURES, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    print(FIXTURES, FIXTURES.stat().st_size)


if __name__ == "__main__":
    main()
