"""Following one synapse tick by tick, and one packet through the units it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.interpreted.bound import POST, PRE, SYNAPSE, Bound, Tap
from neuroemu.engines.interpreted.python import ChipState, Waiting
from neuroemu.image.image import HOST, Image
from neuroemu.inspect.inside import Inside

MOST = 16
"""Synapses of a packet named in text."""


# ---- a synapse
@dataclass(frozen=True)
class Change:
    """A hook call that changed a register."""

    hook: str
    register: str
    old: int
    new: int

    def __str__(self) -> str:
        return f"{self.hook}: {self.register} {self.old} -> {self.new}"


@dataclass(frozen=True)
class SynapseRow:
    """What one synapse saw in one tick, or at an ``end`` or ``commit`` (``stage``); registers as they are afterwards.

    ``arrivals`` are (channel, payload); ``synapse``, ``pre`` and ``post`` the rule's registers, ``neuron`` the post neuron's.
    """

    presentation: int
    tick: int
    stage: str
    arrivals: tuple[tuple[str, int], ...]
    fired: bool
    weight: int
    synapse: dict[str, int]
    pre: dict[str, int]
    post: dict[str, int]
    neuron: dict[str, int]
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        came = ", ".join(f"{channel} {payload}" for channel, payload in self.arrivals) or "-"
        registers = (self.synapse, self.pre, self.post, self.neuron)
        named = [" ".join(f"{name}={value}" for name, value in part.items()) for part in registers if part]
        where = f"tick {self.tick}" if self.stage == "tick" else self.stage
        told = f"; {'; '.join(map(str, self.changes))}" if self.changes else ""
        return f"{where}: in {came}; weight {self.weight}; {' | '.join(named)}{'; fired' * self.fired}{told}"


@dataclass(eq=False)
class SynapseLog:
    """A row for every tick, end and commit since it was asked for; ``close`` ends it. Prints one line a row."""

    name: str
    projection: int
    k: int
    inside: Inside = field(repr=False)
    tell: Callable[[SynapseRow], object] | None = None
    rows: list[SynapseRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.synapses = self.inside.core.synapses[self.projection]
        self.at = {POST: self.synapses.post[self.k], PRE: self.synapses.segment[self.k], SYNAPSE: self.k}
        self.changes: list[Change] = []
        self.taps: list[tuple[Bound, Tap]] = []
        for hook, bound in self.synapses.bound.items():
            self.taps.append((bound, partial(self._written, hook)))
            bound.taps.append(self.taps[-1][1])

    def __str__(self) -> str:
        return "\n".join([self.name, *(f"  {row}" for row in self.rows)])

    def __iter__(self) -> Iterator[SynapseRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _written(self, hook: str, register: str, axis: int, index: tuple[int, int, int], old: int, new: int) -> None:
        if old != new and index[axis - 1] == self.at[axis]:
            self.changes.append(Change(hook, register, old, new))

    def close(self) -> None:
        """Take no more rows."""
        for bound, tap in self.taps:
            bound.taps.remove(tap)
        self.taps = []

    def note(self, chip_state: ChipState, presentation: int, tick: int, stage: str) -> None:
        """Add the row of the tick, end or commit that was just done."""
        part, pre = list(self.synapses.segments)[self.at[PRE]]
        arrivals = [
            (_channel(a.channel), a.payload)
            for a in (chip_state.arrivals if stage == "tick" else ())
            if (a.projection, a.part, a.neuron) == (self.projection, part, pre)
        ]
        changes, self.changes = tuple(self.changes), []
        row = SynapseRow(
            presentation=presentation,
            tick=tick,
            stage=stage,
            arrivals=tuple(arrivals),
            fired=stage == "tick" and bool(self.synapses.neurons.fired[self.at[POST]]),
            weight=self.synapses.weight[self.k],
            synapse=self._registers("synapse", SYNAPSE),
            pre=self._registers("axon", PRE),
            post=self._registers("post", POST),
            neuron={name: values[self.at[POST]] for name, values in self.synapses.neurons.registers.values.items()},
            changes=changes,
        )
        self.rows.append(row)
        if self.tell is not None:
            self.tell(row)

    def _registers(self, level: str, axis: int) -> dict[str, int]:
        program = self.synapses.program
        return {
            register.name: self.synapses.registers.values[register.name][self.at[axis]]
            for register in (program.registers.values() if program else ())
            if register.level == level and register.kind != "weight"
        }


# ---- a packet
@dataclass(frozen=True)
class Sent:
    """A packet a neuron sent, in ``tick``, or the host (``core`` -1): its population and number there, channel and payload."""

    tick: int
    population: str
    neuron: int
    core: int
    channel: str
    payload: int

    def __str__(self) -> str:
        return f"{self.channel} of {self.population}[{self.neuron}], payload {self.payload}"


@dataclass(frozen=True)
class Flight:
    """A packet that waits in the delay buffer of ``core`` until tick ``due``, for one projection's synapses there (``targets``)."""

    due: int
    core: int
    projection: str
    delay: int
    targets: tuple[int, ...]
    sent: Sent

    def __str__(self) -> str:
        return f"due in tick {self.due} on core {self.core}: {self.sent}, for {self.projection} -> {list(self.targets)}"


@dataclass(frozen=True)
class Effect:
    """What a packet does at one axon segment in tick ``due``: the synapses' targets and weights (those of now), ports fed as
    (port, mode), rule hooks called."""

    projection: str
    delay: int
    due: int
    targets: tuple[int, ...]
    weights: tuple[int, ...]
    ports: tuple[tuple[str, str], ...]
    hooks: tuple[str, ...]


@dataclass(frozen=True)
class Leg:
    """A packet's way to one core: tiles it passes as (column, row), the source's first; the axon it enters; what is served there."""

    core: int
    tiles: tuple[tuple[int, int], ...]
    axon: int
    served: tuple[Effect, ...]

    @property
    def hops(self) -> int:
        """Links crossed."""
        return len(self.tiles) - 1


@dataclass(frozen=True)
class Journey:
    """One packet through the units, a leg for each core that has synapses of its neuron. Prints as text."""

    sent: Sent
    post: dict[str, str]
    """Population that each projection ends at."""
    legs: tuple[Leg, ...]

    def __str__(self) -> str:
        who = "the host" if self.sent.core == HOST else f"core {self.sent.core}"
        lines = [f"tick {self.sent.tick}: {who} sends {self.sent}"]
        for leg in self.legs:
            way = " -> ".join(f"({x}, {y})" for x, y in leg.tiles)
            lines.append(f"  routers {way}, {leg.hops} hops; core {leg.core}, axon-in {leg.axon}")
            for s in leg.served:
                late = f" (delay {s.delay})" if s.delay else ""
                fed = ", ".join(f"{port} += {mode}" for port, mode in s.ports) or "no port"
                name = self.post[s.projection]
                pairs = list(zip(s.targets, s.weights, strict=True))
                ends = ", ".join(f"{name}[{i}] w={w}" for i, w in pairs[:MOST])
                ends += f", … {len(pairs)} in all" if len(pairs) > MOST else ""
                hooks = f"; hooks {', '.join(s.hooks)}" if s.hooks else ""
                lines.append(f"    due in tick {s.due}{late}: {s.projection} to {ends}; {fed}{hooks}")
        return "\n".join(lines if self.legs else [*lines, "  no core has synapses for it"])


def journey(inside: Inside, sent: Sent, core: int | None = None) -> Journey:
    """Where a packet goes and what it does there; ``core`` leaves out the others."""
    image, number = inside.image, inside.populations[sent.population]
    indptr, axons = image.routing.entries.get(
        (number, sent.channel), (np.zeros(sent.neuron + 2, np.int64), np.zeros(0))
    )
    legs = []
    for axon in axons[indptr[sent.neuron] : indptr[sent.neuron + 1]].tolist():
        target = int(image.routing.axon_core[axon])
        if core in (None, target):
            served = tuple(sorted(_served(inside, number, sent, target), key=lambda s: s.due))
            legs.append(Leg(target, path(image, sent.core, target), int(image.routing.axon_index[axon]), served))
    post = {p.name: image.populations[p.post].name for p in image.projections if p.pre == number}
    return Journey(sent, post, tuple(legs))


def path(image: Image, source: int, target: int) -> tuple[tuple[int, int], ...]:
    """Tiles a packet passes from core to core, X first, then Y; the host is attached to tile 0."""
    (x, y), (to_x, to_y) = image.chip.tile(max(source, 0)), image.chip.tile(target)
    along = [(k, y) for k in range(x, to_x, 1 if to_x > x else -1)]
    down = [(to_x, k) for k in range(y, to_y, 1 if to_y > y else -1)]
    return (*along, *down, (to_x, to_y))


def _served(inside: Inside, number: int, sent: Sent, core: int) -> Iterator[Effect]:
    image = inside.image
    for k, projection in enumerate(image.projections):
        if projection.pre != number or sent.channel not in projection.routes:
            continue
        synapses, core_of = inside.core.synapses[k], image.populations[projection.post].core_of
        for place, part in enumerate(projection.parts):
            row = synapses.rows[synapses.segments[place, sent.neuron]] if part.fan_out[sent.neuron] else []
            here = [i for i in row if core_of[synapses.post[i]] == core]
            if here:
                yield Effect(
                    projection.name,
                    part.delay,
                    sent.tick + 1 + part.delay,
                    tuple(synapses.post[i] for i in here),
                    tuple(synapses.weight[i] for i in here),
                    tuple(projection.routes[sent.channel]),
                    tuple(hook for hook in ("arrive", "arrive_synapse") if hook in synapses.bound),
                )


def flight(image: Image, waiting: Waiting) -> Flight:
    """A waiting packet with its names."""
    arrival = waiting.arrival
    projection = image.projections[arrival.projection]
    part, source = projection.parts[arrival.part], image.populations[projection.pre]
    posts = part.post[part.indptr[arrival.neuron] : part.indptr[arrival.neuron + 1]]
    targets = posts[image.populations[projection.post].core_of[posts] == waiting.core]
    core = int(source.core_of[arrival.neuron])
    tick = waiting.due - 1 - part.delay
    sent = Sent(tick, source.name, arrival.neuron, core, _channel(arrival.channel), arrival.payload)
    return Flight(waiting.due, waiting.core, projection.name, part.delay, tuple(targets.tolist()), sent)


def _channel(number: int) -> str:
    return next(name for name, n in CHANNELS.items() if n == number)
