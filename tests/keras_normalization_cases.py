"""Cases of normalizations for keras_cases.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras_graph_cases import set_weights

IMAGES = np.sin(np.arange(2 * 9 * 8 * 4, dtype=np.float32)).reshape(2, 9, 8, 4)


def batch_normalized(k: Any) -> Any:
    """Ten steps of a small CNN; then with a frozen layer; predictions, losses and all weights in between."""
    n = k.layers
    shared = n.BatchNormalization(momentum=0.8, scale=False, name="shared")
    first, second = k.Input((9, 8, 4)), k.Input((9, 8, 4))
    images = n.Conv2D(5, 3, use_bias=False, name="conv")
    norm = n.BatchNormalization(axis=2, momentum=0.7, epsilon=0.01, name="columns")
    h = n.Concatenate()([shared(images(first)), shared(images(second))])
    h = n.MaxPooling2D()(n.Activation("relu")(n.BatchNormalization(name="own")(h)))
    h = n.Flatten()(n.Activation("tanh")(norm(h)))
    h = n.BatchNormalization(center=False, name="dense_norm")(n.Dense(6, use_bias=False, name="dense")(h))
    model = k.Model([first, second], n.Dense(2, name="last")(h))
    for name in ("conv", "dense", "last"):
        set_weights(model.get_layer(name))
    xs, y = [IMAGES, IMAGES[::-1] * 2 + 1], IMAGES[:, 0, 0, :2]
    found: list[Any] = [[w.name, w.shape] for w in model.weights]
    for frozen, optimizer in ((False, k.optimizers.SGD(0.01)), (True, k.optimizers.SGD(0.01, 0.5))):
        norm.trainable = shared.trainable = not frozen
        model.compile(optimizer, "mse")
        weight = np.array([1.0, 0.25], np.float32)
        found.append([model.train_on_batch(xs, y, sample_weight=weight) for _ in range(10)])
        found += [model.evaluate(xs, y, verbose=0), model.predict(xs, verbose=0), model.get_weights()[1:]]
        found.append([model.count_params(), [w.name for w in model.trainable_weights]])
    model(xs, training=True)
    return [*found, model.get_layer("own").get_weights()]


def normalized(k: Any) -> Any:
    """Weights, and steps of Adam through layers over several axes, with and without gamma and beta."""
    n = k.layers
    model = k.Sequential([k.Input((9, 8, 4)), n.Conv2D(3, 2), n.LayerNormalization(name="a"), n.ReLU()])
    model.add(n.LayerNormalization([1, 2, 3], 0.1, scale=False, name="b"))
    model.add(n.Flatten())
    model.add(n.Dense(6))
    model.add(n.LayerNormalization(center=False, name="c"))
    model.add(n.Dense(2))
    layer = model.get_layer("a")
    found = [[w.name, w.shape, float(np.sum(w))] for w in layer.weights]
    set_weights(model).compile(k.optimizers.Adam(0.01), "mse")
    losses = [model.train_on_batch(IMAGES, IMAGES[:, 0, 0, :2]) for _ in range(4)]
    settings = {key: value for key, value in n.LayerNormalization().get_config().items() if key != "name"}
    kept = {key: settings[key] for key in ("axis", "epsilon", "center", "scale", "trainable")}
    return [found, kept, losses, [w for w in model.get_weights() if w.size < 50], model.count_params()]


def normalization(k: Any) -> Any:
    """The function, with its defaults and without, and of values far from 0."""
    f, x = k.ops.layer_normalization, IMAGES[0]
    last, both = (np.cos(np.arange(size, dtype=np.float32)) for size in (4, 32))
    calls = [f(x), f(x, last), f(x, last, last[::-1].copy(), epsilon=0.5), f(x + 50, axis=[0, 1, 2])]
    calls.append(f(x, both.reshape(8, 4), None, [2, 1], 0.01))
    return [np.asarray(y).reshape(-1)[::37] for y in calls]
