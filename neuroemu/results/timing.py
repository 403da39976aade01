"""How long a run took on the chip, and what held it up: per tick, core and link, with the packets' latencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from neuroemu.base.arrays import Ints
from neuroemu.base.fields import Field

PERCENTILES = (50, 90, 99, 100)
_MOST = (1 << 63) - 1


@dataclass(frozen=True)
class CoreTime:
    """A core over the run: packets sent and taken in, ps its source worked and was held by a full injection FIFO, ps its sink served."""

    sent: int
    taken: int
    send_ps: int
    stall_ps: int
    service_ps: int


@dataclass(frozen=True)
class LinkTime:
    """A link over the run: packets, ps it was held, ps packets waited for it, ps it was free but without a slot beyond."""

    packets: int
    busy_ps: int
    wait_ps: int
    stall_ps: int


@dataclass(frozen=True, eq=False)
class Timing:
    """The timing model's account of a run (docs/timing.md).

    ``tick_ps`` has shape (presentations, ticks), barrier included. ``latency_ps`` are percentiles of the packets' way from push
    to service; ``held_by`` counts the ticks each core or link ended last in; ``unknown`` names the figures that the datasheet
    lacks, which count as the least the model takes.
    """

    tick_ps: Ints
    packets: int
    latency_ps: Mapping[int, int]
    cores: Mapping[int, CoreTime]
    """By core; -1 is the host."""
    links: Mapping[str, LinkTime]
    held_by: Mapping[str, int]
    unknown: tuple[str, ...]

    @property
    def time_ps(self) -> int:
        """The whole run."""
        return int(self.tick_ps.sum())

    def as_dict(self) -> dict[str, Any]:
        """Everything but the ticks, for JSON."""
        return {
            "packets": self.packets,
            "latency_ps": {str(p): value for p, value in self.latency_ps.items()},
            "cores": {str(core): asdict(time) for core, time in self.cores.items()},
            "links": {link: asdict(time) for link, time in self.links.items()},
            "held_by": dict(self.held_by),
            "unknown": list(self.unknown),
        }

    @classmethod
    def restore(cls, stored: Field, tick_ps: Ints) -> Timing:
        """The reverse of ``as_dict``, out of a file. Raises WrongFieldError."""
        fields = stored.table(("packets", "latency_ps", "cores", "links", "held_by", "unknown"))

        def times(key: str, kind: type[CoreTime] | type[LinkTime]) -> dict[str, Any]:
            names = kind.__dataclass_fields__
            return {
                name: kind(**{part: value.integer(0, _MOST) for part, value in entry.table(names).items()})
                for name, entry in fields[key].mapping().items()
            }

        return cls(
            tick_ps,
            fields["packets"].integer(0, _MOST),
            {_number(fields["latency_ps"], p): v.integer(0, _MOST) for p, v in fields["latency_ps"].mapping().items()},
            {_number(fields["cores"], core): time for core, time in times("cores", CoreTime).items()},
            times("links", LinkTime),
            {name: value.integer(0, _MOST) for name, value in fields["held_by"].mapping().items()},
            tuple(entry.text() for entry in fields["unknown"].items()),
        )

    def differs(self, other: Timing) -> str | None:
        """The first thing in which two timings differ, in words."""
        if self.tick_ps.shape != other.tick_ps.shape:
            return f"timings of {self.tick_ps.shape} and {other.tick_ps.shape} ticks"
        unequal = (self.tick_ps != other.tick_ps).nonzero()
        if unequal[0].size:
            place = int(unequal[0][0]), int(unequal[1][0])
            return f"time of tick {place[1]} of presentation {place[0]}: {self.tick_ps[place]} ps against {other.tick_ps[place]} ps"
        mine, theirs = self.as_dict(), other.as_dict()
        for key in mine:
            if mine[key] != theirs[key]:
                return f"timing's {key}: {mine[key]} against {theirs[key]}"
        return None


def _number(table: Field, key: str) -> int:
    """A whole number that JSON made the name of an entry."""
    if not (key.isascii() and key.removeprefix("-").isdigit() and len(key) <= 18):
        raise table.wrong("a table by whole numbers")
    return int(key)
