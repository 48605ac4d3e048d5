"""Conversion of anything array-like to NumPy arrays that the compiled core can read, without large copies."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
Shape = tuple[int, ...]

_SLICE = 2**20  # rows that are processed together
_NO_BATCHES = (np.ndarray, list, tuple, str, bytes, range, Mapping, set, frozenset)
ONE_SAMPLE = "Give one sample as x[None], or np.expand_dims(x, 0)"
_CORE_ITEMS = {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "b": (1,)}


def is_batches(x: object) -> bool:
    """Whether x yields batches, rather than being one array: an iterable, or a sequence of batches such as a
    `keras.utils.PyDataset`.
    """
    if isinstance(x, _NO_BATCHES) or _is_sparse(x):
        return False
    if any(hasattr(x, name) for name in ("__array__", "__array_interface__", "__dlpack__", "to_numpy")):
        return False
    try:
        memoryview(x)  # type: ignore[arg-type]
    except TypeError:
        return hasattr(x, "__iter__") or (hasattr(x, "__len__") and hasattr(x, "__getitem__"))
    return False


def _is_sparse(x: object) -> bool:
    return hasattr(x, "toarray") and not hasattr(x, "__array__")


def refuse_sparse(owner: str, name: str, value: Any) -> None:
    """TypeError for a sparse matrix, or a list of them."""
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    if _is_sparse(first):
        raise TypeError(f"[{owner}] {name} is a sparse {type(first).__name__}: convert it with .toarray()")


def raw(owner: str, name: str, value: Any) -> Array:
    """value as an array of any dtype, also of strings. ValueError for rows of different lengths."""
    refuse_sparse(owner, name, value)
    if value is None or isinstance(value, (Mapping, set, frozenset)):
        raise TypeError(f"[{owner}] {name} must be an array or a list, got {_short(value)}")
    try:
        return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    except ValueError as error:
        raise ValueError(f"[{owner}] {name} must have rows of equal length: {error}") from None


def known_type(array: Array) -> Array:
    """The array; as float32 if its dtype is bfloat16 or another one that packages add to NumPy."""
    added = array.dtype.kind == "V" and array.dtype.names is None and np.can_cast(array.dtype, np.float32)
    return array.astype(np.float32) if added else array


def plain(owner: str, name: str, value: Any) -> Array:
    """value as an array of any dtype. TypeError for a sparse matrix."""
    refuse_sparse(owner, name, value)
    return known_type(np.asarray(value))


def checked_values(owner: str, value: ArrayLike, expected: Shape, what: str = "weights") -> Floats:
    array = plain(owner, "value", value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"[{owner}] {what} must be numbers, got an array of {array.dtype}")
    if array.shape != expected:
        raise ValueError(f"[{owner}] expected {what} of shape {expected}, got {array.shape}")
    return array.astype(np.float32)


def as_array(owner: str, name: str, value: object) -> Array:
    """value as an array of a real type with at least one axis, without a copy where that is possible.

    Args:
        owner, name: for error messages: whose argument it is, and what it is called.

    Raises:
        TypeError: text, complex numbers, dates or other objects.
        ValueError: nested lists of different lengths, or a single number.
    """
    array = numbers(owner, name, value)
    if array.ndim == 0:
        raise ValueError(f"[{owner}] {name} must have an axis of samples, got the single number {array}")
    return array


def numbers(owner: str, name: str, value: object) -> Array:
    """As `as_array`, but a single number is accepted too."""
    refuse_sparse(owner, name, value)
    array = known_type(_converted(owner, name, value))
    if array.dtype.kind not in _CORE_ITEMS:
        raise TypeError(f"[{owner}] {name} must hold real numbers, got {_described(value, array)}")
    if array.dtype.itemsize not in _CORE_ITEMS[array.dtype.kind]:
        array = array.astype(np.float32)
    return array


def _converted(owner: str, name: str, value: object) -> Array:
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise TypeError(
                f"[{owner}] {name} has masked values: fill them first, e.g. with {name}.filled(0)"
            )
        return np.asarray(value.data)
    if isinstance(value, np.ndarray):
        return value if type(value) is np.memmap else np.asarray(value)
    if value is None or isinstance(value, (str, bytes, Mapping, set, frozenset)):
        raise TypeError(f"[{owner}] {name} must be an array of numbers, got {_short(value)}")
    try:
        if hasattr(value, "to_numpy"):
            return _from_table(owner, name, value)
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ValueError(f"[{owner}] {name} must have rows of equal length: {error}") from None
        raise ValueError(f"[{owner}] {name} cannot be read as an array: {error}") from error
    except (RuntimeError, BufferError, OverflowError) as error:
        raise TypeError(f"[{owner}] {name} cannot be read as an array: {error}") from error


def _from_table(owner: str, name: str, value: Any) -> Array:
    """An array from a table of pandas or with its interface. Mixed numeric columns become float64."""
    array = np.asarray(value.to_numpy())
    if array.dtype.kind != "O":
        return array
    types: Any = getattr(value, "dtypes", None)
    label = getattr(value, "name", None)
    columns = types.items() if hasattr(types, "items") else [(name if label is None else label, types)]
    wrong = [
        f"{column!r} ({dtype})" for column, dtype in columns if getattr(dtype, "kind", "O") not in "biuf"
    ]
    if wrong:
        raise TypeError(
            f"[{owner}] {name} must hold real numbers, got the columns {', '.join(wrong[:5])}. "
            "Encode them first, e.g. with pandas.get_dummies"
        )
    return np.asarray(value.to_numpy(dtype=np.float64, na_value=np.nan))


def _short(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _described(value: object, array: Array) -> str:
    if array.dtype.kind == "O" and array.ndim == 0:
        return _short(value)
    kinds = {"O": "objects", "U": "text", "S": "bytes", "c": "complex numbers", "M": "dates"}
    kind = kinds.get(array.dtype.kind, "time spans" if array.dtype.kind == "m" else "records")
    return f"{kind} (an array of {array.dtype} and shape {array.shape})"


def same(shape: Sequence[int], expected: Sequence[int | None]) -> bool:
    """Whether a shape is the expected one, where None stands for any size."""
    return len(shape) == len(expected) and all(e in (None, n) for n, e in zip(shape, expected))


def fit_rank(array: Array, sample: Sequence[int | None]) -> Array:
    """The array, with a last axis of length 1 added or removed if its samples then fit `sample`."""
    if array.ndim == len(sample) and sample and sample[-1] == 1 and same(array.shape[1:], sample[:-1]):
        return array[..., np.newaxis]
    if array.ndim == len(sample) + 2 and array.shape[-1] == 1 and same(array.shape[1:-1], sample):
        return array[..., 0]
    return array


def paired(owner: str, y_true: object, y_pred: object) -> tuple[Array, Array]:
    """Targets and predictions of equal rank: one of them may lack a last axis of length 1."""
    y, p = numbers(owner, "y_true", y_true), numbers(owner, "y_pred", y_pred)
    if y.ndim + 1 == p.ndim and p.shape[-1] == 1:
        return y[..., np.newaxis], p
    if p.ndim + 1 == y.ndim and y.shape[-1] == 1:
        return (y, p[..., np.newaxis]) if p.ndim == 1 else (y[..., 0], p)
    return y, p


def weights_of(owner: str, value: object, values: Array, y: Array) -> NDArray[np.float64]:
    """float64 weights that broadcast to `values`, the losses (samples, ...) of the targets y.

    Raises:
        ValueError: the weights do not have the first axes of `values`, or y has no axis of samples.
    """
    weights = numbers(owner, "sample_weight", value).astype(np.float64)
    shape = weights.shape
    if shape and not values.ndim:
        raise ValueError(
            f"[{owner}] sample_weight needs targets with an axis of samples, got shape {y.shape}: give them "
            f"and the predictions as {(*y.shape, 1)}"
        )
    if weights.ndim == values.ndim + 1 and shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim > values.ndim or any(w not in (1, v) for w, v in zip(weights.shape, values.shape)):
        raise ValueError(
            f"[{owner}] sample_weight must have the shape {values.shape} or its first axes, got {shape}"
        )
    return weights


def sample_weights(owner: str, value: object, samples: int) -> NDArray[np.float32]:
    """One float32 for each sample, from (samples,) or (samples, 1)."""
    array = as_array(owner, "sample_weight", value)
    if array.shape not in ((samples,), (samples, 1)):
        raise ValueError(
            f"[{owner}] sample_weight must have one value for each of the {samples} samples, got shape "
            f"{array.shape} (weights of single elements or time steps are not available)"
        )
    return np.ascontiguousarray(array.reshape(samples), dtype=np.float32)


def _is_number(value: Any) -> bool:
    return value is not None and np.ndim(value) == 0 and np.asarray(value).dtype.kind in _CORE_ITEMS


def class_weights(owner: str, value: object, y: Array) -> NDArray[np.float32]:
    """The weight of each sample by its class: the class number in y, or the argmax of a one-hot row."""
    if not isinstance(value, Mapping):
        raise TypeError(f"[{owner}] class_weight must be a dict of class -> weight, got {_short(value)}")
    if y.ndim > 2:
        raise ValueError(f"[{owner}] class_weight needs one class for each sample, got y of shape {y.shape}")
    table: dict[int, float] = {}
    for label, weight in value.items():
        if not _is_number(label) or not float(label).is_integer():
            raise TypeError(f"[{owner}] class_weight must have class numbers as keys, got {label!r}")
        if not _is_number(weight):
            raise TypeError(f"[{owner}] class_weight must have numbers as values, got {weight!r}")
        table[int(label)] = float(weight)
    weights = np.empty(len(y), np.float32)
    for at in range(0, len(y), _SLICE):  # Ctrl-C is handled between slices
        part = y[at : at + _SLICE]
        if y.ndim == 2 and y.shape[1] != 1:
            labels = np.argmax(part, axis=1)
        else:
            labels = np.round(np.asarray(part, np.float64).reshape(-1))
        classes, index = np.unique(labels, return_inverse=True)
        found = [table.get(int(c), 1.0) if np.isfinite(c) else 1.0 for c in classes]
        weights[at : at + _SLICE] = np.array(found, np.float32)[index.reshape(-1)]
    return weights


def unpacked(owner: str, item: object) -> tuple[object, object, object]:
    """x, y and sample_weight, from an item of an iterator of batches or from validation_data."""
    if isinstance(item, (tuple, list)):
        if not 1 <= len(item) <= 3:
            raise ValueError(f"[{owner}] expected (x, y) or (x, y, sample_weight), got {len(item)} items")
        x, y, weight = (*item, None, None)[:3]
        return x, y, weight
    if isinstance(item, Mapping) and not _is_sparse(item):
        raise TypeError(f"[{owner}] expected (x, y) or (x, y, sample_weight), got a dict")
    return item, None, None


def each(batches: Any) -> Iterator[Any]:
    """The batches of one pass over an object for which `is_batches` is true."""
    if hasattr(batches, "__iter__") and (goes_on(batches) or not hasattr(batches, "__next__")):
        return iter(batches)
    return (batches[i] for i in range(len(batches)))


def goes_on(batches: Any) -> bool:
    """Whether batches is an iterator that does not start anew in each pass. Iterators whose batches have an
    index too, such as those of `ImageDataGenerator`, start anew.
    """
    return hasattr(batches, "__next__") and not (
        hasattr(batches, "__getitem__") and hasattr(batches, "__len__")
    )


def length(batches: Any) -> int | None:
    """The number of batches in a pass; None if it is unknown."""
    try:
        return len(batches)
    except TypeError:
        return getattr(batches, "num_batches", None)


@functools.cache
def memory() -> int:
    """Bytes of memory of this machine; 2^63 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63
