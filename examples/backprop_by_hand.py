"""Lesson 2: what `fit` does, by hand in NumPy, and the same numbers from nncore.

A network of one hidden layer, built from a single neuron up: the forward pass, the loss, the gradient of
every weight, and gradient descent in mini-batches. Then the same network in nncore: outputs, loss,
gradients and trained weights agree to the rounding of float32 (NumPy computes here in float64).

    python examples/backprop_by_hand.py

Shapes: n samples, 2 inputs, h hidden neurons, 1 output. A row is a sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncore.layers import Dense, Input
from nncore.models import Sequential
from nncore.optimizers import SGD

Array = NDArray[np.float64]
Weights = list[Array]  # w1 (2, h), b1 (h,), w2 (h, 1), b2 (1,), in the order of Keras' get_weights()


# ---- Forward: from one neuron to a network


def sigmoid(z: Array) -> Array:
    """Any number z to one between 0 and 1."""
    return 1 / (1 + np.exp(-z))


def neuron(x: Array, w: Array, b: float) -> float:
    """One neuron, one sample: weigh the inputs, add the bias, squash the sum. x (2,), w (2,)."""
    return float(sigmoid(np.sum(x * w) + b))


def layer_loop(x: Array, w: Array, b: Array) -> Array:
    """One layer, one sample: a neuron for each column of w. x (2,), w (2, h), b (h,) -> (h,)."""
    return np.array([neuron(x, w[:, j], b[j]) for j in range(w.shape[1])])


def layer(x: Array, w: Array, b: Array) -> Array:
    """All neurons and all samples in one matrix product. x (n, 2), w (2, h), b (h,) -> (n, h)."""
    return sigmoid(x @ w + b)


def predict(x: Array, weights: Weights) -> Array:
    """The network is a layer of a layer. x (n, 2) -> (n, 1)."""
    w1, b1, w2, b2 = weights
    return layer(layer(x, w1, b1), w2, b2)


def cross_entropy(y: Array, p: Array) -> float:
    """The mean of -log(the probability that the network gave to the right answer). y, p (n, 1)."""
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


# ---- Backward: how the loss changes with each weight


def sigmoid_derivative(z: Array) -> Array:
    """Of the *pre-activation* z, the sum before the sigmoid.

    The tutorial that this lesson follows passes the activation a = sigmoid(z) to this function. That is a
    mistake: the slope is needed where the sigmoid was evaluated, at z. With a at hand it is a * (1 - a),
    and not sigmoid(a) * (1 - sigmoid(a)), which lies between 0.19 and 0.25 whatever a is. Training often
    goes downhill even so, since the sign for each sample is right, but not along the gradient;
    `gradients_of_the_tutorial` shows how far off it is.
    """
    a = sigmoid(z)
    return a * (1 - a)


def gradients(x: Array, y: Array, weights: Weights) -> Weights:
    """The derivative of the loss by each weight: the chain rule, from the loss back to the input."""
    w1, b1, w2, b2 = weights
    z1 = x @ w1 + b1  # (n, h)
    a1 = sigmoid(z1)
    p = sigmoid(a1 @ w2 + b2)  # (n, 1)

    # Loss and last sigmoid together: the derivative of the cross-entropy, (p - y) / (p (1 - p)), times
    # the sigmoid's slope, p (1 - p), leaves p - y.
    dz2 = (p - y) / len(x)
    dw2, db2 = a1.T @ dz2, dz2.sum(axis=0)

    da1 = dz2 @ w2.T  # each hidden neuron is to blame as far as its weight reaches
    dz1 = da1 * sigmoid_derivative(z1)
    dw1, db1 = x.T @ dz1, dz1.sum(axis=0)
    return [dw1, db1, dw2, db2]


def gradients_of_the_tutorial(x: Array, y: Array, weights: Weights) -> Weights:
    """As `gradients`, but with the mistake that `sigmoid_derivative` tells of."""
    w1, b1, w2, b2 = weights
    a1 = layer(x, w1, b1)
    dz2 = (layer(a1, w2, b2) - y) / len(x)
    dz1 = dz2 @ w2.T * sigmoid_derivative(a1)
    return [x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)]


def numeric_gradients(x: Array, y: Array, weights: Weights, step: float = 1e-5) -> Weights:
    """The judge of both: move each weight a little up and down and see what the loss does."""
    results = []
    for w in weights:
        slope = np.zeros_like(w)
        for i in np.ndindex(w.shape):
            kept = w[i]
            w[i] = kept + step
            above = cross_entropy(y, predict(x, weights))
            w[i] = kept - step
            below = cross_entropy(y, predict(x, weights))
            w[i] = kept
            slope[i] = (above - below) / (2 * step)
        results.append(slope)
    return results


# ---- Gradient descent


def train(
    x: Array, y: Array, weights: Weights, epochs: int, batch_size: int, learning_rate: float
) -> Weights:
    """A step against the gradient for each batch of rows, through all rows `epochs` times."""
    weights = [w.copy() for w in weights]
    for _ in range(epochs):
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)
            for w, dw in zip(weights, gradients(x[rows], y[rows], weights)):
                w -= learning_rate * dw
    return weights


# ---- The same in nncore


def build(weights: Weights, learning_rate: float) -> Sequential:
    hidden = weights[0].shape[1]
    model = Sequential([Input((2,)), Dense(hidden, activation="sigmoid"), Dense(1, activation="sigmoid")])
    model.compile(SGD(learning_rate), loss="binary_crossentropy", metrics=["accuracy"])
    model.set_weights(weights)
    return model


def gradients_of_nncore(x: Array, y: Array, weights: Weights) -> Weights:
    """One step of plain gradient descent at rate 1 subtracts exactly the gradient."""
    model = build(weights, learning_rate=1.0)
    before = model.get_weights()
    model.train_on_batch(x, y)
    return [w.astype(np.float64) - v for w, v in zip(before, model.get_weights())]


def difference(a: Weights, b: Weights) -> float:
    return max(float(np.abs(v - w).max()) for v, w in zip(a, b))


def main(epochs: int = 200, hidden: int = 6) -> dict[str, float]:
    """Largest differences between NumPy and nncore, by what is compared, and both accuracies."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (400, 2))
    y = (x[:, :1] * x[:, 1:] < 0).astype(np.float64)  # exclusive or: exactly one coordinate is negative
    weights = [rng.normal(0, 1, (2, hidden)), np.zeros(hidden), rng.normal(0, 1, (hidden, 1)), np.zeros(1)]

    print("Forward")
    by_loop = np.array([layer_loop(sample, weights[0], weights[1]) for sample in x])
    by_matrix = layer(x, weights[0], weights[1])
    print(
        f"  layer: neuron by neuron or as one matrix product   {np.abs(by_loop - by_matrix).max():.1e} apart"
    )
    model = build(weights, learning_rate=1.0)
    outputs = float(np.abs(predict(x, weights) - model.predict(x)).max())
    print(f"  outputs: NumPy and nncore                          {outputs:.1e} apart")
    loss = abs(cross_entropy(y, predict(x, weights)) - model.evaluate(x, y, verbose=0)[0])
    print(f"  loss: NumPy and nncore                             {loss:.1e} apart")

    print("Backward, by the worst of all gradients")
    right, judge = gradients(x, y, weights), numeric_gradients(x, y, weights)
    size = max(float(np.abs(dw).max()) for dw in judge)
    print(f"  the largest gradient                               {size:.1e}")
    print(f"  by the chain rule and by trying                    {difference(right, judge):.1e} apart")
    mistaken = difference(gradients_of_the_tutorial(x, y, weights), judge)
    print(f"  with the tutorial's mistake and by trying          {mistaken:.1e} apart")
    gradient = difference(right, gradients_of_nncore(x, y, weights))
    print(f"  NumPy and nncore                                   {gradient:.1e} apart")

    print(f"Training, {epochs} epochs in batches of 10")
    trained = train(x, y, weights, epochs, batch_size=10, learning_rate=0.5)
    model = build(weights, learning_rate=0.5)
    model.fit(x, y, batch_size=10, epochs=epochs, shuffle=False, verbose=0)
    after = difference(trained, [w.astype(np.float64) for w in model.get_weights()])
    print(f"  weights: NumPy and nncore                          {after:.1e} apart")
    accuracy = float(np.mean((predict(x, trained) > 0.5) == y))
    accuracy_of_nncore = model.evaluate(x, y, verbose=0)[1]
    print(f"  accuracy: NumPy {accuracy:.1%}, nncore {accuracy_of_nncore:.1%}")
    return {
        "outputs": outputs,
        "loss": loss,
        "gradients": gradient,
        "numeric": difference(right, judge),
        "mistake": mistaken,
        "weights": after,
        "accuracy": accuracy,
        "accuracy of nncore": accuracy_of_nncore,
    }


if __name__ == "__main__":
    main()
