"""How often each event happened in a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from neuroemu.base.shelf import unknown
from neuroemu.chip.aer import CHANNELS
from neuroemu.chip.datasheet import EVENTS
from neuroemu.language.isa import HOOKS

Where = tuple[str, int, str]
"""A count's key, core (-1: the host or the whole chip) and owner (population or projection)."""
LEARNING = "learning."
"""Begins the keys of counts that are learning's share of the counts of the same name."""


@cache
def count_names() -> tuple[str, ...]:
    """Every key that a run can have counted: events of a datasheet, sends by channel, calls of hooks, and what went wrong."""
    sends = (f"send_{channel}" for channel in CHANNELS)
    counted = {*EVENTS, *sends, *(f"hook_{hook}" for hook in HOOKS)} - {"send"}
    return (*sorted(counted | {"saturation", "dropped"}), *sorted(LEARNING + key for key in counted))


class Counts(Mapping[str, int]):
    """How often each event happened, by core and owner: 64-bit integers.

    As a mapping it has the totals of what was counted, by key: iteration, ``in``, ``len`` and ``dict`` know the keys that are not
    zero. A key that a run could have counted and did not is 0; any other raises UnknownNameError.
    """

    def __init__(self, table: Mapping[Where, int] | None = None) -> None:
        self.table: Counter[Where] = Counter({where: int(n) for where, n in (table or {}).items() if n})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and self.table == other.table

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, key: str) -> int:
        """The total of a key. Raises UnknownNameError for one that no run counts."""
        found = sum(n for (name, _, _), n in self.table.items() if name == key)
        if not found and key not in count_names():
            raise unknown("count", str(key), self.names or count_names())
        return found

    def __contains__(self, key: object) -> bool:
        return any(name == key for name, _, _ in self.table)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Counts({dict(self)})"

    def get(self, key: str, default: Any = None) -> Any:
        """The total of a key, or ``default`` if it was not counted."""
        return self[key] if key in self else default  # noqa: SIM401

    @property
    def names(self) -> tuple[str, ...]:
        """Every key that was counted."""
        return tuple(sorted({key for key, _, _ in self.table}))

    def by_core(self, key: str) -> dict[int, int]:
        """A key's count on each core."""
        return self._grouped(key, 1)

    def by_owner(self, key: str) -> dict[str, int]:
        """A key's count for each population or projection."""
        return self._grouped(key, 2)

    def _grouped(self, key: str, axis: int) -> dict[Any, int]:
        found: Counter[Any] = Counter()
        for where, n in self.table.items():
            if where[0] == key:
                found[where[axis]] += n
        if not found and key not in count_names():
            raise unknown("count", str(key), self.names or count_names())
        return dict(sorted(found.items()))

    def rows(self) -> list[tuple[str, int, str, int]]:
        """Every non-zero count as (key, core, owner, number), sorted."""
        return [(*where, n) for where, n in sorted(self.table.items())]

    def differs(self, other: Counts) -> str | None:
        """The first count that is not equal, in words; None if all are."""
        for where in sorted(self.table.keys() | other.table.keys()):
            if self.table[where] != other.table[where]:
                return f"count {where[0]} on core {where[1]} of '{where[2]}': {self.table[where]} against {other.table[where]}"
        return None
