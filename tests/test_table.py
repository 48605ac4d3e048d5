"""The compiled table of operations, the public functions over it, and where an operation may be named."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import golden
import pytest
from metric_cases import complete
from optimizer_cases import OPTIMIZERS, update_of
from reference_layers import ACTIVATION_ROWS, LOSS_ROWS

import nncore
from nncore import _core, activations, losses, metrics, optimizers
from nncore.common.names import snake_case
from nncore.common.operations import ACTIVATIONS, Operation, require_row, settings_of
from nncore.common.rows import LOSSES, METRICS
from nncore.ops.updates import UPDATES

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
# By their modules.
FAMILIES: dict[str, dict[str, Operation]] = {
    "activations": ACTIVATIONS,
    "losses": LOSSES,
    "metrics": METRICS,
}
COUNTING = [n for n, cls in metrics.CLASSES.items() if cls._function is None and not cls.in_python]
OPERATIONS = [(family, name) for family, operations in FAMILIES.items() for name in operations]
# Names that a program, a test or a document may use as examples. An operation that is not among them stands
# in its row and its public function, and all else is made from these.
EXAMPLES = {
    *("elu", "gelu", "gelu_tanh", "leaky_relu", "linear", "relu", "sigmoid", "silu", "softmax", "softplus"),
    *("exponential", "log_softmax", "cosine_similarity"),  # a word, a formula of losses, an answer to a name
    *("swish", "tanh", "mean_squared_error", "mean_absolute_error", "binary_crossentropy"),
    *("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_accuracy"),
    *("categorical_accuracy", "sparse_categorical_accuracy"),
    *("SGD", "sgd", "Adam", "adam", "rmsprop"),  # the last one is what compile() takes by default
}
RECORDED = (
    "CHANGELOG.md",
    "docs/coming-from-keras.md",
    "tests/keras_facts.json",
    "benchmarks/results/",
    "python/nncore/common/choices.pyi",
    "python/nncore/common/keras_names.txt",
    "tools/coming_from_keras.py",
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_functions_have_the_settings_of_their_rows(name: str) -> None:
    operation, function = ACTIVATIONS[name], getattr(activations, name)
    row, settings = operation.row([0.0], **settings_of(function))
    assert row == name
    defaults = {key: default for key, default, *_ in _core.activations()[row][0]}
    assert settings == defaults
    assert function is operation.public
    assert inspect.signature(function) == inspect.signature(operation.reference)
    for alias in operation.aliases:
        assert getattr(activations, alias) is function


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_a_function_and_a_class(name: str) -> None:
    operation, function = LOSSES[name], getattr(losses, name)
    assert function is operation.public
    (cls,) = (cls for cls in losses.CLASSES.values() if cls._function is function)
    assert {name, cls.__name__} <= {*losses.__all__}
    assert cls()._arguments() == settings_of(function)
    assert {type(losses.found(by, "")) for by in (name, cls.__name__, cls, function)} == {cls}
    assert {losses.get(name), losses.get(function)} == {function}
    assert {type(losses.get(by)) for by in (cls.__name__, cls, cls())} == {cls}


def test_every_row_of_a_loss_has_a_function() -> None:
    assert {name for name, _ in LOSS_ROWS} == set(_core.losses())
    assert {*losses.__all__} == {"Loss", "get", *LOSSES, *losses.CLASSES}


def test_every_row_of_a_metric_has_a_class() -> None:
    rows = {name for name, (_, _, counts) in _core.metrics().items() if counts}
    assert {complete(metrics.CLASSES[name])().spec()[0] for name in COUNTING} == rows
    assert set(METRICS) == set(_core.metrics()) - rows
    assert {*metrics.__all__} >= {"Metric", "get", *METRICS, *metrics.CLASSES}
    for name, operation in METRICS.items():
        (cls,) = (cls for cls in metrics.CLASSES.values() if cls._function is operation.public)
        assert cls()._arguments() == settings_of(getattr(metrics, name))
        assert {type(metrics.found(by, "")) for by in (name, cls.__name__, cls, operation.public)} == {cls}
        assert {type(metrics.get(by)) for by in (name, cls.__name__, cls, cls())} == {cls}
        assert metrics.get(operation.public) is operation.public


def test_every_row_of_an_activation_has_a_function() -> None:
    assert {row["activation"] for row in ACTIVATION_ROWS} == set(_core.activations())


def test_every_row_has_golden_cases() -> None:
    assert {case.name for case in golden.activations()} == set(_core.activations())
    assert {case.name for case in golden.losses()} == set(_core.losses())
    of_rows = {name for name, (_, _, counts) in _core.metrics().items() if not counts}
    assert {case.name for case in golden.metrics()} == of_rows
    assert {case.name for case in golden.optimizers()} == set(_core.optimizers())


def test_the_module_exports_every_function() -> None:
    names = {name for operation in ACTIVATIONS.values() for name in operation.names}
    assert {*activations.__all__} == {"get", *names}
    assert all(activations.get(name) is getattr(activations, name) for name in names)


def test_a_function_that_does_not_fit_its_row_is_refused() -> None:
    def elu(x: object, alpha: float = 2.0) -> object: ...

    with pytest.raises(ImportError, match=r"elu has the settings \{'alpha': 2.0\}, but .* \{'alpha': 1.0\}"):
        require_row(elu, _core.activations()["elu"][0])


def texts() -> Iterator[tuple[str, str]]:
    """Paths and contents of the text files of the checkout."""
    folders = (".ci", "benchmarks", "cpp", "docs", "examples", "python", "tests", "tools")
    for path in [*ROOT.glob("*"), *(p for folder in folders for p in (ROOT / folder).rglob("*"))]:
        if path.is_file() and path.suffix not in (".so", ".pyc"):
            try:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def mentions(family: str, operation: Operation) -> set[str]:
    """Files that name an operation, but for those of its row, its public function and `RECORDED`."""
    names = [name for name in operation.names if name not in EXAMPLES]
    if family == "losses":
        names += (n for n, cls in losses.BY_NAME.items() if cls._function is operation.public)
    # A function over rows stands in the header of its family. Each loss is a metric, too.
    header = {"activations": "softmax.hpp", "losses": "loss.hpp", "metrics": "metric.hpp"}[family]
    allowed = [f"cpp/kernels/{family}.def", f"cpp/kernels/{header}", f"python/nncore/{family}"]
    if family == "losses":
        allowed += [f"python/nncore/metrics/{file}.py" for file in ("means", "probabilistic")]
    return found_in(naming(names), *allowed)


def naming(names: Iterable[str]) -> str:
    return rf"(?<![A-Za-z0-9])({'|'.join(names)})(?![A-Za-z0-9])"


def found_in(pattern: str, *allowed: str) -> set[str]:
    found = re.compile(pattern).search
    return {path for path, text in TEXTS if not path.startswith((*allowed, *RECORDED)) and found(text)}


TEXTS = list(texts()) if (ROOT / "cpp").is_dir() else []


@pytest.mark.skipif(not TEXTS, reason="cpp/ is only in a clone")
@pytest.mark.parametrize(("family", "name"), [pair for pair in OPERATIONS if pair[1] not in EXAMPLES])
def test_a_name_stands_in_its_row_and_its_function_alone(family: str, name: str) -> None:
    assert mentions(family, FAMILIES[family][name]) == set()


@pytest.mark.skipif(not TEXTS, reason="cpp/ is only in a clone")
@pytest.mark.parametrize("name", COUNTING)
def test_a_metric_made_of_counts_stands_in_its_row_and_its_class_alone(name: str) -> None:
    quote = "[\"'`]"  # without them the other name may be an English word
    pattern = naming([name]) + rf"|{quote}{snake_case(name)}{quote}"
    assert found_in(pattern, "cpp/kernels/metrics.def", "python/nncore/metrics") == set()


@pytest.mark.skipif(not TEXTS, reason="cpp/ is only in a clone")
def test_an_optimizer_stands_in_its_row_its_class_and_its_function_alone() -> None:
    names = {name for o in (*UPDATES, *optimizers.CLASSES) for name in (o, o.lower())} - EXAMPLES
    allowed = ("cpp/kernels/optimizers.def", "python/nncore/optimizers", "python/nncore/ops/updates.py")
    assert not names or found_in(naming(names), *allowed) == set()


def test_optimizers_have_the_settings_of_their_rows() -> None:
    for made in optimizers.CLASSES.values():
        own = settings_of(made.__init__)
        for row in made._rows:
            for name, default, *_ in optimizers.ROWS[row][0]:
                assert name == "weight_decay" or own[name] == default, f"{made}, {row}: {name}"
    rows = set(_core.optimizers())
    assert {row for made in optimizers.CLASSES.values() for row in made._rows} == rows
    assert {make().spec()[0] for make in OPTIMIZERS.values()} == rows
    assert {case.name for case in golden.optimizers()} == rows
    assert {update_of(make()).public.__name__ for make in OPTIMIZERS.values()} == set(UPDATES)


@pytest.mark.skipif(not TEXTS, reason="cpp/ is only in a clone")
def test_mentions_are_found() -> None:
    found = mentions("activations", Operation(nncore.set_num_threads, nncore.set_num_threads))
    assert {"docs/embedding.md", "tests/test_table.py", "python/nncore/__init__.py"} <= found
