"""A core, interpreted: the stages of a tick on plain integers, hook by hook. The definition of what a core does.

Engine ``python`` runs the whole network as one core, engine ``event`` one of these for each core of the chip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neuroemu.engines.bound import POST, PRE, SYNAPSE, Bound, Registers
from neuroemu.image import Image
from neuroemu.isa import CHANNELS, Bits, site_key, tick_key, unit_key
from neuroemu.language import Program
from neuroemu.machine import COMMIT_TICK, dendrite, site, viewed, winner
from neuroemu.memory import Memory, start_of
from neuroemu.network import Ints
from neuroemu.program import python_hooks


class Arrival(NamedTuple):
    """A packet come due at one segment of an axon. Sorts into the order of processing."""

    projection: int
    channel: int
    neuron: int
    part: int
    payload: int


class Send(NamedTuple):
    """A packet a neuron sends: its population, the neuron's number there, channel and payload."""

    population: int
    neuron: int
    channel: str
    payload: int


class Served(NamedTuple):
    """What a packet caused at one segment: synops, and the length of the weight row that was read."""

    projection: int
    synops: int
    row: int


@dataclass
class Moment:
    """Where in the run we are, as hooks see it."""

    seed: int
    presentation: int
    tick: int
    phase: int = 0
    phase_tick: int = 0
    learning: bool = False
    """Whether the phase is for learning."""

    def key(self, hook: str, channel: str | None, ident: int) -> int:
        """The random key of a hook call."""
        return unit_key(site_key(tick_key(self.seed, self.presentation, self.tick), site(hook, channel)), ident)


class Neurons:
    """The neurons of one population on one core. ``index`` are their numbers in the population, ascending."""

    def __init__(self, image: Image, number: int, index: Ints, start: Memory) -> None:
        population = image.populations[number]
        program = image.program_of(population)
        assert program is not None
        self.population, self.program, self.number = population, program, number
        self.index = index.tolist()
        self.registers = Registers.make(program, population.widths, {POST: index.size})
        for name in program.registers:
            held = start_of(image, start, population.name, name)
            if held is not None:
                self.registers.values[name][:] = held[index].tolist()
        params = {
            name: value if isinstance(value, int) or name in program.of_kind("table") else value[index]
            for name, value in population.params.items()
        }
        functions = python_hooks(program)
        self.hooks = {
            name: Bound(function, functions[name], self.registers, None, params)
            for name, function in program.hooks.items()
        }
        self.ports = program.of_kind("port")
        width = image.chip.bits("port", "port")
        assert width is not None
        self.width: Bits = width
        self.shift = image.chip.weight_shift
        self.groups = None if population.groups is None else population.groups[index].tolist()
        self.totals = {port: [0] * index.size for port in self.ports}
        self.delivered = self.totals
        """What the synapses added to the ports in the last tick, exact."""
        self.touched = [0] * index.size
        self.was_active = [0] * index.size
        """Whether a synop reached the neuron in the last soma tick."""
        self.fired = [0] * index.size
        self.calls: Counter[tuple[str, int]] = Counter()
        self.each_soma = Counter({("soma", i): 1 for i in range(index.size)})
        self.active: Counter[int] = Counter()
        self.learning_calls: Counter[tuple[str, int]] = Counter()
        """Of the calls those in learning phases, and with hook ``active`` the somas that a synop had reached."""
        self.port_saturations: dict[str, Counter[int]] = {port: Counter() for port in self.ports}

    def drives(self) -> dict[str, list[int]]:
        """Stage dendrite: each port's sum, narrowed once; the sums start again from 0."""
        shift, half = self.shift, 1 << (self.width.bits - 1)
        narrowed = {}
        for port, totals in self.totals.items():
            narrowed[port] = values = [total << shift for total in totals]
            if max(values, default=0) >= half or min(values, default=0) < -half:
                for i, total in enumerate(totals):
                    if not -half <= values[i] < half:
                        values[i] = dendrite(total, shift, self.width)
                        self.port_saturations[port][i] += 1
        self.clear()
        return narrowed

    def clear(self) -> None:
        """The ports' sums start again from 0."""
        self.delivered, self.totals = self.totals, {port: [0] * len(self.index) for port in self.ports}

    def soma(self, moment: Moment) -> list[Send]:
        """Stages dendrite, soma and axon-out of an enabled population."""
        hook = self.hooks["soma"].call
        keyed = self.hooks["soma"].keyed
        inputs = {"tick": moment.tick, "phase": moment.phase, "phase_tick": moment.phase_tick}
        drives = list(self.drives().items())
        results = []
        for i, j in enumerate(self.index):
            for port, values in drives:
                inputs[port] = values[i]
            if keyed:
                inputs["key"] = moment.key("soma", None, self.population.id0 + j)
            results.append(hook((i, 0, 0), inputs))
        self.calls.update(self.each_soma)
        reached = [i for i, touched in enumerate(self.touched) if touched]
        self.active.update(reached)
        if moment.learning:
            self.learning_calls.update(self.each_soma)
            self.learning_calls.update(("active", i) for i in reached)
        self.was_active, self.touched = self.touched, [0] * len(self.index)
        if self.groups is not None:
            self.settle(results, moment.learning)
        fires = self.program.fires
        self.fired = [int(result[fires] != 0) if fires else 0 for result in results]
        channels = [(channel, f"{channel}_payload") for channel in self.program.channels]
        return [
            Send(self.number, self.index[i], channel, result.get(payload, 1))
            for i, result in enumerate(results)
            for channel, payload in channels
            if result[channel] != 0
        ]

    def settle(self, results: list[dict[str, int]], learning: bool) -> None:
        """The winner unit, and the settle hook of every neuron of a group in which something was flagged."""
        assert self.groups is not None
        verdicts: list[dict[str, int]] = [{} for _ in results]
        for group in sorted(set(self.groups)):
            members = [i for i, g in enumerate(self.groups) if g == group]
            for flag, score in self.population.compete.items():
                flags = [result[flag] for result in results]
                won = winner(flags, self.registers.values[score], self.groups, 0, len(flags), group)
                for i in members:
                    verdicts[i] |= {f"{flag}_any": int(won >= 0), f"{flag}_won": int(won == i)}
                    results[i][flag] = int(won == i)
            if "settle" in self.hooks and any(value for i in members for value in verdicts[i].values()):
                for i in members:
                    self.hooks["settle"]((i, 0, 0), verdicts[i])
                    self.calls["settle", i] += 1
                    self.learning_calls["settle", i] += int(learning)

    def every(self, hook: str, moment: Moment, inputs: dict[str, int]) -> None:
        """Call a hook for all neurons."""
        if hook in self.hooks:
            for i, j in enumerate(self.index):
                key = {"key": moment.key(hook, None, self.population.id0 + j)}
                self.hooks[hook]((i, 0, 0), inputs | key)
                self.calls[hook, i] += 1

    def rest(self) -> None:
        """Between presentations, and in a tick without soma: what reached the ports is lost, nothing fires."""
        self.clear()
        self.touched = [0] * len(self.index)
        self.fired = [0] * len(self.index)


class Synapses:
    """The synapses of one projection that end on one core, and the registers of its rule if it runs.

    A *segment* is one axon's synapses of one delay: ``segments[part, pre neuron]`` is its number, ``rows[segment]`` its
    synapses in order of their post neuron.
    """

    def __init__(self, image: Image, number: int, neurons: Neurons, plastic: bool, start: Memory) -> None:
        self.projection, self.neurons = image.projections[number], neurons
        local = np.full(neurons.population.n, -1, np.int64)
        local[neurons.index] = np.arange(len(neurons.index))
        self.post: list[int] = []
        self.weight: list[int] = []
        self.ids: list[int] = []
        self.segment: list[int] = []
        self.segments: dict[tuple[int, int], int] = {}
        self.rows: list[list[int]] = []
        for place, part in enumerate(self.projection.parts):
            here = part.into(np.array(neurons.index, np.int64))
            pre = part.pre[here]
            self.post += local[part.post[here]].tolist()
            self.weight += part.weight[here].tolist()
            self.ids += part.ids[here].tolist()
            begins = np.flatnonzero(np.diff(pre, prepend=-1))
            edges = [*(begins + len(self.segment)).tolist(), len(self.segment) + here.size]
            for neuron, low, high in zip(pre[begins].tolist(), edges, edges[1:], strict=False):
                self.segments[place, neuron] = len(self.rows)
                self.segment += [len(self.rows)] * (high - low)
                self.rows.append(list(range(low, high)))
        ids = np.sort(np.concatenate([part.ids for part in self.projection.parts]))
        self.place: Ints = np.searchsorted(ids, self.ids)
        """Rank of every synapse's id among all of the projection's."""
        if self.projection.name in start.weights:
            self.weight = start.weights[self.projection.name][self.place].tolist()
        self.calls: Counter[tuple[str, int]] = Counter()
        """Calls of synapse hooks, by post neuron; calls of the other hooks in ``axon_calls``."""
        self.axon_calls: Counter[str] = Counter()
        self.fire_ticks = 0
        self.program = image.program_of(self.projection) if plastic else None
        self.bound: dict[str, Bound] = {}
        if self.program is not None:
            self.bind(self.program)
            self.remember(image, self.program, start)

    def remember(self, image: Image, program: Program, start: Memory) -> None:
        """Give lasting registers their start values."""
        for register in program.registers.values():
            held = start_of(image, start, self.projection.name, register.name)
            if held is None:
                continue
            values = self.registers.values[register.name]
            if register.level == "synapse":
                values[:] = held[self.place].tolist()
            elif register.level == "post":
                values[:] = held[self.neurons.index].tolist()
            else:
                for (part, axon), segment in self.segments.items():
                    values[segment] = int(held[part, axon])

    def bind(self, program: Program) -> None:
        """Give the rule its registers; its weight register is the synapses' weight."""
        sizes = {POST: len(self.neurons.index), PRE: len(self.rows), SYNAPSE: len(self.post)}
        self.registers = Registers.make(program, self.projection.widths, sizes)
        for register in program.registers.values():
            if register.kind == "weight":
                self.registers.values[register.name] = self.weight
        functions = python_hooks(program)
        for name, function in program.hooks.items():
            self.bound[name] = Bound(
                function, functions[name], self.registers, self.neurons.registers, self.projection.params
            )
        self.gates = {hook: [(name, program.level_of(name)) for name in names] for hook, names in program.gate.items()}

    def open(self, hook: str, k: int) -> bool:
        """Whether the hook's gate is open for a synapse: every register it names is non-zero."""
        index = {"axon": self.segment[k], "synapse": k}
        for name, level in self.gates.get(hook, ()):
            registers = self.neurons.registers if level == "soma" else self.registers
            if registers.values[name][index.get(str(level), self.post[k])] == 0:
                return False
        return True

    def synapse(self, hook: str, k: int, moment: Moment, inputs: dict[str, int], channel: str | None = None) -> None:
        """Call a synapse hook if its gate is open."""
        if self.open(hook, k):
            bound = self.bound[hook]
            if bound.keyed:
                inputs = inputs | {"key": moment.key(hook, channel, self.ids[k])}
            bound((self.post[k], self.segment[k], k), inputs)
            self.calls[hook, self.post[k]] += 1

    def every(self, hook: str, moment: Moment, inputs: dict[str, int]) -> None:
        """Call a synapse hook for all synapses."""
        if hook in self.bound:
            for k in range(len(self.post)):
                self.synapse(hook, k, moment, inputs)

    def axons(self, hook: str, inputs: dict[str, int]) -> None:
        """Call an axon hook for all segments."""
        if hook in self.bound:
            for segment in range(len(self.rows)):
                self.bound[hook]((0, segment, 0), inputs)
            self.axon_calls[hook] += len(self.rows)

    def arrive(self, arrival: Arrival, moment: Moment) -> Served:
        """Stage synapse for one packet: hook arrive, the drive, hook arrive_synapse."""
        segment = self.segments[arrival.part, arrival.neuron]
        row = self.rows[segment]
        channel = next(name for name, number in CHANNELS.items() if number == arrival.channel)
        inputs = {"payload": arrival.payload, "channel": arrival.channel}
        if "arrive" in self.bound:
            self.bound["arrive"]((0, segment, 0), inputs)
            self.axon_calls["arrive"] += 1
        ports, view = self.projection.routes[channel], self.projection.view
        for port, mode in ports:
            totals, factor = self.neurons.totals[port], arrival.payload if mode == "weight*payload" else 1
            for k in row:
                weight = self.weight[k] if view is None else viewed(self.weight[k], *view)
                totals[self.post[k]] += weight * factor
                self.neurons.touched[self.post[k]] = 1
        if "arrive_synapse" in self.bound:
            for k in row:
                self.synapse("arrive_synapse", k, moment, inputs, channel)
        return Served(arrival.projection, len(row) * len(ports), len(row) if ports else 0)

    def rules(self, moment: Moment) -> None:
        """Stage rules: tick_post, fire_synapse, fire_pre, tick_synapse."""
        fired = self.neurons.fired
        if "tick_post" in self.bound:
            for i, value in enumerate(fired):
                self.bound["tick_post"]((i, 0, 0), {"fired": value})
            self.axon_calls["tick_post"] += len(fired)
        if any(fired):
            self.fire_ticks += 1
            if "fire_synapse" in self.bound:
                for k, i in enumerate(self.post):
                    if fired[i]:
                        self.synapse("fire_synapse", k, moment, {})
            self.axons("fire_pre", {})
        self.every("tick_synapse", moment, {})


class Core:
    """The populations' neurons that one core holds, with every synapse that ends at them."""

    def __init__(
        self, image: Image, index: dict[int, Ints], seed: int, plastic: bool, start: Memory | None = None
    ) -> None:
        start = start or Memory()
        self.seed, self.plastic = seed, plastic
        self.neurons = {number: Neurons(image, number, neurons, start) for number, neurons in index.items()}
        self.synapses = {
            number: Synapses(image, number, self.neurons[projection.post], plastic, start)
            for number, projection in enumerate(image.projections)
            if projection.post in self.neurons
        }
        self.commits = start.commits

    def begin(self) -> None:
        """Start a presentation."""
        for neurons in self.neurons.values():
            neurons.registers.reset(("state",) if self.plastic else ("state", "keep"))
            neurons.rest()
        for synapses in self.synapses.values():
            if synapses.bound:
                synapses.registers.reset(("state", "pre", "post_state"))

    def synapse(self, arrivals: Iterable[Arrival], moment: Moment) -> list[Served]:
        """Stage synapse of one tick; ``arrivals`` sorted. Returns what each packet caused."""
        for synapses in self.synapses.values():
            synapses.axons("tick_pre", {"tick": moment.tick, "phase": moment.phase})
        return [self.synapses[arrival.projection].arrive(arrival, moment) for arrival in arrivals]

    def soma(self, moment: Moment, enabled: set[int]) -> list[Send]:
        """Stages dendrite, soma and axon-out of one tick: what the neurons send."""
        sends = []
        for number, neurons in self.neurons.items():
            if number in enabled:
                sends += neurons.soma(moment)
            else:
                neurons.rest()
        return sends

    def modulate(self, number: int, values: Ints) -> None:
        """The host's word to every neuron of a population; ``values`` are of the whole population."""
        if number in self.neurons:
            neurons = self.neurons[number]
            for i, j in enumerate(neurons.index):
                neurons.hooks["modulate"]((i, 0, 0), {"value": int(values[j])})
                neurons.calls["modulate", i] += 1

    def rules(self, moment: Moment) -> None:
        """Stage rules of one tick."""
        for synapses in self.synapses.values():
            synapses.rules(moment)

    def end(self, moment: Moment) -> None:
        """End a presentation: hooks end, then end_synapse."""
        if not self.plastic:
            return
        for neurons in self.neurons.values():
            neurons.every("end", moment, {})
        for synapses in self.synapses.values():
            synapses.every("end_synapse", moment, {})

    def commit(self, batch: int) -> None:
        """Commit the sums of ``batch`` presentations: hooks commit, then commit_synapse."""
        moment = Moment(self.seed, self.commits, COMMIT_TICK)
        for neurons in self.neurons.values():
            neurons.every("commit", moment, {"batch": batch})
            neurons.registers.reset(("sum",))
        for synapses in self.synapses.values():
            synapses.every("commit_synapse", moment, {"batch": batch})
            if synapses.bound:
                synapses.registers.reset(("sum",))
        self.commits += 1
