"""IDX files, in which MNIST and its relatives come: a type, a shape, big-endian numbers; plain or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError
from neuroemu.base.reading import open_regular

TYPES: dict[int, np.dtype[np.generic]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
}
"""Integer types by the header's third byte; 0x0D and 0x0E are floats, which no chip takes."""
MOST_DIMENSIONS = 4
MOST_BYTES = 1 << 30
"""Numbers of one file, unpacked: twice the largest set known (EMNIST)."""


def read_idx(path: str | os.PathLike[str]) -> NDArray[np.generic]:
    """The file's array, of the shape it states and an integer dtype of native byte order. Raises FileError.

    The header is checked before anything is allocated, and a packed file is unpacked no further than the header states.
    """
    place = Path(path)
    try:
        with open_regular(place) as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _read(place, file)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(place, unpacked)
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(f"{place}: no such file; give the path of an IDX file, plain or gzipped") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise FileError(f"{place}: is damaged, it cannot be unpacked; fetch it again") from None
    except OSError as error:
        raise FileError(
            f"{place}: cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from None


def _read(path: Path, file: gzip.GzipFile | BinaryIO) -> NDArray[np.generic]:
    dtype, shape = _header(path, file)
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_BYTES:
        raise FileError(f"{path}: states shape {shape}, which takes {size} bytes; {MOST_BYTES} are read at most")
    content = file.read(size + 1)
    if len(content) != size:
        found = f"{len(content)}" if len(content) < size else "more"
        raise FileError(f"{path}: states shape {shape}, {size} bytes, and holds {found}; fetch it again")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _header(path: Path, file: gzip.GzipFile | BinaryIO) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    """Type and shape."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise FileError(
            f"{path}: is not an IDX file, it starts with {magic.hex(' ') or 'nothing'}; expected 00 00 08 .."
        )
    if magic[2] not in TYPES:
        raise FileError(f"{path}: holds numbers of IDX type 0x{magic[2]:02x}; integers are 0x08, 0x09, 0x0b and 0x0c")
    dimensions = magic[3]
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise FileError(f"{path}: states {dimensions} dimensions; 1 to {MOST_DIMENSIONS} are read")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise FileError(f"{path}: ends in its header after {4 + len(sizes)} bytes; fetch it again")
    shape: tuple[int, ...] = struct.unpack(f">{dimensions}I", sizes)
    return TYPES[magic[2]], shape
