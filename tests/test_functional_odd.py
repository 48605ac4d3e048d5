"""Odd graphs and odd uses of functional models: each works, or is refused with a name and a reason."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_saving_damage import doctor, put

from nncore import Input, Model, Sequential
from nncore.callbacks import EarlyStopping, LambdaCallback
from nncore.layers import Activation, Add, Concatenate, Dense, Dot
from nncore.models import load_model

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(16, 3)), RNG.normal(size=(16, 2))


def trained(model: Any) -> Any:
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    return model


def nested() -> Model:
    x = Input((3,), name="x")
    inner = Sequential([Dense(4, name="a"), Dense(3, name="b")], name="inner")
    return trained(Model(x, Dense(2, name="c")(inner(x)), name="outer"))


# ---- sizes


@pytest.mark.parametrize("count", [65, 256])
def test_many_inputs(count: int) -> None:
    inputs = [Input((1,)) for _ in range(count)]
    model = Model(inputs, [Concatenate()(inputs), Add()(inputs)])
    data = [np.full((2, 1), i) for i in range(count)]
    joined, total = model.predict(data)
    assert joined[1].tolist() == list(range(count))
    assert total[1] == sum(range(count))
    model.compile("sgd", "mse")
    assert model.train_on_batch(data, [joined, total])[0] == 0.0


def test_more_inputs_than_a_call_may_have() -> None:
    with pytest.raises(ValueError, match=r"\[sum\] takes at most 256 inputs, got 257: let a layer join"):
        Add(name="sum")([Input((1,))] * 257)


def test_deep_models() -> None:
    value = x = Input((3,))
    shared = Dense(3, activation="relu")
    for _ in range(1500):
        value = Activation("relu")(shared(value))
    assert trained(Model(x, Dense(2)(value))).predict(X).shape == (16, 2)


def nest(model: Model, times: int, calls: int) -> Model:
    for _ in range(times):
        value = x = Input(model.input_shape[1:])
        for _ in range(calls):
            value = model(value)
        model = Model(x, value)
    return model


def test_models_in_models_in_models() -> None:
    model = Model(x := Input((3,)), Activation("relu")(x))
    assert nest(model, 200, 1).predict([[-1, 2, 3]]).tolist() == [[0, 2, 3]]
    with pytest.raises(ValueError, match="models in models, more than 256 deep"):
        nest(model, 300, 1)
    with pytest.raises(ValueError, match="at most 65536 calls of layers, nested models included, got 131072"):
        nest(model, 40, 2)


# ---- values and names


def test_models_that_begin_within_others_have_names_of_their_own() -> None:
    a = Input((3,), name="a")
    pair = Model(a, [Dense(3, name="l")(a), Dense(3, name="r")(a)], name="pair")
    values = pair(Input((3,)))
    again = Dense(3, name="again")
    middle = again(a)
    for model, names in (
        (Model(values, Add()(values)), ["pair", "pair_1"]),
        (Model(middle, again(middle)), ["again_1"]),
        (Model([middle, a], Add()([a, again(middle)])), ["again_1", "a"]),
    ):
        assert model.input_names == names
        x = {name: RNG.normal(size=(4, 3)) for name in names}
        other = pickle.loads(pickle.dumps(model))
        assert other.input_names == names
        np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_output_names_differ() -> None:
    x = Input((3,))
    a, b = Dense(2, name="a"), Dense(2, name="a_1")
    model = Model(x, [a(x), a(a.input), b(x), a(x)])
    assert model.output_names == ["a", "a_1", "a_1_1", "a_2"]
    model.compile("sgd", "mse")
    assert len(model.fit(X, [Y] * 4, verbose=0).history) == 5


def test_layers_are_in_the_order_of_keras() -> None:
    """Keras 3.15.1: by depth, inputs that none needs before others."""
    x, y, z = (Input((3,), name=name) for name in "xyz")
    h = Dense(3, name="h")
    model = Model([x, y, z], Add(name="add")([h(y), Dense(3, name="g")(h(h(y)))]))
    assert [layer.name for layer in model.layers] == ["y", "h", "g", "x", "z", "add"]


@pytest.mark.parametrize("keys", [(1, 2), (1, "a"), (None, "a")])
def test_keys_are_names(keys: Any) -> None:
    x = Input((3,))
    with pytest.raises(TypeError, match=r"\[m\] outputs must have names as keys, got"):
        Model(x, {key: Dense(2)(x) for key in keys}, name="m")


# ---- forms of data


@pytest.mark.parametrize("form", [list, tuple])
def test_a_list_of_one_is_called_as_in_keras(form: Any) -> None:
    """Keras 3.15.1: values come in the form of the outputs, arrays and shapes alone."""
    x = Input((3,))
    model = Model(form([x]), form([Dense(2)(x)]))
    assert type(model.input) is type(model.output) is type(model(Input((3,)))) is form
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    model.compile("sgd", "mse")
    model.fit(form([X]), form([Y]), verbose=0)
    expected = X @ model.get_weights()[0] + model.get_weights()[1]
    for found in (model(X), model.predict(X), model.predict([X], batch_size=3)):
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_dict_of_one_stays_a_dict() -> None:
    x = Input((3,))
    model = Model({"in": x}, {"out": Dense(2)(x)})
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    for found in (model({"in": X}), model.predict(X), model.predict({"in": X}, batch_size=3)):
        assert list(found) == ["out"]


@pytest.mark.parametrize("keys", [None, ("l", "r")])
def test_what_a_dict_has_besides_the_inputs_is_left_out(keys: Any) -> None:
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = Model(dict(zip(keys, (a, b))) if keys else [a, b], Add()([a, b]))
    data = dict(zip(keys or "ab", (X, X)))
    with pytest.warns(UserWarning, match="x has 'c', but there are ., .: it is ignored"):
        found = model.predict({**data, "c": X})
    np.testing.assert_array_equal(found, model.predict(data))


def test_data_that_is_not_of_the_inputs_is_described() -> None:
    model = Model([a := Input((3,), name="a"), b := Input((3,), name="b")], Add()([a, b]))
    with pytest.raises(
        ValueError, match=r"\(a, b\) or a dict with these names, got ndarray of shape \(16, 3\)"
    ):
        model.predict(X)


def test_batches_of_other_output_shapes() -> None:
    model = Model(x := Input((None, 3)), Dense(2)(x), name="m")
    with pytest.raises(
        ValueError, match=r"\[m\] batches have outputs of shapes \[\(4, 2\)\] and \[\(5, 2\)\]"
    ):
        model.predict((np.ones((2, n, 3)),) for n in (4, 4, 5))


@pytest.mark.parametrize(
    ("layer", "sizes"), [(Add(name="l"), (4, 5)), (Concatenate(name="l"), (1, 5)), (Dot(1, name="l"), (2, 3))]
)
def test_open_sizes_that_do_not_fit(layer: Any, sizes: tuple[int, int]) -> None:
    model = Model([a := Input((None, 3)), b := Input((None, 3))], layer([a, b]))
    with pytest.raises(ValueError, match=r"\[l\] expected"):
        model.predict([np.ones((2, size, 3)) for size in sizes])


# ---- training


def two() -> Any:
    x = Input((3,))
    model = Model(x, [Dense(2, name="p")(x), Dense(2, name="q")(x)], name="two")
    model.compile("sgd", "mse", metrics=[["mae"], None])
    return model


def test_callbacks_see_the_logs_of_each_output() -> None:
    best = EarlyStopping(monitor="val_q_loss", min_delta=100, patience=1, restore_best_weights=True)
    seen: list[Any] = []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(sorted(logs)))
    history = two().fit(X, [Y, Y], 8, 9, 0, [best, watch], validation_split=0.25)
    assert len(history.history["val_q_loss"]) == 2
    assert seen == [["loss", "p_loss", "p_mae", "q_loss"]] * 4


@pytest.mark.parametrize(
    ("loss", "message"), [("mae", "was compiled with other metrics"), (None, "not compiled with a loss")]
)
def test_models_that_are_compiled_in_a_step(loss: Any, message: str) -> None:
    model = two()
    again = LambdaCallback(on_train_batch_end=lambda *_: model.compile("adam", loss))
    with pytest.raises(RuntimeError, match=rf"\[two\] .*{message}"):
        model.fit(X, [Y, Y], 8, 2, 0, [again])
    model = two()
    again = LambdaCallback(on_epoch_end=lambda *_: model.compile("adam", "mae"))
    assert len(model.fit(X, [Y, Y], 8, 3, 0, [again]).history["q_loss"]) == 3


# ---- lifetimes


def built() -> Any:
    return Sequential([Input((3,)), Dense(2)])


def restored() -> Any:
    return pickle.loads(pickle.dumps(nested()))


def copied() -> Any:
    return copy.deepcopy(nested())


def changed() -> Any:
    model = built()
    model.add(Dense(3))
    model.pop()
    with pytest.raises(TypeError):
        model.add(3)
    return model


@pytest.mark.parametrize(
    "make", [built, lambda: trained(Sequential([Dense(2)])), nested, restored, copied, changed]
)
def test_what_is_deleted_is_gone(make: Callable[[], Any]) -> None:
    gc.collect()
    gc.disable()
    try:
        model = make()
        inner = [each for layer in model.layers if isinstance(layer, Sequential) for each in layer.layers]
        kept = [weakref.ref(each) for each in (model, *model.layers, *inner)]
        del inner
        del model
        assert [each() for each in kept] == [None] * len(kept)
    finally:
        gc.enable()


# ---- changes of a part


def test_a_sequential_in_another_model_cannot_be_changed() -> None:
    outer = nested()
    inner = outer.get_layer("inner")
    before = outer.predict(X)
    for change in (inner.pop, lambda: inner.add(Dense(5))):
        with pytest.raises(ValueError, match=r"\[inner\] is part of another model"):
            change()
    np.testing.assert_array_equal(outer.predict(X), before)
    del outer
    inner.pop()
    assert inner.predict(X).shape == (16, 4)


def test_a_sequential_cannot_be_a_part_of_itself() -> None:
    model = Sequential([Dense(3)], name="s")
    for layer in (model, Sequential([model])):
        with pytest.raises(ValueError, match=r"\[s\] cannot be a part of itself"):
            model.add(layer)
    assert len(model.layers) == 1
    for _ in range(40):  # models that are not built, which a walk must not enter twice
        model = Sequential([Sequential([model]), Sequential([model])])
    assert model.trainable


def test_a_layer_on_other_shapes_than_its_weights_are_for() -> None:
    layer = Dense(2, name="d")
    value = layer(Input((3,)))
    with pytest.raises(ValueError, match=r"\[d\] is built for samples of shape \(3,\), got \(4,\)"):
        layer(Input((4,)))
    assert layer(Input((5, 3))).shape == (None, 5, 2)
    assert value.shape == (None, 2)


MISTAKES: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (ValueError, r"\[s\] takes one input, got 2",
     lambda: Sequential([Dense(2)], name="s")([Input((3,)), Input((3,))])),
    (TypeError, r"expected a list of values only, .* 'i'>, ndarray of shape \(16, 3\)\]",
     lambda: Add()([Input((3,), name="i"), X])),
    (TypeError, r"\[two\] expected a value for each input, got \[<.*>, ndarray of shape \(16, 3\)\]",
     lambda: two()([Input((3,), name="i"), X])),
    (ValueError, r"x has nothing for the input 'b'", lambda: Model(
        [a := Input((3,), name="a"), b := Input((3,), name="b")], Add()([a, b]))({"a": Input((3,))})),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "call"), MISTAKES)
def test_mistakes(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_loss_by_the_name_of_the_last_layer_of_a_model_that_is_not_built() -> None:
    model = Sequential([Dense(3), Dense(2, name="d")])
    model.compile("sgd", {"d": "mse"}, metrics={"d": ["mae"]})
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "mae"]


# ---- files


def test_files_of_many_calls_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = Model(x := Input((3,)), Dense(3, name="d")(x))

    def grow(table: dict[str, Any]) -> None:
        objects = table["objects"]
        for i in range(40):
            last = len(objects) - 1
            calls = [[last, [0]], [last, [1]]]
            config = dict(objects[last]["config"], name=f"m{i}", calls=calls, outputs=[2])
            objects.append({"class_name": "Model", "config": config})

    model.save(path)
    doctor(path, grow)
    with pytest.raises(ValueError, match="its models have 262143 calls of layers, more than 131072"):
        load_model(path)


LAST = ("objects", -1, "config")
CHANGES = {
    "no shapes": ("'d' has no shapes, but is in a model that has", lambda t: t["objects"][1].pop("shapes")),
    "no outputs": ("0 inputs or outputs for the form None", put(*LAST, "outputs", [])),
    "two outputs as one": ("2 inputs or outputs for the form None", put(*LAST, "outputs", [0, 1])),
    "keys twice": ("for the form", put(*LAST, "forms", [None, ["a", "a"]])),
    "a call of itself": ("calls must be at most 1", put(*LAST, "calls", [[2, [0]]])),
    "its own value": ("calls must be at most 0", put(*LAST, "calls", [[1, [1]]])),
    "a negative number": ("calls must be at least 0", put(*LAST, "calls", [[1, [-1]]])),
    "a sum of nothing": (
        "takes one input or more, got none",
        lambda t: (
            t["objects"][1].update(class_name="Add"),
            t["objects"][1]["config"].clear(),
            put(*LAST, "calls", [[1, []]])(t),
        ),
    ),
    "a call of nothing": ("takes one input, got 0", put(*LAST, "calls", [[1, []]])),
    "half a call": ("not enough values", put(*LAST, "calls", [[1]])),
    "an input that is none": ("the input 1 is no InputLayer", put(*LAST, "inputs", [1])),
    "no model": ("it has no model", lambda t: t["objects"].pop()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_doctored_graphs_are_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    Model(x := Input((3,)), Dense(3, name="d")(x)).save(path)
    message, settings = CHANGES[change]
    doctor(path, settings)
    with pytest.raises(ValueError, match=message):
        load_model(path)
