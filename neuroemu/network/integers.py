"""Whole numbers out of what a user gives."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import NetworkError, NeuroemuError
from neuroemu.base.fields import shown

PAST_INTEGERS = 2.0**63


def integer(value: object, place: str, error: type[NeuroemuError] = NetworkError) -> int:
    """One whole number as Python's own, which files take: NumPy's, True and 3.0 are such. Raises ``error`` naming the place for others."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise error(f"{place} is {shown(value)}, not a whole number; give one") from None


def integers(value: ArrayLike, place: str) -> Ints:
    """Whole numbers as int64; NetworkError naming the place if a value is none."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        raise NetworkError(f"{place} is not an array of numbers; give integers") from None
    if array.dtype.kind not in "iufb":
        raise NetworkError(f"{place} is not numeric; give integers")
    exact = np.rint(array.astype(np.float64))
    beyond = ~(np.abs(exact) < PAST_INTEGERS)
    if np.any(beyond):
        raise NetworkError(f"{place} is {array[beyond].flat[0]:g}, not within 64 bits; rescale the network")
    wrong = (
        np.abs(array - exact) > 1e-6 * np.maximum(1.0, np.abs(exact))
        if array.dtype.kind == "f"
        else np.zeros(array.shape, bool)
    )
    if np.any(wrong):
        raise NetworkError(f"{place} is {array[wrong].flat[0]:g}, not an integer; round it, or do not pass it verbatim")
    return exact.astype(np.int64)
