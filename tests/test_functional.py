"""Models of graphs: values, structures of inputs and outputs, sharing, models in models."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import Input, Model, Sequential, layers, losses
from nncore.layers import Add, Concatenate, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D
from nncore.models import load_model
from nncore.models.model import net_of

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(24, 3)), RNG.normal(size=(24, 2))
P, Q = RNG.normal(size=(24, 1)), RNG.normal(size=(24, 2))


def two_by_two(form: str = "list") -> Model:
    a, b = Input((3,), name="a"), Input((2,), name="b")
    h = Dense(8, activation="tanh", name="h")(Concatenate()([a, b]))
    p, q = Dense(1, name="p")(h), Dense(2, name="q")(h)
    forms: dict[str, tuple[Any, Any]] = {
        "list": ([a, b], [p, q]),
        "tuple": ((a, b), (p, q)),
        "dict": ({"left": a, "right": b}, {"one": p, "two": q}),
    }
    return Model(*forms[form])


# ---- values


def test_values_know_shapes_and_makers() -> None:
    x = Input((8, 8, 3), name="x")
    y = Conv2D(4, 3, name="c")(x)
    assert (x.shape, y.shape, y.name, y.dtype, y.ndim) == (
        (None, 8, 8, 3),
        (None, 6, 6, 4),
        "c",
        "float32",
        4,
    )
    assert Flatten()(y).shape == (None, 144)
    assert Concatenate(axis=1)([x, x]).shape == (None, 16, 8, 3)


@pytest.mark.parametrize(
    "use", [np.asarray, bool, len, list, float, lambda v: v + 1, lambda v: np.ones(3) * v, lambda v: v[0]]
)
def test_values_have_no_numbers(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"\[x\] .* has no numbers: call layers on it"):
        use(Input((3,), name="x"))


def test_open_sizes() -> None:
    image = Input((None, None, 3))
    y = Conv2D(4, 3)(image)
    assert y.shape == (None, None, None, 4)
    assert Flatten()(y).shape == (None, None)
    assert layers.Reshape((-1, 4))(y).shape == (None, None, 4)
    with pytest.raises(ValueError, match=r"\[d\] the size of its weights is open"):
        Dense(2, name="d")(Flatten()(y))
    with pytest.raises(ValueError, match=r"\[c\] .* \(720 stands for sizes that are open\)"):
        Conv2D(4, 3, name="c")(Input((None, 2, 3)))
    model = Model(image, Dense(5)(GlobalAveragePooling2D()(y)))
    assert model.input_shape == (None, None, None, 3)
    for size in (5, 9, 6, 5):
        x = RNG.normal(size=(3, size, size + 1, 3))
        kernel, bias, w, b = model.get_weights()
        mean = np.asarray(nncore.reference.conv2d(x, kernel, bias)).mean((1, 2))
        np.testing.assert_allclose(model.predict(x), mean @ w + b, atol=1e-5)
    model.compile("sgd", "mse")
    for size in (5, 9, 5):
        model.fit(RNG.normal(size=(4, size, size, 3)), np.zeros((4, 5)), verbose=0)


# ---- graphs


def test_a_chain_has_the_bits_of_its_sequential() -> None:
    x, y = RNG.normal(size=(64, 6)), RNG.integers(0, 3, 64)

    def parts() -> list[Any]:
        return [Dense(16, activation="relu"), Dropout(0.3), Dense(3, activation="softmax")]

    found = []
    for kind in ("sequential", "functional"):
        nncore.utils.set_random_seed(4)
        if kind == "sequential":
            model: Any = Sequential([Input((6,)), *parts()])
        else:
            value = start = Input((6,))
            for layer in parts():
                value = layer(value)
            model = Model(start, value)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, epochs=3, batch_size=8, verbose=0)
        found.append((history.history, model.predict(x).tobytes(), net_of(model).required_network().steps()))
    assert found[0] == found[1]


@pytest.mark.parametrize("form", ["list", "tuple", "dict"])
def test_several_inputs_and_outputs(form: str) -> None:
    model = two_by_two(form)
    x: Any = {"left": A, "right": B} if form == "dict" else [A, B]
    y: Any = {"one": P, "two": Q} if form == "dict" else (P, Q)
    names = ["one", "two"] if form == "dict" else ["p", "q"]
    assert model.output_names == names
    found = model.predict(x)
    assert type(found).__name__ == form
    p, q = found.values() if form == "dict" else found
    h = np.tanh(np.hstack([A, B]) @ model.get_layer("h").get_weights()[0])
    for out, name in ((p, "p"), (q, "q")):
        np.testing.assert_allclose(out, h @ model.get_layer(name).get_weights()[0], atol=1e-5)
    model.compile(
        "sgd", ["mse", "mae"] if form != "dict" else {"one": "mse", "two": "mae"}, loss_weights=[1, 0.5]
    )
    scores = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(scores) == ["loss", f"{names[0]}_loss", f"{names[1]}_loss"]
    own = np.mean((p - P) ** 2), np.mean(np.abs(q - Q))
    np.testing.assert_allclose(list(scores.values()), [own[0] + 0.5 * own[1], *own], rtol=1e-5)
    history = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0).history
    assert sorted(history) == sorted([*scores, *(f"val_{key}" for key in scores)])
    assert model.evaluate(x, y, verbose=0)[0] < scores["loss"]


def test_names_of_inputs_and_outputs_work_beside_the_keys() -> None:
    model = two_by_two("dict")
    np.testing.assert_array_equal(
        model.predict({"a": A, "b": B})["one"], model.predict({"left": A, "right": B})["one"]
    )
    plain = two_by_two()
    np.testing.assert_array_equal(plain.predict({"b": B, "a": A})[1], plain.predict((A, B))[1])


def test_logs_are_those_of_keras() -> None:
    """Keras 3.15.1: the logs sorted, evaluate's list with losses first and the rest sorted."""
    model = two_by_two()
    model.compile("sgd", ["mse", "mae"], loss_weights=[1, 0.5], metrics=[["mae"], ["mse", "mae"]])
    history = model.fit([A, B], [P, Q], verbose=0).history
    assert list(history) == ["loss", "p_loss", "p_mae", "q_loss", "q_mae", "q_mse"]
    assert model.metrics_names == ["loss", "p_loss", "q_loss", "p_mae", "q_mae", "q_mse"]
    values = model.evaluate([A, B], [P, Q], verbose=0)
    assert values == [
        model.evaluate([A, B], [P, Q], verbose=0, return_dict=True)[k] for k in model.metrics_names
    ]
    model.compile("sgd", {"p": "mse", "q": "mae"}, metrics={"p": "mae"}, weighted_metrics={"q": ["mae"]})
    assert list(model.fit([A, B], {"q": Q, "p": P}, verbose=0).history) == [
        "loss", "p_loss", "p_mae", "q_loss", "q_mae",
    ]  # fmt: skip
    model.compile("sgd", ["mse", None])
    assert list(model.fit([A, B], [P, Q], verbose=0).history) == ["loss"]
    assert list(model.fit([A, B], {"p": P}, verbose=0).history) == ["loss"]
    model.compile("sgd", ["mse", "mae"])
    history = model.fit([A, B], [P, Q], sample_weight=[np.ones(24), np.zeros(24)], verbose=0).history
    assert history["q_loss"] == [0.0]
    assert history["loss"] == history["p_loss"]


def test_generators_of_several() -> None:
    model, other = two_by_two(), two_by_two()
    other.set_weights(model.get_weights())
    for one in (model, other):
        one.compile("sgd", ["mse", "mae"])
    parts = [slice(0, 8), slice(8, 16), slice(16, 24)]
    source = [((A[s], B[s]), (P[s], Q[s])) for s in parts]
    model.fit((item for item in source), verbose=0)
    other.fit([A, B], [P, Q], batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)
    model.train_on_batch([A, B], [P, Q])
    found = model.predict(((A[s], B[s]),) for s in parts)
    np.testing.assert_array_equal(found[0], model.predict([A, B])[0])
    np.testing.assert_array_equal(found[1], model.predict([A, B], batch_size=7, verbose=0, callbacks=[])[1])


def test_a_layer_that_is_called_twice_shares_its_weights() -> None:
    a, b = Input((4,)), Input((4,))
    shared = Dense(3, name="shared")
    model = Model([a, b], Add()([shared(a), shared(b)]))
    assert [w.path for w in model.weights] == ["shared/kernel", "shared/bias"]
    x, z = RNG.normal(size=(2, 10, 4))
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model.predict([x, z]), (x + z) @ kernel + 2 * bias, atol=1e-5)
    model.compile("sgd", "mse")
    y = RNG.normal(size=(10, 3))
    slope = 2 * (model.predict([x, z]) - y) / y.size
    model.train_on_batch([x, z], y)
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.01 * (x + z).T @ slope, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], bias - 0.02 * slope.sum(0), atol=1e-6)


def test_parts_of_a_model_share_its_weights() -> None:
    model = Sequential([Input((6,)), Dense(3, name="code"), Dense(6)])
    encoder = Model(model.input, model.get_layer("code").output)
    decoder = Model(model.get_layer("code").output, model.output)
    model.compile("adam", "mse")
    x = RNG.normal(size=(40, 6))
    model.fit(x, x, epochs=2, verbose=0)
    code = encoder.predict(x)
    kernel, bias = model.layers[0].get_weights()
    np.testing.assert_allclose(code, x @ kernel + bias, atol=1e-5)
    np.testing.assert_allclose(decoder.predict(code), model.predict(x), atol=1e-5)
    restored = pickle.loads(pickle.dumps(decoder))
    np.testing.assert_array_equal(restored.predict(code), decoder.predict(code))


@pytest.mark.parametrize("is_built", [True, False])
def test_models_in_models(is_built: bool, tmp_path: Path) -> None:
    inner = Sequential(
        [*([Input((5,))] if is_built else []), Dense(4, activation="relu", name="d")], name="inner"
    )
    outer = Sequential([Input((5,)), inner, Dense(2, name="d")])
    assert [layer.name for layer in outer.layers] == ["inner", "d"]
    assert outer.get_layer("inner") is inner
    x, y = RNG.normal(size=(20, 5)), RNG.normal(size=(20, 2))
    outer.compile("sgd", "mse")
    before = inner.predict(x)
    outer.fit(x, y, verbose=0)
    assert not np.array_equal(inner.predict(x), before)  # trained inside
    inner.compile("sgd", "mse")
    middle = outer.predict(x)
    inner.fit(x, np.ones((20, 4)), verbose=0)
    assert not np.array_equal(outer.predict(x), middle)  # trained alone
    outer.save(tmp_path / "m.safetensors")
    restored = load_model(tmp_path / "m.safetensors")
    assert isinstance(restored.layers[0], Sequential)
    np.testing.assert_array_equal(restored.predict(x), outer.predict(x))
    for model in (outer, restored):
        model.fit(x, y, epochs=2, verbose=0)
    np.testing.assert_array_equal(restored.predict(x), outer.predict(x))
    names = [w.path for w in outer.weights]
    assert names == ["d/kernel", "d/bias", "d/kernel", "d/bias"]
    inner.trainable = False
    outer.compile("sgd", "mse")
    frozen = inner.get_weights()
    outer.fit(x, y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(frozen, inner.get_weights()))


def test_a_model_called_twice_with_several_outputs() -> None:
    x = Input((3,))
    pair = Model(x, [Dense(2, name="l")(x), Dense(2, name="r")(x)], name="pair")
    u, v = Input((3,)), Input((3,))
    (l1, r1), (l2, r2) = pair(u), pair(v)
    model = Model([u, v], [Add()([l1, r2]), Concatenate()([l2, r1])])
    assert len(model.weights) == 4
    a, b = RNG.normal(size=(2, 5, 3))
    (la, ra), (lb, rb) = pair.predict(a), pair.predict(b)
    first, second = model.predict([a, b])
    np.testing.assert_allclose(first, la + rb, atol=1e-6)
    np.testing.assert_allclose(second, np.hstack([lb, ra]), atol=1e-6)
    assert model.output_names == [model.layers[-2].name, model.layers[-1].name]


def test_saving_keeps_graphs(tmp_path: Path) -> None:
    for form in ("list", "tuple", "dict"):
        model = two_by_two(form)
        model.compile("adam", {model.output_names[0]: "mse"}, loss_weights=[2, 1], metrics=[["mae"], None])
        x: Any = dict(zip(("left", "right"), (A, B))) if form == "dict" else [A, B]
        y: Any = dict(zip(("one", "two"), (P, Q))) if form == "dict" else [P, Q]
        model.fit(x, y, verbose=0)
        path = tmp_path / f"{form}.safetensors"
        model.save(path)
        for other in (load_model(path), pickle.loads(pickle.dumps(model))):
            assert type(other) is Model
            assert other.name == model.name
            assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
            mine, theirs = model.predict(x), other.predict(x)
            assert type(mine) is type(theirs)
            for key in mine if form == "dict" else range(2):
                np.testing.assert_array_equal(mine[key], theirs[key])
            copy = pickle.loads(pickle.dumps(model))
            assert copy.fit(x, y, verbose=0).history == other.fit(x, y, verbose=0).history
            assert copy.metrics_names == other.metrics_names == model.metrics_names


def test_summary_tells_connections() -> None:
    lines: list[str] = []
    two_by_two().summary(line_length=88, print_fn=lines.append)
    text = lines[0]
    assert "Connected to" in text
    assert "a, b" in text
    lines.clear()
    x = Input((3,))
    Model(x, Dense(2)(x)).summary(print_fn=lines.append)
    assert "Connected to" not in lines[0]


def test_weights_of_a_layer_before_its_model() -> None:
    layer = Dense(2, name="d")
    y = layer(x := Input((3,)))
    assert layer.built
    assert layer.kernel.shape == (3, 2)
    layer.set_weights([np.full((3, 2), 0.5), np.ones(2)])
    assert Model(x, y).predict([[1, 2, 3]]).tolist() == [[4.0, 4.0]]


@pytest.mark.once
def test_the_guide_runs() -> None:
    text = (Path(__file__).parent.parent / "docs" / "functional.md").read_text()
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), {})


MISTAKES: list[tuple[str, type[Exception], str, Callable[[], Any]]] = [
    ("nothing given", ValueError, "inputs and outputs must be given", lambda: Model()),
    ("a layer as output", TypeError, "outputs must be values", lambda: Model(Input((3,)), Dense(2))),
    ("an array as input", TypeError, "inputs must be values", lambda: Model(A, Dense(2)(Input((3,))))),
    ("no outputs", ValueError, "outputs must hold at least one", lambda: Model(Input((3,)), [])),
    ("an input left out", ValueError, "needs the Input 'b'",
     lambda: Model(Input((3,), name="a"), Dense(2)(Input((2,), name="b")))),
    ("an input twice", ValueError, "the same value twice", lambda: Model([x := Input((3,)), x], Dense(2)(x))),
    ("names twice", ValueError, "several layers 'd'",
     lambda: Model(x := Input((3,)), Dense(3, name="d")(Dense(3, name="d")(x)))),
    ("two values for one", ValueError, "takes one input, got 2",
     lambda: Dense(2)([Input((3,)), Input((3,))])),
    ("a value beside an array", TypeError, "values only", lambda: Add()([Input((3,)), A])),
    ("one for several", TypeError, "called on a list", lambda: Add()(A)),
    ("one value for several", TypeError, "called on a list", lambda: Add()(Input((3,)))),
    ("batch axis", ValueError, "axis=0 is the batch axis", lambda: Concatenate(axis=0)),
    ("shapes that differ", ValueError, "one shape", lambda: Add()([Input((3,)), Input((4,))])),
    ("training of a value", ValueError, "models decide it", lambda: Dropout(0.5)(Input((3,)), training=True)),
    ("a model of another shape", ValueError, "made for samples of shape",
     lambda: Sequential([Input((3,)), Dense(2)])(Input((4,)))),
    ("several outputs in a chain", ValueError, "in a Sequential each item has one",
     lambda: Sequential([Input((3,)), Model(x := Input((3,)), [Dense(1)(x), Dense(2)(x)])])),
    ("x alone", ValueError, r"x must be a list or tuple of 2 \(a, b\)", lambda: two_by_two().predict(A)),
    ("x too short", ValueError, "got 1 items", lambda: two_by_two().predict([A])),
    ("x of another name", ValueError, "x has 'c'", lambda: two_by_two().predict({"a": A, "c": B})),
    ("x with a hole", ValueError, "nothing for the input 'b'", lambda: two_by_two().predict({"a": A})),
    ("rows differ", ValueError, "24 of 'a', 23 of 'b'", lambda: two_by_two().predict([A, B[1:]])),
    ("y too long", ValueError, "y must be a list", lambda: compiled().fit([A, B], [P, Q, Q])),
    ("y with a hole", ValueError, "nothing for the output 'q'", lambda: compiled().fit([A, B], {"p": P})),
    ("class weights", ValueError, "class_weight is for one output",
     lambda: compiled().fit([A, B], [P, Q], class_weight={0: 1.0})),
    ("loss of another name", ValueError, "loss names the output 'z'",
     lambda: two_by_two().compile("sgd", {"z": "mse"})),
    ("losses too few", ValueError, "one item for each of the 2 outputs",
     lambda: two_by_two().compile("sgd", ["mse"])),
    ("metrics too few", ValueError, "one item for each of the 2 outputs",
     lambda: two_by_two().compile("sgd", "mse", metrics=["mae"])),
    ("built for another shape", ValueError, "made for samples of shape",
     lambda: Model(x := Input((3,)), Dense(2)(x)).build((None, 4))),
    ("no loss", ValueError, "there is no loss", lambda: compiled(None).fit([A, B], [P, Q])),
    ("a class with call", TypeError, "call would be ignored", lambda: type("M", (Model,), {
        "__module__": "user", "call": lambda self, x: x})),
]  # fmt: skip


def compiled(loss: Any = "mse") -> Model:
    model = two_by_two()
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(("_", "error", "message", "call"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistakes(_: str, error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=message):
        call()


def test_losses_may_be_objects() -> None:
    model = two_by_two()
    model.compile("sgd", [losses.MeanSquaredError(), losses.mean_absolute_error])
    assert model.fit([A, B], [P, Q], verbose=0).history["loss"][0] > 0
