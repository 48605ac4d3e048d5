"""The common arguments of optimizers: clipping, averages, accumulation, and weights that do not decay."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimizer_cases import RULES, ReferenceRules
from processes import output
from reference_model import assert_close

import nncore
from nncore import _core, callbacks, models, optimizers
from nncore.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from nncore.models.model import net_of
from nncore.optimizers import SGD, Adam

RNG = np.random.default_rng(7)
X = RNG.normal(size=(64, 8, 8, 3)).astype(np.float32)
Y = RNG.integers(0, 4, 64)
CASES: dict[str, Callable[[], Any]] = {
    case: partial(getattr(optimizers, name), **settings) for case, (name, settings) in RULES.items()
}


def made(optimizer: Any, units: int = 150, seed: int = 5) -> nncore.Sequential:
    """A model with weights of one tile, of several tiles, and small ones."""
    nncore.utils.set_random_seed(seed)
    layers = [Input((8, 8, 3)), Conv2D(9, 3, activation="relu"), MaxPooling2D(), Flatten(), Dropout(0.2)]
    layers += [Dense(units, activation="tanh"), Dense(units, activation="relu")]
    layers += [Dense(4, activation="softmax")]
    model = nncore.Sequential(layers, name="m")
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def bits(model: Any) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


def steps(model: Any, count: int, first: int = 0) -> Any:
    """Batches of 16, without the end of `fit`."""
    for step in range(first, first + count):
        at = 16 * (step % 4)
        model.train_on_batch(X[at : at + 16], Y[at : at + 16])
    return model


# ---- values


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_the_reference(case: str, isa: str) -> None:
    model = made(CASES[case]())
    twin = ReferenceRules(CASES[case](), model.get_weights())
    model.gradients = twin.step
    for step in range(11):
        steps(model, 1, step)
        for ours, theirs in zip(model.get_weights(), twin.weights):
            size = float(np.abs(theirs).max())
            assert_close(ours, theirs, factor=400, scale=size, name=case)
    if twin.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_weights)
        for ours, theirs in zip(model.get_weights(), twin.averages):
            assert_close(ours, theirs, factor=400, scale=float(np.abs(theirs).max()), name=case)
    count = twin.optimizer.gradient_accumulation_steps or 1
    assert model.optimizer.iterations == 11 // count


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("case", CASES)
def test_any_number_of_threads_gives_the_same_bits(case: str) -> None:
    found = []
    for threads in (1, 2, 3, 7):
        nncore.set_num_threads(threads)
        model = made(CASES[case](), units=400)
        model.fit(X, Y, batch_size=20, epochs=2, verbose=0)
        found.append(bits(model))
    assert found == found[:1] * 4


@pytest.mark.parametrize("case", CASES)
def test_instruction_sets_give_the_same_bits(case: str) -> None:
    before, found = _core.isa(), []
    try:
        for name in _core.available_isas():
            if name != "baseline":
                _core.select_isa(name)
                found.append(bits(steps(made(CASES[case]()), 7)))
    finally:
        _core.select_isa(before)
    assert found == found[:1] * len(found)


@pytest.mark.parametrize(
    "rule",
    [
        {"clipnorm": 1e6},
        {"global_clipnorm": 1e6},
        {"clipvalue": 1e6},
        {"clipnorm": 0.0, "ema_overwrite_frequency": 0, "gradient_accumulation_steps": 0},
        {"use_ema": True, "ema_momentum": 0.5},
        {"ema_momentum": 0.5, "ema_overwrite_frequency": 1},
    ],
)
def test_rules_that_have_nothing_to_do_leave_the_bits(rule: dict[str, Any]) -> None:
    """Also compared with steps that compute gradient and update of each tile at once."""
    plain, ruled = (made(Adam(0.01, weight_decay=0.1, **own), units=400) for own in ({}, rule))
    assert bits(steps(plain, 6)) == bits(steps(ruled, 6))


def test_what_is_excluded_does_not_decay() -> None:
    names, weights, none, all_of_it = (SGD(0.125, weight_decay=1.0) for _ in range(4))
    names.exclude_from_weight_decay(var_names=["ker.*l$", "nothing"])
    none.exclude_from_weight_decay(var_names=["nothing"])

    def model(optimizer: Any, **excluded: Any) -> Any:
        one = nncore.Sequential([Input((6,)), Dense(5), Dense(2)])
        one.set_weights([np.ones(w.shape) for w in one.weights])
        if excluded:
            optimizer.exclude_from_weight_decay(var_list=[one.weights[i] for i in excluded["var_list"]])
        one.compile(optimizer, "mse")
        one.gradients = lambda gradients: [np.zeros_like(g) for g in gradients]
        one.train_on_batch(np.ones((3, 6)), np.ones((3, 2)))
        return [float(w.max()) for w in one.get_weights()]

    assert model(names) == [1.0, 0.875, 1.0, 0.875]
    assert model(none) == model(all_of_it) == [0.875] * 4
    assert model(weights, var_list=[0, 3]) == [1.0, 0.875, 0.875, 1.0]


def test_what_has_no_gradient_neither_decays_nor_is_constrained() -> None:
    """Weights before an output without a loss, or before nothing; those with a penalty have a gradient."""
    x, y = Input((3,)), Input((3,))
    inner = nncore.Model(x, [Dense(2)(x), Dense(2)(x)])
    alone = Dense(2, kernel_constraint="non_neg", bias_regularizer="l2")
    model = nncore.Model(y, [inner(y)[0], alone(y)])
    model.set_weights([np.full(w.shape, -1.0) for w in model.weights])
    model.compile(SGD(0.25, weight_decay=1.0), ["mse", None])
    model.train_on_batch(np.zeros((4, 3)), [np.zeros((4, 2))] * 2)
    kernel, bias = alone.get_weights()
    assert (kernel.max(), bias.max()) == (-1.0, -0.745)  # 1 - 0.25 * (1 + 2 * 0.01 * 0.75 / 0.75)
    assert [float(w.max()) for w in inner.get_weights()] == [-0.75, -0.5, -1.0, -1.0]


def test_an_average_begins_with_the_weights_and_takes_their_place_at_the_end_of_fit() -> None:
    model = made(SGD(0.5, use_ema=True, ema_momentum=0.5))
    model.fit(X, Y, epochs=0, verbose=0)
    before = bits(model)
    assert before == bits(made("sgd"))
    seen: list[Any] = []
    watch = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_weights()),
        on_train_end=lambda logs: seen.append(model.get_weights()),
    )
    model.fit(X, Y, batch_size=32, verbose=0, callbacks=[watch])
    for first, second, end, now in zip(*seen, model.get_weights()):
        np.testing.assert_allclose(end, (first + second) / 2, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(end, now)


def test_averages_stay_apart_where_fit_ends_early() -> None:
    def stop(batch: int, logs: Any) -> None:
        if batch == 2:
            raise KeyboardInterrupt

    model, plain = made(SGD(0.5, use_ema=True)), made(SGD(0.5))
    for one in (model, plain):
        watch = callbacks.LambdaCallback(on_train_batch_end=stop)
        with pytest.raises(KeyboardInterrupt):
            one.fit(X, Y, batch_size=16, verbose=0, callbacks=[watch])
    assert bits(model) == bits(plain)
    model.optimizer.finalize_variable_values(model.trainable_weights)  # type: ignore[union-attr]
    assert bits(model) != bits(plain)
    assert model.predict(X).tobytes() == pickle.loads(pickle.dumps(model)).predict(X).tobytes()


def test_frozen_layers_have_no_averages() -> None:
    model = made(SGD(0.5, use_ema=True, gradient_accumulation_steps=2, global_clipnorm=0.01))
    model.layers[0].trainable = False
    model.compile(model.optimizer, "sparse_categorical_crossentropy")  # type: ignore[arg-type]
    frozen = model.layers[0].get_weights()
    model.fit(X, Y, batch_size=16, verbose=0)
    for a, b in zip(frozen, model.layers[0].get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rule", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_gradients_that_are_not_numbers(rule: str, bad: float) -> None:
    model = nncore.Sequential([Input((3,)), Dense(2), Dense(2)])
    model.compile(SGD(1.0, **{rule: 0.5}), "mse")  # type: ignore[arg-type]

    def change(gradients: list[Any]) -> None:
        for g in gradients:
            g[...] = 2.0
        gradients[0][1, 1] = bad

    model.gradients = change
    before = model.get_weights()
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    made_of_it = [b - a for a, b in zip(model.get_weights(), before)]
    if rule == "global_clipnorm":
        assert all(np.isnan(g).all() for g in made_of_it)
        return
    first, *others = made_of_it
    assert all(np.isfinite(g).all() for g in others)
    if rule == "clipnorm":
        expected = np.full((3, 2), np.nan if np.isnan(bad) else 0.0)
        expected[1, 1] = np.nan
    else:
        expected = np.full((3, 2), 0.5)
        expected[1, 1] = np.nan if np.isnan(bad) else 0.5
    np.testing.assert_allclose(first, expected, atol=1e-6)


def test_large_gradients_are_clipped_whatever_their_squares_are() -> None:
    model = nncore.Sequential([Input((1,)), Dense(1, use_bias=False)])
    for rule in ("clipnorm", "global_clipnorm"):
        model.compile(SGD(1.0, **{rule: 0.5}), "mse")  # type: ignore[arg-type]
        model.gradients = lambda gradients: [np.float32([[1e38]])]
        before = model.get_weights()[0]
        model.train_on_batch(np.ones((2, 1)), np.ones(2))
        np.testing.assert_allclose(before - model.get_weights()[0], 0.5, rtol=1e-6)


# ---- files


@pytest.mark.parametrize("way", ["file", "pickle"])
@pytest.mark.parametrize("case", CASES)
def test_training_goes_on_after_saving_as_if_nothing_had_happened(
    case: str, way: str, tmp_path: Path
) -> None:
    """Also in the middle of an accumulation."""
    for first in (4, 5):
        model = steps(made(CASES[case]()), first)
        if way == "file":
            model.save(tmp_path / "m")
            found = models.load_model(tmp_path / "m")
        else:
            found = pickle.loads(pickle.dumps(model))
        assert bits(model) == bits(found)
        assert model.optimizer.iterations == found.optimizer.iterations
        assert repr(model.optimizer) == repr(found.optimizer)
        assert bits(steps(model, 7, first)) == bits(steps(found, 7, first))
        for one in (model, found):
            one.fit(X, Y, batch_size=16, verbose=0)
        assert bits(model) == bits(found)


@pytest.mark.parametrize("given", ["names", "weights"])
def test_what_is_excluded_is_saved_with_the_model(given: str, tmp_path: Path) -> None:
    model, other = made("sgd"), made(Adam(0.01, weight_decay=1.0))
    own = Adam(0.01, weight_decay=1.0)
    if given == "names":
        own.exclude_from_weight_decay(var_names=["bias"])
    else:
        own.exclude_from_weight_decay([w for w in model.weights if w.name == "bias"])
    model.compile(own, "sparse_categorical_crossentropy")
    model.save(tmp_path / "m")
    found = models.load_model(tmp_path / "m")
    again = pickle.loads(pickle.dumps(found))
    assert bits(steps(model, 3)) == bits(steps(found, 3)) == bits(steps(again, 3)) != bits(steps(other, 3))
    if given == "names":
        assert copy.deepcopy(own).decays(model.layers[0], "kernel")
        assert not copy.deepcopy(own).decays(model.layers[0], "bias")
    else:
        with pytest.raises(ValueError, match=r"^\[adam\] cannot be copied without its model"):
            copy.deepcopy(own)


def test_names_to_exclude_need_a_model_that_is_built(tmp_path: Path) -> None:
    model, own = nncore.Sequential([Dense(1)], name="m"), SGD(weight_decay=0.1)
    own.exclude_from_weight_decay(var_names=["bias"])
    model.compile(own, "mse")
    with pytest.raises(ValueError, match=r"^\[m\] is not built, so what exclude_from_weight_decay"):
        model.save(tmp_path / "m")
    model.build((None, 3))
    model.save(tmp_path / "m")
    found = models.load_model(tmp_path / "m").optimizer
    assert [w.name for w in found._without_decay[0]] == ["bias"]


# ---- what they are


@pytest.mark.parametrize("case", CASES)
def test_settings_make_an_equal_one(case: str) -> None:
    one = CASES[case]()
    others = [type(one).from_config(one.get_config()), copy.deepcopy(one), eval(repr(one), vars(optimizers))]
    for other in others:
        assert repr(other) == repr(one)
        assert other.get_config() == one.get_config()
    assert one.get_config().items() >= RULES[case][1].items()
    for name in RULES[case][1].keys() - {"learning_rate"}:
        with pytest.raises(AttributeError, match=f"{name} is fixed: make a new"):
            setattr(one, name, 1)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"clipnorm": 1.0, "clipvalue": 0.5},
            ValueError,
            "only one of clipnorm, clipvalue and ",
        ),
        (
            {"clipvalue": 1.0, "global_clipnorm": 0},
            ValueError,
            "got clipnorm=None, clipvalue=1.0, ",
        ),
        ({"clipnorm": -1.0}, ValueError, r"clipnorm must be in \[0, 3.4e\+38\], got -1"),
        ({"clipvalue": float("nan")}, ValueError, "clipvalue must be in"),
        ({"global_clipnorm": "1"}, TypeError, "global_clipnorm must be a number, got '1'"),
        ({"use_ema": 1}, TypeError, "use_ema must be True or False, got 1"),
        ({"ema_momentum": 1.5}, ValueError, r"ema_momentum must be in \[0, 1\], got 1.5"),
        ({"ema_momentum": None}, TypeError, "ema_momentum must be a number"),
        ({"ema_overwrite_frequency": -1}, ValueError, "ema_overwrite_frequency must be at least 0"),
        ({"ema_overwrite_frequency": 1.0}, TypeError, "ema_overwrite_frequency must be an integer"),
        ({"gradient_accumulation_steps": 1}, ValueError, "must be an integer >= 2 or None, got 1"),
        ({"gradient_accumulation_steps": 2.5}, TypeError, "gradient_accumulation_steps must be an integer"),
        ({"loss_scale_factor": 2.0}, ValueError, "loss_scale_factor=2.0 is not available yet"),
        ({"clip_norm": 1.0}, TypeError, "unexpected argument 'clip_norm'. Did you mean 'clipnorm'"),
        ({"ema": True}, TypeError, "unexpected argument 'ema'"),
    ],
)
def test_wrong_settings(given: dict[str, Any], error: type[Exception], message: str) -> None:
    for cls in optimizers.CLASSES.values():
        with pytest.raises(error, match=rf"^\[{cls.__name__}\] .*{message}"):  # type: ignore[attr-defined]
            cls(**given)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"var_list": ["bias"]}, TypeError, r"var_list must be a list of weights, got \['bias'\]"),
        ({"var_list": 3}, TypeError, "var_list must be a list of weights, got 3"),
        ({"var_names": "bias"}, TypeError, "var_names must be a list of strings, got 'bias'"),
        ({"var_names": [1]}, TypeError, "var_names must be a list of strings"),
        ({"var_names": ["("]}, ValueError, "var_names must be regular expressions: "),
    ],
)
def test_what_cannot_be_excluded(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"^\[sgd\] {message}"):
        SGD().exclude_from_weight_decay(**given)


def test_exclusion_comes_before_compile() -> None:
    model = made("sgd")
    with pytest.raises(ValueError, match=re.escape("[sgd] exclude_from_weight_decay must be called before")):
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])  # type: ignore[union-attr]


def test_the_core_names_what_rules_keep() -> None:
    model = made(Adam(use_ema=True, gradient_accumulation_steps=2))
    network = net_of(model).required_network()
    assert network.buffers[2:] == [
        "momentum",
        "velocity",
        "average",
        "gradient_accumulator",
    ]
    with pytest.raises(ValueError, match="decays must hold one flag for each parameter"):
        net_of(model).required_network().compile(
            [None], [1.0], [()], [()], ("sgd", {}), [True] * 7, decays=[True]
        )


@pytest.mark.once  # sanitizers need more memory than it leaves
def test_memory_that_is_not_there_leaves_the_model_as_it_was() -> None:
    said = output(
        """
        import resource
        model = nn.Sequential([nn.Input((2000,)), L.Dense(5000)])
        model.compile("sgd", "mse")
        x = np.ones((4, 2000), np.float32)
        model.train_on_batch(x, np.ones((4, 5000)))
        before = [w.tobytes() for w in model.get_weights()]
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 50_000_000, -1))
        try:
            model.compile(nn.optimizers.SGD(use_ema=True, gradient_accumulation_steps=2), "mse")
        except MemoryError as error:
            print("MemoryError")
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        assert before == [w.tobytes() for w in model.get_weights()]
        assert not model.optimizer.use_ema
        model.train_on_batch(x, np.ones((4, 5000)))
        """
    )
    assert said == "MemoryError"
