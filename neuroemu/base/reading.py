"""Files that somebody else may have written, opened and unpacked with their sizes looked at before any memory is taken."""

from __future__ import annotations

import io
import json
import math
import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError

MOST_BYTES = 1 << 30
"""Bytes that the arrays of one packed file may unpack to, unless the environment says otherwise: twice the largest data set known
(EMNIST), and what a laptop of 8 GB holds beside the run. A packed file of 3 MB can state 3 GiB; a plain .npy holds what it states."""
MOST_BYTES_VARIABLE = "NEUROEMU_MOST_BYTES"
HEADER_SHARE = 32
"""A header of JSON may be this much shorter than arrays: Python takes up to 21 times as much for it, so 32 MiB stay below 1 GiB."""
MOST_HEADER = MOST_BYTES // HEADER_SHARE
MOST_TEXT = 1 << 18
"""Bytes of a text: datasheets, plans and programs. The longest that is shipped has 20 kB, and a program's syntax tree takes a thousand
times its text."""
_MAGIC = b"\x93NUMPY"
_NPY_HEADER = 10_000
"""Bytes of the header of a .npy file, as NumPy itself has it: it is a Python literal, and longer ones are not safe to read."""
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy.savez writes; other packings unpack more slowly than memory fills."""


def most_bytes() -> int:
    """Bytes that a packed file may unpack to: MOST_BYTES, or what the environment's NEUROEMU_MOST_BYTES says. Raises FileError."""
    text = os.environ.get(MOST_BYTES_VARIABLE, "")
    if not text:
        return MOST_BYTES
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise FileError(
            f"{MOST_BYTES_VARIABLE} is '{text[:40]}', not a number of bytes; set it to one such as {4 * MOST_BYTES}, or unset it"
        )
    return int(text)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, opened for reading. Raises OSError, also for a pipe or a device, which may never end."""
    kind = Path(path).stat().st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise OSError("not a regular file")
    return Path(path).open("rb")


def read_json(path: str | os.PathLike[str], content: bytes) -> Any:
    """What a header's JSON says. Raises FileError for one that is too long, ValueError for what is none."""
    limit = most_bytes() // HEADER_SHARE
    if len(content) > limit:
        raise FileError(
            f"{path}: its header has more than {limit} bytes, the most that is read; set {MOST_BYTES_VARIABLE} to "
            f"{HEADER_SHARE} times as many as it has if you trust the file and have the memory"
        )
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("header nested too deeply") from None


def read_json_file(path: Path) -> Any:
    """What a file of JSON says, no more of it read than a header may have. Raises OSError, FileError and ValueError."""
    with open_regular(path) as file:
        return read_json(path, file.read(most_bytes() // HEADER_SHARE + 1))


def load_arrays(path: str | os.PathLike[str]) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """What ``numpy.save`` or ``numpy.savez`` wrote.

    Sizes are looked at before memory is taken: an array is read if the file holds the bytes that its header states, an archive if its
    arrays together take no more than ``most_bytes``. Raises OSError, FileError for an archive that is too large, or ValueError for
    whatever else is in the file.
    """
    with open_regular(path) as file:  # NumPy leaves a broken zip open if it opens it itself
        try:
            if file.read(len(_MAGIC)) == _MAGIC:
                _check_size(path, file, os.fstat(file.fileno()).st_size)
                file.seek(0)
                return np.asarray(np.load(file, allow_pickle=False))
            _check_archive(path, file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except (OSError, MemoryError):
            raise
        except Exception as error:  # zipfile, zlib, tokenize and NumPy each raise their own kinds on damage
            raise ValueError("no file of arrays") from error


def _check_archive(path: str | os.PathLike[str], file: BinaryIO) -> None:
    """Refuse an archive that would unpack to too much, or of which a member is no array of the size it states."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        members, limit = archive.infolist(), most_bytes()
        total = sum(member.file_size for member in members)
        if total > limit:
            raise FileError(
                f"{path}: its arrays take {total} bytes unpacked, {limit} are read at most; set {MOST_BYTES_VARIABLE}={total} "
                "if you trust the file and have the memory"
            )
        for member in members:
            if member.compress_type not in _PACKINGS:
                raise ValueError("another packing than numpy.savez has")
            with archive.open(member) as content:
                if content.read(len(_MAGIC)) != _MAGIC:
                    raise ValueError("a member that is no array")
                _check_size(path, content, member.file_size)


def _check_size(path: str | os.PathLike[str], file: Any, size: int) -> None:
    """Refuse an array, read up to its magic, unless it is of plain values and takes no more bytes than the file has for it."""
    major, minor = file.read(2)
    if (major, minor) not in ((1, 0), (2, 0)):
        raise ValueError("a version of the format that no array of numbers has")
    length_bytes = 2 if major == 1 else 4
    prefix = file.read(length_bytes)
    (length,) = struct.unpack("<H" if major == 1 else "<I", prefix)
    if length > _NPY_HEADER:
        raise ValueError("a header too long")
    header = io.BytesIO(prefix + file.read(length))
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(header)
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError("objects, or nothing")
    if any(extent < 0 for extent in shape) or len(shape) > 32:
        raise ValueError("an impossible shape")
    stated, held = math.prod(shape) * dtype.itemsize, size - len(_MAGIC) - 2 - length_bytes - length
    if stated > held:
        raise FileError(
            f"{path}: states an array of shape {shape} and dtype {dtype}, {stated} bytes, and holds {held}; save it again"
        )
