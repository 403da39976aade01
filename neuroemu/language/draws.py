"""Random numbers of the firmware language for whole arrays: the hash of `isa`, on NumPy's unsigned 64-bit integers.

The functions are isa's own code with casts for arrays in the place of those for integers, so there is one definition.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.language import isa

SHUFFLE_SITE = 1 << 20
"""Draw site of a permutation, and..."""
ENCODE_SITE = SHUFFLE_SITE + 1
"""...of an encoder; hooks draw at sites far below."""


def _u64(x: Any) -> NDArray[np.uint64]:
    """x modulo 2**64. Never a NumPy scalar, which would warn where an array wraps."""
    return np.atleast_1d(np.asarray(isa.u64(x) if isinstance(x, int) else x).astype(np.uint64, copy=False))


def _i64(x: Any) -> Any:
    """x as a signed value: a number is one."""
    return x if isinstance(x, int) else x.astype(np.int64)


def _for_arrays(*names: str) -> list[Any]:
    """isa's functions of these names, over arrays."""
    world: dict[str, Any] = {"u64": _u64, "i64": _i64}
    for name in names:
        world[name] = FunctionType(getattr(isa, name).__code__, world, name)
    return [world[name] for name in names]


mix, tick_key, site_key, unit_key, uniform = _for_arrays("mix", "tick_key", "site_key", "unit_key", "uniform")


def permutation(n: int, seed: int, epoch: int = 0) -> Ints:
    """The numbers 0..n-1, shape (n,), in an order that depends on seed and epoch only, never on NumPy's version."""
    key = unit_key(site_key(tick_key(seed, epoch, 0), SHUFFLE_SITE), np.arange(n))
    return np.argsort(uniform(key, 0, 62), kind="stable").astype(np.int64)
