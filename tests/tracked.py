"""Integers that remember the smallest and the largest value anything computed with them took."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any


class Track:
    """Smallest and largest value seen. ``track(5)`` is a 5 whose descendants are seen."""

    def __init__(self) -> None:
        self.low = self.high = 0

    def __call__(self, value: int) -> Tracked:
        number = Tracked(value)
        number.track = self
        self.low, self.high = min(self.low, number), max(self.high, number)
        return number


class Tracked(int):
    """An integer whose sums, products, shifts and so on are tracked too."""

    track: Track


def _tracked(name: str, function: Callable[..., int]) -> None:
    def method(self: Tracked, *others: Any) -> Any:
        return self.track(function(int(self), *map(int, others)))

    setattr(Tracked, name, method)


for _name in ("add", "sub", "mul", "lshift", "rshift", "and", "or", "xor"):
    _function = getattr(operator, f"{_name}_" if _name in ("and", "or") else _name)
    _tracked(f"__{_name}__", _function)
    _tracked(f"__r{_name}__", lambda a, b, function=_function: function(b, a))
_tracked("__neg__", operator.neg)
_tracked("__abs__", abs)
