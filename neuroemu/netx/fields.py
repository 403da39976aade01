"""Fields of an HDF5 group, checked as they are read: what a file says is data, and may say anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import NetworkError

MOST_NUMBERS = 1 << 26
"""Numbers of one field that are read: half a gigabyte."""
MOST_LETTERS = 64
"""Letters of a text that are read."""


class Fields:
    """A group's fields. ``place`` names it in errors."""

    def __init__(self, group: Any, place: str) -> None:
        self.group, self.place = group, place

    def refuse(self, text: str) -> NetworkError:
        """An error at this place."""
        return NetworkError(f"{self.place}: {text}")

    def names(self) -> list[str]:
        """The fields' names."""
        return list(self.group)

    def only(self, known: Iterable[str]) -> None:
        """Refuse fields that are not understood: they may change what the network does."""
        for name in self.names():
            if name not in known:
                raise self.refuse(
                    f"has a field '{name}', which is not understood; known are {', '.join(sorted(known))}"
                )

    def group_of(self, name: str) -> Fields:
        """The group of that name."""
        found = self._held(name)
        if not isinstance(found, h5py.Group):
            raise self.refuse(f"{name} is no group of fields; export the network again")
        return Fields(found, f"{self.place}: {name}")

    def text(self, name: str) -> str:
        """A text of one value."""
        data = self._dataset(name)
        value = np.asarray(data[()]).ravel()[0] if data.size == 1 and data.dtype.itemsize <= MOST_LETTERS else None
        if not isinstance(value, str | bytes) or len(value) > MOST_LETTERS:
            raise self.refuse(f"{name} is no text; export the network again")
        return value.decode("ascii", "replace") if isinstance(value, bytes) else value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> Ints:
        """Whole numbers, whatever type they are stored as, each within ``low`` to ``high``; the shape is the file's."""
        if name not in self.group and default is not None:
            return np.array(default, np.int64)
        data = self._dataset(name)
        if data.dtype.kind not in "biuf":
            raise self.refuse(f"{name} holds {data.dtype} values; give whole numbers")
        if not 1 <= data.size <= MOST_NUMBERS:
            raise self.refuse(f"{name} has {data.size} values; 1 to {MOST_NUMBERS} are read")
        values = np.asarray(data[()])
        wrong = ~((values >= low) & (values <= high) & (values == np.rint(values)))
        if wrong.any():
            raise self.refuse(f"{name} holds {values[wrong].flat[0]:g}; give whole numbers from {low} to {high}")
        return values.astype(np.int64)

    def one(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A single whole number."""
        values = self.whole(name, low, high, default)
        if values.size != 1:
            raise self.refuse(f"{name} has {values.size} values; give one")
        return int(values.ravel()[0])

    def pair(self, name: str, low: int, high: int, default: int | None = None) -> tuple[int, int]:
        """Two whole numbers, for rows and for columns, or one for both."""
        values = self.whole(name, low, high, default).ravel()
        if values.size > 2:
            raise self.refuse(f"{name} has {values.size} values; give one, or one for rows and one for columns")
        return int(values[0]), int(values[-1])

    def _dataset(self, name: str) -> Any:
        found = self._held(name)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise self.refuse(f"{name} is no array; export the network again")
        return found

    def _held(self, name: str) -> Any:
        if name not in self.group:
            raise self.refuse(f"has no field '{name}'; export the network again with lava-dl")
        return self.group[name]
