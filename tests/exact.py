"""Integers of a stated type, and arrays of them, that refuse whatever Python, NumPy and Numba would not all do alike.

Every result is computed exactly and must fit the type that NumPy gives it: nothing wraps but unsigned 64-bit integers, which are
meant to. Integers of up to 16 bits must be cast before arithmetic (Numba widens them, NumPy does not), signed and unsigned ones must
not meet (NumPy makes floats of them), an index must lie in its axis (a kernel looks at none), and what was never stored is not read.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

LIMITS = {
    f"{sign}int{bits}": (0, (1 << bits) - 1) if sign else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    for bits in (8, 16, 32, 64)
    for sign in ("", "u")
}


class FaultError(Exception):
    """What is not the same everywhere, in words."""


class Number(int):
    """An integer of one type; the type of what is computed with it is NumPy's, and so is what fits."""

    dtype: ClassVar[str]
    low: ClassVar[int]
    high: ClassVar[int]
    narrow: ClassVar[bool]
    signed: ClassVar[bool]

    __hash__ = int.__hash__

    @classmethod
    def holding(cls, value: int, what: str) -> Number:
        """The value in this type, if it fits."""
        if not cls.low <= value <= cls.high:
            raise FaultError(f"{what} is {value}, and {cls.dtype} holds {cls.low} to {cls.high}")
        return cls(value)


class Int8(Number):
    """Eight bits, signed; the others alike."""


class Int16(Number): ...


class Int32(Number): ...


class Int64(Number): ...


class UInt8(Number): ...


class UInt16(Number): ...


class UInt32(Number): ...


class UInt64(Number): ...


TYPES: dict[str, type[Number]] = {t.__name__.lower(): t for t in Number.__subclasses__()}
for _name, _type in TYPES.items():
    _type.dtype, (_type.low, _type.high) = _name, LIMITS[_name]
    _type.narrow, _type.signed = _name[-2:] not in ("32", "64"), _name[0] != "u"


# ---- arithmetic
def _common(symbol: str, a: Number, b: Any) -> type[Number]:
    """The type of a result of two operands."""
    mine = type(a)
    if not isinstance(b, Number):
        if not isinstance(b, int):
            raise FaultError(f"{mine.dtype} {symbol} {type(b).__name__}: not an integer")
        if mine.narrow:
            raise FaultError(f"{mine.dtype} {symbol} {b!r}: a narrow operand, which Numba would widen; cast it")
        if not mine.signed:
            raise FaultError(f"{mine.dtype} {symbol} {b!r}: unsigned and a signed constant; cast one of them")
        mine.holding(b, f"the constant beside a {mine.dtype}")
        return mine
    other = type(b)
    if mine is other and (not mine.narrow or symbol in "&|^"):
        return mine
    if mine.signed != other.signed and not (mine if other.signed else other).narrow:
        raise FaultError(f"{mine.dtype} {symbol} {other.dtype}: signed and unsigned; cast one of them")
    if mine.narrow and other.narrow:
        raise FaultError(f"{mine.dtype} {symbol} {other.dtype}: narrow operands, which Numba would widen; cast them")
    return mine if mine.high >= other.high else other


def _operator(symbol: str, function: Callable[[int, int], int]) -> None:
    """Give Number one binary operator, from both sides."""

    def compute(kind: type[Number], a: int, b: int) -> Number:
        if symbol in ("<<", ">>") and not 0 <= b < 64:
            raise FaultError(f"{int(a)} {symbol} {int(b)}: a distance outside 0 to 63")
        value = function(int(a), int(b))
        if kind is UInt64:
            return kind(value & LIMITS["uint64"][1])
        return kind.holding(value, f"{int(a)} {symbol} {int(b)}")

    def method(a: Number, b: Any) -> Number:
        return compute(_common(symbol, a, b), a, b)

    def reflected(a: Number, b: Any) -> Number:
        return compute(_common(symbol, a, b), b, a)

    name = function.__name__.strip("_")
    setattr(Number, f"__{name}__", method)
    setattr(Number, f"__r{name}__", reflected)


for _symbol, _function in (
    ("+", operator.add),
    ("-", operator.sub),
    ("*", operator.mul),
    ("%", operator.mod),
    ("<<", operator.lshift),
    (">>", operator.rshift),
    ("&", operator.and_),
    ("|", operator.or_),
    ("^", operator.xor),
):
    _operator(_symbol, _function)


def _unary(name: str, function: Callable[[int], int]) -> None:
    def method(a: Number) -> Number:
        if a.narrow or not a.signed:
            raise FaultError(f"{name} of {a.dtype}: cast it to a signed integer of 32 or 64 bits")
        return a.holding(function(int(a)), f"{name} of {int(a)}")

    setattr(Number, f"__{name}__", method)


for _name, _of_one in (("neg", operator.neg), ("abs", abs), ("invert", operator.invert)):
    _unary(_name, _of_one)


def _comparison(name: str, function: Callable[[int, int], bool]) -> None:
    def method(a: Number, b: Any) -> bool:
        both = a.signed == b.signed if isinstance(b, Number) else isinstance(b, int) and (a.signed or b >= 0)
        if not both and not (a.narrow or getattr(b, "narrow", False)):
            raise FaultError(
                f"{a.dtype} compared with {getattr(b, 'dtype', repr(b))}: signed and unsigned; cast one of them"
            )
        return function(int(a), int(b))

    setattr(Number, f"__{name}__", method)


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name, getattr(operator, _name))


def _forbidden(name: str, symbol: str) -> None:
    def method(a: Number, *others: Any) -> Number:
        raise FaultError(f"{int(a)} {symbol} {', '.join(map(repr, others))}: no operation of a kernel")

    for full in (f"__{name}__", f"__r{name}__"):
        setattr(Number, full, method)


for _name, _symbol in (("truediv", "/"), ("floordiv", "//"), ("pow", "**"), ("divmod", "divmod")):
    _forbidden(_name, _symbol)


# ---- casts and loops
class Cast:
    """A type as a kernel's text uses it: called to cast, named to allocate."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.type = dtype, TYPES[dtype]

    def __call__(self, value: Any) -> Number:
        """The value in the type. An unsigned one of 64 bits takes a signed number modulo 2**64, never a negative constant."""
        if not isinstance(value, int):
            raise FaultError(f"{self.dtype} of {type(value).__name__}: not an integer")
        if self.type is UInt64 and isinstance(value, Number) and not value.narrow:
            return UInt64(int(value) & UInt64.high)
        return self.type.holding(int(value), f"what is cast to {self.dtype}")


def counting(*limits: Any) -> Iterator[int]:
    """Python's range, giving numbers of the type of its limits."""
    kinds = {type(limit) for limit in limits if isinstance(limit, Number)}
    if len(kinds) > 1:
        raise FaultError(f"range over {' and '.join(sorted(kind.dtype for kind in kinds))}; cast its limits alike")
    if kinds and next(iter(kinds)).narrow:
        raise FaultError(f"range over {next(iter(kinds)).dtype}; cast its limits")
    kind = kinds.pop() if kinds else Int64
    return map(kind, range(*map(int, limits)))


# ---- arrays
class Array:
    """A NumPy array that looks at every index and every store; ``known`` says of each element whether it was ever stored."""

    def __init__(self, data: np.ndarray, known: np.ndarray | None = None) -> None:
        self.data, self.known, self.kind = data, known, TYPES[data.dtype.name]

    @property
    def shape(self) -> tuple[Number, ...]:
        """As NumPy's, of signed integers."""
        return tuple(map(Int64, self.data.shape))

    def __len__(self) -> int:
        return len(self.data)

    def place(self, key: Any) -> tuple[int | slice, ...]:
        """The indices, each in its axis."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > self.data.ndim:
            raise FaultError(f"{len(keys)} indices into {self.data.ndim} axes")
        return tuple(self.index(k, size) for k, size in zip(keys, self.data.shape, strict=False))

    def index(self, key: Any, size: int) -> int | slice:
        if isinstance(key, slice):
            if not 0 <= key.start <= key.stop <= size:
                raise FaultError(f"part {key.start}:{key.stop} of an axis of {size}")
            return key
        if not isinstance(key, int):
            raise FaultError(f"index {key!r} is not an integer")
        if not 0 <= int(key) < size:
            raise FaultError(f"index {int(key)} of an axis of {size}")
        return int(key)

    def __getitem__(self, key: Any) -> Any:
        place = self.place(key)
        found = self.data[place]
        if isinstance(found, np.ndarray):
            return Array(found, None if self.known is None else self.known[place])
        if self.known is not None and not self.known[place]:
            raise FaultError("reads an element that was never stored")
        return self.kind(found)

    def __setitem__(self, key: Any, value: Any) -> None:
        place = self.place(key)
        if len(place) < self.data.ndim or any(isinstance(k, slice) for k in place):
            raise FaultError("stores into a part of an array; store element by element")
        if not isinstance(value, int):
            raise FaultError(f"stores {type(value).__name__}: not an integer")
        self.data[place] = int(self.kind.holding(int(value), "what is stored"))
        if self.known is not None:
            self.known[place] = True


def zeros(shape: Any, cast: Cast) -> Array:
    """As np.zeros."""
    return Array(np.zeros(shape, cast.dtype))


def empty(shape: Any, cast: Cast) -> Array:
    """As np.empty; its elements are told to be unknown, and hold what a kernel would hardly get away with."""
    return Array(np.full(shape, cast.type.high - 1, cast.dtype), np.zeros(shape, bool))
