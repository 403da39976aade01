"""Values of a file's header, and its arrays, checked one by one before anything is made of them.

A file is data that somebody else may have written: every value is asked for by its type and range, and what is not as its
format says is refused by its place, its value and what is allowed there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LONGEST_SHOWN = 60
"""Characters of a wrong value that a message shows: the value may be a file of megabytes."""
MOST_NESTED = 32
"""Levels of lists and tables in a value that is kept as it is."""
_HALF = re.compile("[\ud800-\udfff]")
"""What JSON can escape and UTF-8 cannot write. Paths may hold it: it stands for bytes of a name that is not UTF-8."""
LONGEST_NAME = 4000
"""Characters of a name: the name of an array in an archive, of which it is a part, has at most 65535 bytes."""


class WrongFieldError(ValueError):
    """A value of a file is not what its format says. Readers turn it into a FileError that names the file and the way out."""


@dataclass(frozen=True)
class Field:
    """A value of a file's header as JSON gave it, and where it stands there: ``populations[1].id0``."""

    value: Any
    place: str

    def wrong(self, allowed: str) -> WrongFieldError:
        """The error of a value that is not what is allowed at its place."""
        return WrongFieldError(f"{self.place or 'the header'} is {shown(self.value)}, not {allowed}")

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high; true and 1.0 are none."""
        if type(self.value) is not int or not low <= self.value <= high:
            raise self.wrong(f"a whole number from {low} to {high}")
        return self.value

    def number(self, *, finite: bool = True) -> float:
        """A number, whole or not; it stays an int if it is one."""
        if type(self.value) not in (int, float) or (finite and not math.isfinite(self.value)):
            raise self.wrong("a finite number" if finite else "a number")
        return self.value  # type: ignore[no-any-return]

    def flag(self) -> bool:
        """True or false."""
        if type(self.value) is not bool:
            raise self.wrong("true or false")
        return self.value

    def text(self, most: int | None = None) -> str:
        """A string, of at most so many characters if a limit is given: then it is a file's text, and holds no half of a character."""
        if type(self.value) is not str or (most is not None and len(self.value) > most):
            raise self.wrong("a string" if most is None else f"a string of at most {most} characters")
        half = None if most is None else _HALF.search(self.value)
        if half:
            raise WrongFieldError(f"{self.place} holds {half[0]!a}, which is half of a character")
        return self.value

    def name(self) -> str:
        """A string that is a name in a program: it may be written into text that runs."""
        if type(self.value) is not str or not self.value.isidentifier():
            raise self.wrong("a name of letters, digits and _")
        return self.value

    def choice(self, choices: Collection[str]) -> str:
        """One of some strings."""
        if type(self.value) is not str or self.value not in choices:
            raise self.wrong(f"one of {', '.join(choices)}")
        return self.value

    def items(self, length: int | None = None) -> list[Field]:
        """The values of a list, of that many if a length is given."""
        if type(self.value) is not list or (length is not None and len(self.value) != length):
            raise self.wrong("a list" if length is None else f"a list of {length}")
        return [Field(value, f"{self.place}[{k}]") for k, value in enumerate(self.value)]

    def mapping(self) -> dict[str, Field]:
        """The values of a table with names of any kind."""
        if type(self.value) is not dict:
            raise self.wrong("a table")
        stem = f"{self.place}." if self.place else ""
        return {key: Field(value, f"{stem}{shortened(key)}") for key, value in self.value.items()}

    def table(self, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Field]:
        """The values of a table that has all required names, and no others but the optional ones."""
        fields = self.mapping()
        where = self.place or "the header"
        for key in required:
            if key not in fields:
                raise WrongFieldError(f"{where} has no '{key}'")
        for key in fields:
            if key not in required and key not in optional:
                raise WrongFieldError(f"{where} has an unknown '{shortened(key)}'")
        return fields

    def plain(self, depth: int = 0) -> Any:
        """The value as it is, whatever it holds, but no deeper than MOST_NESTED: for what is only shown and written again."""
        if depth > MOST_NESTED:
            raise WrongFieldError(f"{shortened(self.place)} is nested more than {MOST_NESTED} levels deep")
        inner = (
            self.mapping().values() if type(self.value) is dict else self.items() if type(self.value) is list else ()
        )
        for field in inner:
            field.plain(depth + 1)
        return self.value


def unfit(name: object) -> str:
    """What keeps a name out of messages, tables and archives; empty if nothing does."""
    if not isinstance(name, str):
        return f"is {shown(name)}, no string"
    if not name:
        return "is empty"
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters, {LONGEST_NAME} is the most"
    odd = next((character for character in name if not character.isprintable()), "")
    return f"holds {odd!a}, which cannot be printed" if odd else ""


def shown(value: object) -> str:
    """The value for a message: as Python writes it, shortened. A list or table is said by its kind and length."""
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'table'} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number past 64 bits"
    return shortened(repr(value[: LONGEST_SHOWN + 1] if isinstance(value, str) else value))


def shortened(text: str) -> str:
    """The text, cut if it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


class Arrays:
    """The arrays of a file by name, each checked as it is taken; what nobody took has no place in the file."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self.taken: set[str] = set()

    def take(self, name: str, dtype: DTypeLike, shape: Sequence[int | None], most: int | None = None) -> NDArray[Any]:
        """The array of that name, dtype and shape (None: any length, up to ``most``)."""
        if name not in self.arrays:
            raise WrongFieldError(f"there is no array '{shortened(name)}'")
        array = self.arrays[name]
        self.taken.add(name)
        sizes = " x ".join("any" if size is None else str(size) for size in shape) or "one number"
        fits = array.ndim == len(shape) and all(
            size is None or size == given for size, given in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            raise WrongFieldError(
                f"array '{shortened(name)}' has shape {array.shape} and dtype {array.dtype}, not {sizes} of {np.dtype(dtype)}"
            )
        if most is not None and array.size > most:
            raise WrongFieldError(f"array '{shortened(name)}' has {array.size} entries, not at most {most}")
        return array

    def rest(self) -> None:
        """Refuse arrays that nobody took."""
        for name in self.arrays:
            if name not in self.taken:
                raise WrongFieldError(f"there is an unknown array '{shortened(name)}'")


def within(place: str, array: NDArray[Any], low: int, high: int) -> None:
    """Refuse an array of integers with a value outside low..high."""
    outside = array[(array < low) | (array > high)] if array.size else array
    if outside.size:
        raise WrongFieldError(f"{place} holds {outside.flat[0]}, not numbers from {low} to {high}")


def row_pointers(place: str, pointers: NDArray[Any], end: int) -> None:
    """Refuse pointers into a list that do not go from 0 to its end without a step back, shape (rows + 1,)."""
    if not pointers.size or pointers[0] != 0 or pointers[-1] != end or np.any(pointers[1:] < pointers[:-1]):
        raise WrongFieldError(f"{place} does not ascend from 0 to {end}, the length of what it points into")


def columns_ascend(place: str, pointers: NDArray[Any], values: NDArray[Any]) -> None:
    """Refuse rows, as the pointers part them, whose values do not strictly ascend."""
    if values.size < 2:
        return
    falls = values[1:] <= values[:-1]
    starts = pointers[1:-1]
    inner = starts[(starts > 0) & (starts < values.size)]
    falls[inner - 1] = False  # a new row begins there
    if np.any(falls):
        raise WrongFieldError(f"{place} does not ascend within a row, at entry {int(np.flatnonzero(falls)[0]) + 1}")
