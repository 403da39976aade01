"""The neurons of a population on one core, interpreted: ports, somas, the winner unit, what they send."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from neuroemu.base.arrays import Ints
from neuroemu.engines.interpreted.bound import POST, Bound, Registers
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory, start_of
from neuroemu.image.neighbours import within
from neuroemu.language.isa import site_key, tick_key, unit_key
from neuroemu.language.machine import contest, dendrite, site, winner
from neuroemu.language.program import python_hooks


class Send(NamedTuple):
    """A packet a neuron sends: its population, the neuron's number there, channel and payload."""

    population: int
    neuron: int
    channel: str
    payload: int


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
        self.width = image.chip.port_width
        self.shift = image.chip.weight_shift
        self.groups = None if population.groups is None else population.groups[index].tolist()
        self.rivals = {
            flag: tuple(values.tolist() for values in within(found, index))
            for flag, found in (population.rivals or {}).items()
        }
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
        elif self.rivals:
            self.settle_neighbours(results, moment.learning)
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

    def settle_neighbours(self, results: list[dict[str, int]], learning: bool) -> None:
        """The same with neighbourhoods: the settle hook of every neuron that has a winner of any flag as neighbour."""
        verdicts: list[dict[str, int]] = [{} for _ in results]
        for flag, score in self.population.compete.items():
            won, near = [0] * len(results), [0] * len(results)
            first, rivals = self.rivals[flag]
            contest([result[flag] for result in results], self.registers.values[score], first, rivals, won, near)
            for i, result in enumerate(results):
                verdicts[i] |= {f"{flag}_any": near[i], f"{flag}_won": won[i]}
                result[flag] = won[i]
        for i, verdict in enumerate(verdicts):
            if "settle" in self.hooks and any(verdict.values()):
                self.hooks["settle"]((i, 0, 0), verdict)
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
