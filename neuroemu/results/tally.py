"""From what an engine saw to counts by core and owner, by the image's tables.

Engines that run a network as a whole (python, cpu) report per neuron; the event engine counts what its cores, routers and
links really did. Both must give the same Counts: one is the check of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.image.image import HOST, Image, ImagePopulation, ImageProjection, Part, Slice
from neuroemu.image.prepared import prepared
from neuroemu.image.rows import silent_rows, timed_cores
from neuroemu.language.check import Proof, check_program
from neuroemu.language.isa import HOOKS, LEARNING_HOOKS
from neuroemu.language.language import Program
from neuroemu.network.stimulus import Stimulus
from neuroemu.results.counts import LEARNING, Counts, Where


@dataclass
class Raw:
    """What an engine of the whole network counts. Populations and projections are numbered as in the image.

    ``sends[(population, channel)]`` shape (n,); ``unsent``: the same for the last ticks of each presentation, shape
    (longest delay + 1, n), row r for the tick r before the last. Arrays over slices follow the post population's slices.
    """

    plastic: bool = False
    presentations: int = 0
    ticks: int = 0
    """Of all presentations together."""
    commits: int = 0
    sends: dict[tuple[int, str], Ints] = field(default_factory=dict)
    unsent: dict[tuple[int, str], Ints] = field(default_factory=dict)
    active: dict[int, Ints] = field(default_factory=dict)
    soma: dict[int, Ints] = field(default_factory=dict)
    settle: dict[int, Ints] = field(default_factory=dict)
    modulate: dict[int, Ints] = field(default_factory=dict)
    synapse_hooks: dict[tuple[int, str], Ints] = field(default_factory=dict)
    fire_pre: dict[int, int] = field(default_factory=dict)
    """Ticks in which a neuron of the projection's post population fired."""
    saturations: dict[tuple[str, str], Ints] = field(default_factory=dict)
    """(owner, register) of neuron and synapse registers, ports and payloads: by slice."""
    axon_saturations: dict[tuple[int, int, str], Ints] = field(default_factory=dict)
    """(projection, part, register): by pre neuron; every core that holds the axon has its own copy."""
    taken: dict[tuple[int, str], Ints] | None = None
    """Packets of every neuron that reached a core, by population and channel; None: what was sent, but for the last tick's."""
    arrived: dict[tuple[int, int, str], Ints] | None = None
    """Packets of every pre neuron that came due, by projection, part and channel; None: as sends and unsent tell."""
    learning: Raw | None = None
    """What of all this happened in ticks of learning phases; ``taken`` and ``arrived`` are stated there."""


class Tables:
    """Facts about an image that counting needs, worked out once."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.hops: dict[tuple[int, str], tuple[Ints, Ints, Ints]] = {}
        for (number, channel), (indptr, axons) in image.routing.entries.items():
            source = np.repeat(image.populations[number].core_of, np.diff(indptr))
            target = image.routing.axon_core[axons]
            x, y = hops(image, source, target)
            self.hops[number, channel] = (source, x, y)
        self.rows = image.chip.row_synapses is not None
        self.silent = silent_rows(image) if self.rows else {}

    def arrivals(self, raw: Raw, number: int, channel: str, place: int) -> Ints:
        """Packets of every pre neuron that came due at the delay of a projection's part."""
        if raw.arrived is not None:
            return raw.arrived[number, place, channel]
        projection = self.image.projections[number]
        key, part = (projection.pre, channel), projection.parts[place]
        sent = raw.sends[key].copy()
        return np.asarray(sent - raw.unsent[key][: part.delay + 1].sum(axis=0), np.int64)

    def fan_out(self, number: int, place: int) -> list[tuple[int, Ints]]:
        """For every core that a part of a projection reaches: synapses of every pre neuron there."""
        projection = self.image.projections[number]
        return prepared(self.image).once(
            ("fan_out", number, place),
            lambda: list(_by_core(self.image.populations[projection.post], projection.parts[place])),
        )


def _by_core(population: ImagePopulation, part: Part) -> Iterable[tuple[int, Ints]]:
    used = sorted({piece.core for piece in population.slices})
    if len(used) == 1:
        yield used[0], part.fan_out
        return
    cores = population.core_of[part.post]
    for core in used:
        here = cores == core
        if here.any():
            yield core, np.bincount(part.pre[here], minlength=part.indptr.size - 1)


def hops(image: Image, source: Ints, target: Ints) -> tuple[Ints, Ints]:
    """Links a packet crosses east-west and north-south, XY-routed; the host is attached to the tile the datasheet names."""
    per_tile, width = image.chip.sheet.mesh.cores_per_tile, image.chip.sheet.mesh.width
    a = np.where(source == HOST, image.chip.sheet.noc.host_tile, source // per_tile)
    b = target // per_tile
    return np.abs(a % width - b % width), np.abs(a // width - b // width)


def tally(image: Image, raw: Raw) -> Counts:
    """Counts by core and owner of a run of the whole network, those of learning apart once more (``LEARNING``)."""
    table = _counted(image, raw)
    apart = _counted(image, raw.learning) if raw.plastic and raw.learning is not None else Counter()
    return Counts(expand(image, Counts(table)).table + of_learning(image, table, apart))


def of_learning(image: Image, table: Counter[Where], apart: Counter[Where]) -> Counter[Where]:
    """What of the counts in ``table`` is learning, under keys that begin with LEARNING.

    That is what happened in ticks of learning phases (``apart``), modulators, every hook that evaluation skips, and all
    that follows from these.
    """
    mine = Counter({where: n for where, n in apart.items() if where[0] not in ("saturation", "dropped")})
    for (key, core, owner), n in table.items():
        if key.startswith("hook_") and key.removeprefix("hook_") in LEARNING_HOOKS:
            mine[key, core, owner] = n
    return Counter(
        {(LEARNING + key, core, owner): n for (key, core, owner), n in expand(image, Counts(mine)).table.items()}
    )


def _counted(image: Image, raw: Raw) -> Counter[Where]:
    tables, table = Tables(image), Counter[Where]()
    for number, population in enumerate(image.populations):
        _sends(image, tables, raw, number, population, table)
        if not population.is_host:
            _somas(raw, number, population, image, table)
    for number, projection in enumerate(image.projections):
        _synapses(image, tables, raw, number, projection, table)
    for (owner, register), by_slice in raw.saturations.items():
        slices = _slices_of(image, owner)
        for part, n in zip(slices, by_slice, strict=True):
            table["saturation", part.core, f"{owner}.{register}"] += int(n)
    for core, owner in timed_cores(image).items() if tables.rows else ():
        table["row", core, owner] += raw.ticks
        table["reference", core, owner] += raw.ticks
    table["barrier", HOST, ""] += raw.ticks
    return table


def _slices_of(image: Image, owner: str) -> tuple[Slice, ...]:
    for population in image.populations:
        if population.name == owner:
            return population.slices
    projection = next(projection for projection in image.projections if projection.name == owner)
    return image.populations[projection.post].slices


def _sends(
    image: Image, tables: Tables, raw: Raw, number: int, population: ImagePopulation, table: Counter[Where]
) -> None:
    core_of = population.core_of
    for (owner, channel), sends in raw.sends.items():
        if owner != number:
            continue
        if not population.is_host:
            for core in sorted({piece.core for piece in population.slices}):
                table[f"send_{channel}", int(core), population.name] += int(sends[core_of == core].sum())
                if (number, channel) in tables.silent:
                    own = tables.silent[number, channel] & (core_of == core)
                    table["row", int(core), population.name] += int(sends[own].sum())
        if (number, channel) not in image.routing.entries:
            continue
        indptr, axons = image.routing.entries[number, channel]
        source, x, y = tables.hops[number, channel]
        per_entry = np.repeat(sends, np.diff(indptr))
        taken = sends - raw.unsent[owner, channel][0] if raw.taken is None else raw.taken[owner, channel]
        for core in np.unique(source):
            chosen = source == core
            name = "host_packet" if population.is_host else "packet"
            table[name, int(core), population.name] += int(per_entry[chosen].sum())
            table["hop_x", int(core), population.name] += int((per_entry * x)[chosen].sum())
            table["hop_y", int(core), population.name] += int((per_entry * y)[chosen].sum())
        target = image.routing.axon_core[axons]
        for core in np.unique(target):
            n = int(np.repeat(taken, np.diff(indptr))[target == core].sum())
            table["axon_in", int(core), population.name] += n
            if tables.rows:
                table["row", int(core), population.name] += n


def _somas(raw: Raw, number: int, population: ImagePopulation, image: Image, table: Counter[Where]) -> None:
    program = image.program_of(population)
    assert program is not None
    name = population.name
    for k, part in enumerate(population.slices):
        size = part.high - part.low
        active, total = int(raw.active[number][k]), int(raw.soma[number][k])
        table["soma_active", part.core, name] += active
        table["soma_idle", part.core, name] += total - active
        table["hook_soma", part.core, name] += total
        for hook, seen in (("settle", raw.settle), ("modulate", raw.modulate)):
            if number in seen:
                table[f"hook_{hook}", part.core, name] += int(seen[number][k])
        if number in raw.modulate:
            modulated = int(raw.modulate[number][k])
            x, y = hops(image, np.array([HOST]), np.array([part.core]))
            table["host_packet", HOST, name] += modulated
            table["hop_x", HOST, name] += modulated * int(x[0])
            table["hop_y", HOST, name] += modulated * int(y[0])
            table["axon_in", part.core, name] += modulated
        for hook, times in (("end", raw.presentations), ("commit", raw.commits)):
            if hook in program.hooks and raw.plastic:
                table[f"hook_{hook}", part.core, name] += size * times


def _synapses(
    image: Image, tables: Tables, raw: Raw, number: int, projection: ImageProjection, table: Counter[Where]
) -> None:
    post, source = image.populations[projection.post], image.populations[projection.pre]
    word, bits = image.chip.word_bits, image.chip.weight_width
    rule = image.program_of(projection) if raw.plastic else None
    for place in range(len(projection.parts)):
        for core, fan_out in tables.fan_out(number, place):
            reached = fan_out > 0
            for channel, ports in projection.routes.items():
                arrived = tables.arrivals(raw, number, channel, place)
                table["dropped", core, source.name] += int(
                    (raw.sends[projection.pre, channel] - arrived)[reached].sum()
                )
                table["synop", core, post.name] += int((arrived * fan_out).sum()) * len(ports)
                if ports:
                    table["synapse_read", core, post.name] += int((arrived * -(-fan_out * bits.bits // word)).sum())
                if rule and "arrive" in rule.hooks:
                    table["hook_arrive", core, projection.name] += int(arrived[reached].sum())
            if rule is None:
                continue
            if "tick_pre" in rule.hooks:
                table["hook_tick_pre", core, projection.name] += int(reached.sum()) * raw.ticks
            if "fire_pre" in rule.hooks:
                table["hook_fire_pre", core, projection.name] += int(reached.sum()) * raw.fire_pre[number]
            for (owner, index, register), by_axon in raw.axon_saturations.items():
                if owner == number and index == place:
                    table["saturation", core, f"{projection.name}.{register}"] += int(by_axon[reached].sum())
    if rule is None:
        return
    for k, piece in enumerate(post.slices):
        if "tick_post" in rule.hooks:
            table["hook_tick_post", piece.core, projection.name] += (piece.high - piece.low) * raw.ticks
        for hook in HOOKS:
            if (number, hook) in raw.synapse_hooks:
                table[f"hook_{hook}", piece.core, projection.name] += int(raw.synapse_hooks[number, hook][k])


def expand(image: Image, counts: Counts) -> Counts:
    """Add what follows from hook invocations (operations by class, register and memory words, weight updates) and rows (visits)."""
    table = Counter(counts.table)
    owners: dict[str, ImagePopulation | ImageProjection] = {p.name: p for p in image.populations}
    owners |= {p.name: p for p in image.projections}
    for (key, core, owner), times in counts.table.items():
        if key == "row":
            table["visit", core, owner] += times * (image.chip.row_synapses or 0)
        if not key.startswith("hook_"):
            continue
        program = image.program_of(owners[owner])
        assert program is not None
        proof = prepared(image).once(("proof", owner), partial(check_program, program, image.chip))
        for event, n in per_call(program, proof, key.removeprefix("hook_"), image.chip.word_bits, times).items():
            table[event, core, owner] += n
    return Counts(table)


def per_call(program: Program, proof: Proof, hook: str, word_bits: int, times: int = 1) -> Counter[str]:
    """Events of EVENTS that ``times`` calls of a hook are: operations, memory words, weight updates.

    Neuron and axon registers are read and written word by word, synapse registers packed in rows.
    """
    unit = "rule" if HOOKS[hook].level != "neuron" else "soma"
    events = Counter({f"{unit}_{operation}": n * times for operation, n in proof.hooks[hook].operations.items() if n})
    function = program.hooks[hook]
    bits: Counter[str] = Counter()
    for argument in function.arguments:
        if argument.name in program.registers:
            memory = "synapse" if program.registers[argument.name].level == "synapse" else unit
            bits[f"{memory}_read"] += proof.widths[argument.name].bits
            if argument.name in function.returns:
                bits[f"{memory}_write"] += proof.widths[argument.name].bits
    for event, amount in bits.items():
        packed = event.startswith("synapse")
        events[event] += -(-amount * times // word_bits) if packed else -(-amount // word_bits) * times
    if any(argument.kind == "weight" and argument.name in function.returns for argument in function.arguments):
        events["weight_update"] += times
    return events


def rule_operations(image: Image) -> dict[int, dict[str, int]]:
    """Operations of one call of every rule hook, by projection and hook: the checker's static counts."""
    found: dict[int, dict[str, int]] = {}
    for number, projection in enumerate(image.projections):
        program = image.program_of(projection)
        if program is not None:
            hooks = check_program(program, image.chip).hooks
            found[number] = {name: sum(proof.operations.values()) for name, proof in hooks.items()}
    return found


def host_sends(
    image: Image, stimulus: Stimulus, lengths: Ints, deepest: int
) -> tuple[dict[tuple[int, str], Ints], dict[tuple[int, str], Ints]]:
    """What the host sends, and what of it is not delivered by the last tick, in the form of Raw.sends and Raw.unsent.

    ``lengths`` are the ticks of every presentation, shape (n,).
    """
    sends, unsent = {}, {}
    for number, population in enumerate(image.populations):
        if not population.is_host:
            continue
        sent = np.zeros(population.n, np.int64)
        late = np.zeros((deepest + 1, population.n), np.int64)
        events = stimulus.events.get(population.name)
        if events is not None:
            sent += np.bincount(events.neuron, minlength=population.n)
            presentation, row = events.places()
            last = lengths[presentation] - 1
            for back in range(deepest + 1):
                late[back] = np.bincount(events.neuron[row == last - back], minlength=population.n)
        sends[number, "input"], unsent[number, "input"] = sent, late
    return sends, unsent
