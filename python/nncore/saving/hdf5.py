"""Reader of HDF5 files that h5py writes for Keras, without the HDF5 library, which crashes or hangs on some
damaged files.

It reads the parts of such files: groups with symbol tables, contiguous numbers, attributes of numbers and
strings. Chunks, filters, links to other names or files, external and virtual data, references and objects are
refused. Nothing is copied: arrays are views of the bytes of the file.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x89HDF\r\n\x1a\n"
_PART = 16  # least size in bytes of a node of a tree, an attribute or a string
_OBJECT = 8  # least size of a group or data set, in such parts
_LONGEST = 1024  # longest name
_DEEPEST = 64  # deepest nesting of groups
_EXPONENTS = {2: 5, 4: 8, 8: 11}  # bits of the exponent, by the bytes of IEEE's numbers
_CONTINUED, _SYMBOLS, _ATTRIBUTE = 0x10, 0x11, 0x0C
_SPACE, _TYPE, _LAYOUT, _EXTERNAL, _FILTERS = 0x01, 0x03, 0x08, 0x07, 0x0B
_NEWER = {0x02: "links", 0x06: "links", 0x15: "attributes"}  # messages of later versions of HDF5
_RESAVE = "Open it with Keras, and save it again"

Type = tuple[str, Any]  # "number" and its dtype, "text" and its length, "texts" (of any length), or "other"


class Node:
    """A group, or a data set.

    Attributes:
        attributes: strings, lists of strings, and arrays.
        items: the groups and data sets in a group, by name.
        values: the array of a data set; None for a group.
    """

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}
        self.items: dict[str, Node] = {}
        self.values: NDArray[Any] | None = None

    def at(self, path: str) -> Node | None:
        """The node at a path of names, or None."""
        node: Node | None = self
        for name in path.split("/"):
            node = node and node.items.get(name)
        return node

    @property
    def size(self) -> int:
        """How many numbers all data sets below have."""
        own = 0 if self.values is None else int(self.values.size)
        return own + sum(node.size for node in self.items.values())


def read(data: bytes) -> Node:
    """The root group.

    Raises:
        ValueError: the file is damaged, or has parts that are not supported.
    """
    try:
        return _File(data).root()
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"its HDF5 is damaged: {error}") from error


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._left = len(data) // _PART  # parts left to read, a bound for repeated references
        self._room = len(data)  # bytes of values left to read: all data sets together are at most the file
        self._open: set[int] = set()  # addresses of groups on the way down
        self._heaps: dict[int, dict[int, memoryview]] = {}  # strings by their numbers, in heaps by address

    def _take(self, at: int, size: int) -> memoryview:
        if not 0 <= at <= at + size <= len(self._data):
            raise ValueError("its HDF5 is truncated, or points outside of the file")
        return self._data[at : at + size]

    def _numbers(self, form: str, at: int) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(at, struct.calcsize(form)))

    def _count(self, parts: int = 1) -> None:
        self._left -= parts
        if self._left < 0:
            raise ValueError("its HDF5 says that it has more parts than the file can hold")

    def _values(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise ValueError("its HDF5 says that it holds more than the file has bytes")

    def _expect(self, what: bytes, at: int) -> None:
        if bytes(self._take(at, len(what))) != what:
            raise ValueError(f"its HDF5 is damaged: there is no {what.decode()} at {at}")

    def root(self) -> Node:
        if bytes(self._data[:8]) != MAGIC:
            raise ValueError("it is no HDF5 file")
        version, _, _, _, _, offsets, lengths = self._numbers("<7B", 8)
        if version > 1:
            raise ValueError(f"its HDF5 is of a newer layout (superblock {version}). {_RESAVE}")
        start = 24 if version == 0 else 28
        if (offsets, lengths) != (8, 8) or self._numbers("<Q", start) != (0,):
            raise ValueError("its HDF5 has addresses of an unusual size, or begins late")
        return self._object(self._numbers("<Q", start + 40)[0], 0)

    # ---- objects

    def _messages(self, at: int) -> list[tuple[int, memoryview]]:
        self._count(_OBJECT)
        version, _, count, _, size = self._numbers("<BBHII", at)
        if version != 1:
            raise ValueError(f"its HDF5 is of a newer layout (object header {version}). {_RESAVE}")
        blocks, found = [(at + 16, size)], []
        for place, length in blocks:
            block, begin = self._take(place, length), 0
            while begin + 8 <= length and count:
                kind, size, flags = struct.unpack_from("<HHB", block, begin)
                content, count = block[begin + 8 : begin + 8 + size], count - 1
                if len(content) < size:
                    raise ValueError("its HDF5 is damaged: a message is cut off")
                begin += 8 + size
                if flags & 2:
                    raise ValueError(f"its HDF5 has shared messages. {_RESAVE}")
                if kind == _CONTINUED:
                    blocks.append(struct.unpack_from("<QQ", content))
                found.append((kind, content))
        return found

    def _object(self, at: int, depth: int) -> Node:
        node, messages = Node(), self._messages(at)
        if newer := next((_NEWER[kind] for kind, _ in messages if kind in _NEWER), None):
            raise ValueError(f"its HDF5 has {newer} of a newer layout. {_RESAVE}")
        for kind, content in messages:
            if kind == _ATTRIBUTE:
                self._attribute(content, node.attributes)
        parts = dict(messages)
        if _SYMBOLS in parts:
            if at in self._open or depth > _DEEPEST:
                raise ValueError("its HDF5 has groups within themselves, or too many in one another")
            self._open.add(at)
            tree, heap = struct.unpack_from("<QQ", parts[_SYMBOLS])
            self._expect(b"HEAP", heap)
            size, _, start = self._numbers("<QQQ", heap + 8)
            self._entries(tree, self._take(start, size), node.items, depth, 255)
            self._open.remove(at)
        elif _LAYOUT in parts:
            node.values = self._data_set(parts)
        else:
            raise ValueError("its HDF5 has an object that is neither a group nor a data set")
        return node

    def _entries(self, at: int, names: memoryview, items: dict[str, Node], depth: int, above: int) -> None:
        """The entries of a node of a group's tree, or of a table of symbols."""
        self._count()
        if bytes(self._take(at, 4)) == b"TREE":
            kind, level, used = self._numbers("<BBH", at + 4)
            if kind != 0 or level >= above:
                raise ValueError("its HDF5 is damaged: a tree of groups is not one")
            for i in range(used):
                self._entries(self._numbers("<Q", at + 32 + 16 * i)[0], names, items, depth, level)
            return
        self._expect(b"SNOD", at)
        for i in range(self._numbers("<H", at + 6)[0]):
            name_at, header, cached = self._numbers("<QQI", at + 8 + 40 * i)
            name = bytes(names[name_at : name_at + _LONGEST]).partition(b"\0")[0].decode()
            if cached == 2:
                raise ValueError(f"its HDF5 has a link at {name!r:.80}: links are not followed")
            if not name or "/" in name or name in items:
                raise ValueError(f"its HDF5 is damaged: the name {name!r:.80} is empty or there twice")
            items[name] = self._object(header, depth + 1)

    def _data_set(self, parts: dict[int, memoryview]) -> NDArray[Any]:
        if _FILTERS in parts or _EXTERNAL in parts:
            raise ValueError(f"its HDF5 has compressed data, or data in other files. {_RESAVE}")
        found: Type = self._type(parts[_TYPE])[0] if _TYPE in parts else ("other", None)
        kind, dtype = found
        if kind != "number" or _SPACE not in parts:
            raise ValueError("its HDF5 has data that are no numbers")
        shape = self._shape(parts[_SPACE])
        size = math.prod(shape) * dtype.itemsize
        layout, (version, way) = parts[_LAYOUT], struct.unpack_from("<BB", parts[_LAYOUT])
        if version not in (3, 4) or way > 1:
            raise ValueError(f"its HDF5 has data in chunks, or of another layout. {_RESAVE}")
        if way == 0:
            content = layout[4 : 4 + struct.unpack_from("<H", layout, 2)[0]]
        else:
            at, stored = struct.unpack_from("<QQ", layout, 2)
            content = self._take(at, stored) if size else layout[:0]
        if len(content) != size:
            raise ValueError(f"its HDF5 has {len(content)} bytes for data of shape {shape}")
        self._values(size)
        return np.frombuffer(content, dtype).reshape(shape)

    # ---- attributes

    def _attribute(self, content: memoryview, attributes: dict[str, Any]) -> None:
        self._count()
        version, _, name_size, type_size, space_size = struct.unpack_from("<BBHHH", content)
        if not 1 <= version <= 3:
            raise ValueError("its HDF5 has attributes of a newer layout")
        at, parts = 8 + (version == 3), []
        for size in (name_size, type_size, space_size):
            parts.append(content[at : at + size])
            at += -(-size // 8) * 8 if version == 1 else size
        name = bytes(parts[0]).partition(b"\0")[0].decode()
        (kind, of), size = self._type(parts[1])
        shape = self._shape(parts[2])
        count = math.prod(shape)
        if kind == "other":
            return
        if size * count > len(content) - at:
            raise ValueError(f"its HDF5 is damaged: the attribute {name!r:.80} is cut off")
        self._values(size * count)
        if kind == "number":
            attributes[name] = np.frombuffer(content[at : at + size * count], of).reshape(shape)
            return
        each = [content[at + size * i : at + size * (i + 1)] for i in range(count)]
        texts = [(self._text(one) if kind == "texts" else bytes(one).rstrip(b"\0 ")).decode() for one in each]
        attributes[name] = texts if shape else texts[0]

    def _text(self, reference: memoryview) -> bytes:
        """A string of variable length, from a heap."""
        length, heap, index = struct.unpack("<IQI", reference)
        if not length:
            return b""
        if heap not in self._heaps:
            self._heaps[heap] = self._heap(heap)
        if index not in self._heaps[heap]:
            raise ValueError("its HDF5 is damaged: a string is missing")
        self._values(length)
        return bytes(self._heaps[heap][index][:length]).rstrip(b"\0")

    def _heap(self, heap: int) -> dict[int, memoryview]:
        self._expect(b"GCOL", heap)
        found, at, end = {}, heap + 16, heap + self._numbers("<Q", heap + 8)[0]
        while at + 16 <= end:
            self._count()
            number, _, _, size = self._numbers("<HHIQ", at)
            if number == 0:
                break
            found[number] = self._take(at + 16, size)
            at += 16 + -(-size // 8) * 8
        return found

    @staticmethod
    def _type(content: memoryview) -> tuple[Type, int]:
        """The type of values, and the size of one in bytes."""
        kind, bits, size = content[0] & 15, content[1], struct.unpack_from("<I", content, 4)[0]
        order = ">" if bits & 1 else "<"
        if kind == 0 and size in (1, 2, 4, 8):
            return ("number", np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}")), size
        if kind == 1 and _EXPONENTS.get(size) == content[13] and not bits & 64:
            return ("number", np.dtype(f"{order}f{size}")), size
        if kind == 3 and size:
            return ("text", size), size
        if kind == 9 and bits & 15 == 1 and size == 16:
            return ("texts", None), size
        return ("other", None), size

    @staticmethod
    def _shape(content: memoryview) -> tuple[int, ...]:
        version, rank = content[0], content[1]
        if version not in (1, 2) or rank > 32 or (version == 2 and content[3] == 2):
            raise ValueError("its HDF5 has data of no shape, or of too many axes")
        shape: tuple[int, ...] = struct.unpack_from(f"<{rank}Q", content, 8 if version == 1 else 4)
        if math.prod(max(n, 1) for n in shape) > 2**48:
            raise ValueError(f"its HDF5 has data of shape {shape}")
        return shape
