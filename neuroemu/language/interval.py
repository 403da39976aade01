"""Interval arithmetic over integers, exact at both ends: what a value can be, for the checker's proof."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import reduce
from itertools import product
from typing import NamedTuple

from neuroemu.chip.width import Bits


class Interval(NamedTuple):
    """All integers from ``low`` to ``high``."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def within(self, other: Interval) -> bool:
        """Whether every value of this one is in the other."""
        return other.low <= self.low and self.high <= other.high

    def map(self, function: Callable[..., int], *others: Interval) -> Interval:
        """The image under a function monotonic in each argument: its extremes are at the corners."""
        values = [function(*corner) for corner in product(self, *others)]
        return Interval(min(values), max(values))


INT32 = Interval(-(1 << 31), (1 << 31) - 1)
INT64 = Interval(-(1 << 63), (1 << 63) - 1)
DISTANCE = Interval(0, 62)
DECAY = Interval(0, 4096)


def of_bits(width: Bits) -> Interval:
    """What a two's complement register of that width holds."""
    half = 1 << (width.bits - 1)
    return Interval(-half, half - 1)


def add(a: Interval, b: Interval) -> Interval:
    """a + b."""
    return Interval(a.low + b.low, a.high + b.high)


def subtract(a: Interval, b: Interval) -> Interval:
    """a - b."""
    return Interval(a.low - b.high, a.high - b.low)


def multiply(a: Interval, b: Interval) -> Interval:
    """a * b."""
    return a.map(lambda x, y: x * y, b)


def negate(a: Interval) -> Interval:
    """-a."""
    return Interval(-a.high, -a.low)


def absolute(a: Interval) -> Interval:
    """abs(a)."""
    low = 0 if a.low <= 0 <= a.high else min(abs(a.low), abs(a.high))
    return Interval(low, max(abs(a.low), abs(a.high)))


def minimum(*values: Interval) -> Interval:
    """min of all."""
    return Interval(min(v.low for v in values), min(v.high for v in values))


def maximum(*values: Interval) -> Interval:
    """max of all."""
    return Interval(max(v.low for v in values), max(v.high for v in values))


Transfer = tuple[Interval, tuple[Interval, ...]]
"""What an intrinsic returns, and the widest values it computes on the way."""


def _shift_left(x: Interval, k: Interval) -> Transfer:
    return x.map(lambda a, b: a << b, k), ()


def _shift_floor(x: Interval, k: Interval) -> Transfer:
    return x.map(lambda a, b: a >> b, k), ()


def _half(k: Interval) -> Interval:
    return Interval((1 << k.low) >> 1, (1 << k.high) >> 1)


def _zero(a: int, b: int) -> int:
    return a >> b if a >= 0 else -(-a >> b)


def _shift_zero(x: Interval, k: Interval) -> Transfer:
    return x.map(_zero, k), (absolute(x),)


def _shift_round(x: Interval, k: Interval) -> Transfer:
    return x.map(lambda a, b: (a + ((1 << b) >> 1)) >> b, k), (add(x, _half(k)),)


def _shift_away(x: Interval, k: Interval) -> Transfer:
    result = x.map(lambda a, b: _zero(a + (((1 << b) >> 1) if a >= 0 else -((1 << b) >> 1)), b), k)
    return result, (add(absolute(x), _half(k)),)


def _decay_to_zero(x: Interval, decay: Interval) -> Transfer:
    keep = subtract(Interval(4096, 4096), decay)
    low_half = Interval(0, min(absolute(x).high, 4095))
    return x.map(lambda a, b: _zero(a * b, 12), keep), (absolute(x), multiply(low_half, keep))


def _clamp(x: Interval, low: Interval, high: Interval) -> Transfer:
    # as the source says: low if x < low else (high if x > high else x)
    below = Interval(max(low.low, x.low + 1), low.high)
    above = Interval(high.low, min(high.high, x.high - 1) if x.high >= low.low else high.low - 1)
    unchanged = Interval(max(x.low, low.low), min(x.high, high.high))
    return reduce(Interval.hull, [part for part in (below, above, unchanged) if part.low <= part.high]), ()


def _leading_one(x: Interval) -> Transfer:
    return Interval(max(x.low, 1).bit_length() - 1, max(x.high, 1).bit_length() - 1), ()


def _uniform(bits: Interval) -> Interval:
    return Interval(0, (1 << bits.high) - 1)


def _shift_stochastic(x: Interval, k: Interval) -> Transfer:
    noisy = add(x, _uniform(k))
    return Interval(min(x.low >> k.low, x.low >> k.high), max((x.high + (1 << b) - 1) >> b for b in k)), (noisy,)


TRANSFER: dict[str, Callable[..., Transfer]] = {
    "clamp": _clamp,
    "shift_left": _shift_left,
    "shift_floor": _shift_floor,
    "shift_zero": _shift_zero,
    "shift_round": _shift_round,
    "shift_away": _shift_away,
    "decay_to_zero": _decay_to_zero,
    "leading_one": _leading_one,
    "uniform": lambda bits: (_uniform(bits), ()),
    "shift_stochastic": _shift_stochastic,
    "min": lambda *v: (minimum(*v), ()),
    "max": lambda *v: (maximum(*v), ()),
    "abs": lambda a: (absolute(a), ()),
}
"""Intrinsics by name (``fit`` apart, which needs a width; keys are left out of the arguments)."""

DOMAIN: dict[str, dict[int, Interval]] = {
    "shift_left": {1: DISTANCE},
    "shift_floor": {1: DISTANCE},
    "shift_zero": {1: DISTANCE},
    "shift_round": {1: DISTANCE},
    "shift_away": {1: DISTANCE},
    "shift_stochastic": {1: DISTANCE},
    "decay_to_zero": {1: DECAY},
    "uniform": {0: DISTANCE},
}
"""Arguments (keys left out) that must be proved to lie in a range."""

_MIRROR = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}
_NEGATION = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def compare(value: Interval, operator: type[ast.cmpop], bound: Interval, truth: bool) -> Interval | None:
    """``value``, knowing that ``value operator bound`` came out as ``truth``; None if that cannot be."""
    op = operator if truth else _NEGATION[operator]
    low, high = value
    if op is ast.Lt:
        high = min(high, bound.high - 1)
    elif op is ast.LtE:
        high = min(high, bound.high)
    elif op is ast.Gt:
        low = max(low, bound.low + 1)
    elif op is ast.GtE:
        low = max(low, bound.low)
    elif op is ast.Eq:
        low, high = max(low, bound.low), min(high, bound.high)
    elif bound.low == bound.high:
        low, high = low + (low == bound.low), high - (high == bound.low)
    return Interval(low, high) if low <= high else None


def mirrored(operator: type[ast.cmpop]) -> type[ast.cmpop]:
    """The comparison with its sides exchanged."""
    return _MIRROR[operator]
