"""A core, interpreted: the stages of a tick on plain integers, hook by hook. The definition of what a core does.

Engine ``python`` runs the whole network as one core, engine ``event`` one of these for each core of the chip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.interpreted.bound import POST, PRE, SYNAPSE, Bound, Registers
from neuroemu.engines.interpreted.neurons import Moment, Neurons, Send
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory, start_of
from neuroemu.language.language import Program
from neuroemu.language.machine import COMMIT_TICK, viewed
from neuroemu.language.program import python_hooks


class Arrival(NamedTuple):
    """A packet come due at one segment of an axon. Sorts into the order of processing."""

    projection: int
    channel: int
    neuron: int
    part: int
    payload: int


class Served(NamedTuple):
    """What a packet caused at one segment: synops, and the length of the weight row that was read."""

    projection: int
    synops: int
    row: int


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
