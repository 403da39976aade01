"""What an HDF5 file states, looked at before anything of it is read: sizes, links, kinds of values."""

from __future__ import annotations

import math
from typing import Any

import h5py

from neuroemu.base.reading import MOST_BYTES_VARIABLE, most_bytes

MOST_OBJECTS = 100_000
"""Groups and arrays of a file, each counted as often as it is reached: a few that hold each other twice are more than time has."""
MOST_NESTED = 32
_KINDS = "biufSO"
"""Numbers that are real, and strings; h5py gives strings of any length as objects."""


class StatedError(ValueError):
    """A file states what no NIR file has; the text says what, and the way out."""


def check_stated(file: Any) -> None:
    """Refuse a file, opened with h5py, that states more than is read or leads elsewhere. Raises StatedError."""
    total = objects = 0
    waiting = [("", file, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        if depth > MOST_NESTED:
            raise StatedError(f"its groups are nested more than {MOST_NESTED} levels deep")
        for name in group:
            place = f"{path}/{name}"
            objects += 1
            if objects > MOST_OBJECTS:
                raise StatedError(f"it has more than {MOST_OBJECTS} groups and arrays")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise StatedError(f"{place} is a link, which a NIR file has none of")
            found = group[name]
            if isinstance(found, h5py.Group):
                waiting.append((place, found, depth + 1))
            else:
                total += _stated(place, found)
        if total > most_bytes():
            raise StatedError(
                f"its arrays take {total} bytes, and {most_bytes()} are read at most unless {MOST_BYTES_VARIABLE} is set to more"
            )


def _stated(place: str, dataset: Any) -> int:
    """Bytes of an array of the file's own."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in _KINDS:
        raise StatedError(f"{place} holds neither real numbers nor text")
    if dataset.is_virtual or dataset.external:
        raise StatedError(f"{place} is kept in another file")
    return math.prod(dataset.shape or (0,)) * int(dataset.dtype.itemsize)
