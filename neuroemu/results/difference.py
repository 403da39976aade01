"""The first packet in which two recordings differ, read side by side, a block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from neuroemu.chip.aer import CHANNELS, KeyLayout
from neuroemu.results.packets import SENT, sends
from neuroemu.results.recording import NOWHERE, PACKET, Header, Packets


class Recorded(Protocol):
    """A recording, or a run's packets in the form of one."""

    @property
    def header(self) -> Header:
        """What was run and how."""

    def __iter__(self) -> Iterator[Packets]:
        """Packets in canonical order."""


@dataclass(frozen=True)
class Difference:
    """Where two recordings part: the number of the packet, and what each has there (None: it has ended)."""

    text: str
    packet: int | None = None
    first: dict[str, Any] | None = None
    second: dict[str, Any] | None = None


@dataclass(frozen=True)
class RecordingDifference:
    """What comparing came to: how many packets were equal, and the difference if there is one."""

    packets: int
    difference: Difference | None
    same_image: bool
    """Keys are compared only then: another placement gives the same packets other keys."""


def diff_recordings(first: Recorded, second: Recorded) -> RecordingDifference:
    """Compare packet by packet, host packets included. Recordings of different images are compared send by send, without keys."""
    same_image = first.header.image == second.header.image
    other = _other_network(first.header, second.header)
    if other:
        return RecordingDifference(0, Difference(other), same_image)
    names = (*SENT, "payload", "key") if same_image else (*SENT, "payload")
    done = 0
    for mine, theirs in _side_by_side(_blocks(first, same_image), _blocks(second, same_image)):
        shared = min(len(mine), len(theirs))
        unequal = np.zeros(shared, bool)
        for name in names:
            unequal |= mine[name][:shared] != theirs[name][:shared]
        if np.any(unequal) or len(mine) != len(theirs):
            k = int(np.argmax(unequal)) if np.any(unequal) else shared
            return RecordingDifference(done + k, _difference(first, second, done + k, mine[k:], theirs[k:]), same_image)
        done += shared
    return RecordingDifference(done, _other_times(first.header, second.header), same_image)


def _blocks(recorded: Recorded, same_image: bool) -> Iterable[Packets]:
    return recorded if same_image else sends(recorded)


def _side_by_side(first: Iterable[Packets], second: Iterable[Packets]) -> Iterator[tuple[Packets, Packets]]:
    """Pieces of equal length from both; of unequal length only where one has ended."""
    sources, rest = (iter(first), iter(second)), [np.empty(0, PACKET), np.empty(0, PACKET)]
    while True:
        for k in (0, 1):
            while not len(rest[k]) and (block := next(sources[k], None)) is not None:
                rest[k] = block
        shared = min(len(rest[0]), len(rest[1]))
        if not shared:
            if len(rest[0]) or len(rest[1]):
                yield rest[0], rest[1]
            return
        yield rest[0][:shared], rest[1][:shared]
        rest = [rest[0][shared:], rest[1][shared:]]


def _difference(first: Recorded, second: Recorded, k: int, mine: Packets, theirs: Packets) -> Difference:
    sides = [
        _facts(recorded.header, rest[0]) if len(rest) else None for recorded, rest in ((first, mine), (second, theirs))
    ]
    show_core = first.header.image == second.header.image
    texts = [_text(side, show_core) if side else "nothing" for side in sides]
    return Difference(f"packet {k}: {texts[0]} against {texts[1]}", k, sides[0], sides[1])


def _facts(header: Header, packet: np.void) -> dict[str, Any]:
    key = int(packet["key"])
    address = None if key == NOWHERE else KeyLayout.of(header.key).decode(key)
    return {
        "presentation": int(packet["presentation"]),
        "tick": int(packet["tick"]),
        "channel": next(name for name, number in CHANNELS.items() if number == packet["channel"]),
        "source": header.name(int(packet["source"])),
        "payload": int(packet["payload"]),
        "key": key,
        "to": None if address is None else {"chip": address.chip, "core": address.core, "axon": address.axon},
    }


def _text(facts: dict[str, Any], show_core: bool) -> str:
    text = f"presentation {facts['presentation']}, tick {facts['tick']}, {facts['channel']} of {facts['source']}"
    if show_core:
        to = facts["to"]
        text += f" to core {to['core']} axon {to['axon']}" if to else " to no core"
    return f"{text}, payload {facts['payload']}"


def _other_network(first: Header, second: Header) -> str | None:
    for name in [*first.layers, *second.layers]:
        sides = []
        for header in (first, second):
            place = header.layers.get(name)
            sides.append(f"{place.n} neurons from id {place.id0}" if place else "nothing")
        if sides[0] != sides[1]:
            return f"the networks differ: '{name}' has {sides[0]} against {sides[1]}"
    return None


def _other_times(first: Header, second: Header) -> Difference | None:
    for name in ("presentations", "ticks", "rows", "lag"):
        mine, theirs = getattr(first, name), getattr(second, name)
        if mine != theirs:
            return Difference(f"every packet is equal, but not the {name}: {mine} against {theirs}")
    return None
