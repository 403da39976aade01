"""Registers of an interpreted chip by name: whole arrays as copies, one cell at a time, and how often they saturated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.engines.interpreted.bound import POST, PRE, SYNAPSE
from neuroemu.engines.interpreted.core import Core, Synapses
from neuroemu.engines.interpreted.neurons import Neurons
from neuroemu.engines.interpreted.record import state_of
from neuroemu.image.image import Image, ImagePopulation

Cell = Callable[[], int]
WEIGHT = "weight"
_FORMS = {
    "neuron": ("[neuron]", 1, 1),
    "post": ("[post]", 1, 1),
    "axon": ("[pre] or [pre, delay]", 1, 2),
    "synapse": ("[pre, post] or [pre, post, delay]", 2, 3),
}
"""How a register of each level is indexed: in words, and by how many numbers."""
_AXIS = {"neuron": POST, "post": POST, "axon": PRE, "synapse": SYNAPSE}


class Inside:
    """What one core holds that holds the whole network. An *owner* is a population or a projection, by name."""

    def __init__(self, image: Image, core: Core) -> None:
        self.image, self.core = image, core
        self.populations = {population.name: number for number, population in enumerate(image.populations)}
        self.projections = {projection.name: number for number, projection in enumerate(image.projections)}

    def population(self, name: str) -> ImagePopulation:
        """The population of that name; a projection's name is refused with the populations there are."""
        return self.image.population(name)

    def neurons(self, owner: str) -> Neurons | None:
        """The neurons of a population on the chip; None for a projection and for a host input. Raises UnknownNameError."""
        if owner not in self.populations and owner not in self.projections:
            raise unknown("population or projection", owner, [*self.populations, *self.projections])
        return self.core.neurons.get(self.populations.get(owner, -1))

    def synapses(self, projection: str) -> Synapses:
        """The synapses of a projection. Raises UnknownNameError."""
        if projection not in self.projections:
            raise unknown("projection", projection, self.projections)
        return self.core.synapses[self.projections[projection]]

    def registers(self, owner: str) -> dict[str, str]:
        """Everything that can be read of an owner: name to level (neuron, synapse, axon, post). A port is read like a register.

        A rule's registers are there only if the session is plastic; ``weight`` always is. Raises UnknownNameError.
        """
        neurons = self.neurons(owner)
        if neurons is not None:
            return dict.fromkeys((*neurons.program.registers, *neurons.ports), "neuron")
        if owner in self.populations:
            return {}
        program = self.synapses(owner).program
        found = {} if program is None else {name: register.level for name, register in program.registers.items()}
        return found if WEIGHT in found else {WEIGHT: "synapse"} | found

    def level(self, owner: str, name: str) -> str:
        """The level of a register. Raises UnknownNameError with the registers there are."""
        found = self.registers(owner)
        if name not in found:
            raise unknown(f"register of '{owner}'", name, found)
        return found[name]

    def register(self, owner: str, name: str) -> Ints:
        """A copy of a register, int64: shape (n,) of neurons and of what a rule keeps at its post neurons, (synapses,) in the order of
        their ids, (delays, n_pre) of axons, 0 where there is no such axon.

        A port is what its synapses added in the last tick, exact, before it was narrowed. Raises UnknownNameError.
        """
        self.level(owner, name)
        neurons = self.neurons(owner)
        if neurons is not None:
            return np.array(self._values(neurons, name), np.int64)
        state, weights = state_of(self.image, [self.core])
        return state[f"{owner}.{name}"] if f"{owner}.{name}" in state else weights[owner]

    def cell(self, owner: str, name: str, index: Sequence[int]) -> Cell:
        """A function that reads one number of a register. ``index`` is [neuron], [pre, post] of a synapse, [pre] of an axon; a
        delay follows where there is a choice.

        Raises UnknownNameError, and RunError for what does not exist.
        """
        _, number = self.locate(owner, name, index)
        neurons = self.neurons(owner)
        if neurons is not None:
            return lambda: self._values(neurons, name)[number]
        synapses = self.synapses(owner)
        if synapses.program is None or name not in synapses.program.registers:
            return lambda: synapses.weight[number]
        return lambda: synapses.registers.values[name][number]

    def tap(self, owner: str, name: str, index: Sequence[int], tell: Callable[[str], object]) -> Callable[[], None]:
        """Name every hook to ``tell`` whose call changes one number of a register, until what is returned is called.

        Raises UnknownNameError, RunError.
        """
        level, number = self.locate(owner, name, index)
        axis = _AXIS[level]

        def written(hook: str, register: str, at: int, where: tuple[int, int, int], old: int, new: int) -> None:
            if (register, at, where[axis - 1]) == (stored, axis, number) and old != new:
                tell(hook)

        stored = name
        neurons = self.neurons(owner)
        if neurons is not None:
            bounds = dict(neurons.hooks)
            for other in self.core.synapses.values():
                if other.neurons is neurons and other.program and name in other.program.of_kind("post"):
                    bounds |= {f"{hook} of {other.projection.name}": bound for hook, bound in other.bound.items()}
        else:
            bounds, program = dict(self.synapses(owner).bound), self.synapses(owner).program
            if program is not None and name not in program.registers:
                stored = next((r.name for r in program.registers.values() if r.kind == "weight"), name)
        taps = [(bound, partial(written, hook)) for hook, bound in bounds.items()]
        for bound, one in taps:
            bound.taps.append(one)

        def untap() -> None:
            for bound, one in taps:
                bound.taps.remove(one)

        return untap

    @staticmethod
    def _values(neurons: Neurons, name: str) -> list[int]:
        return neurons.delivered[name] if name in neurons.ports else neurons.registers.values[name]

    # ---- where things are
    def locate(self, owner: str, name: str, index: Sequence[int]) -> tuple[str, int]:
        """Level of a register and place in its list of the number with this index. Raises UnknownNameError, RunError."""
        level = self.level(owner, name)
        form, low, high = _FORMS[level]
        if not low <= len(index) <= high:
            raise RunError(f"{owner}.{name} is read as {form}, not [{', '.join(map(str, index))}]; give these numbers")
        if level == "synapse":
            return level, self.synapse(owner, *index)
        if level == "axon":
            return level, self.segment(owner, *index)
        population = owner if level == "neuron" else self.synapses(owner).neurons.population.name
        return level, self.neuron(population, index[0])

    def neuron(self, population: str, neuron: int) -> int:
        """The neuron, if there is one of that number. Raises UnknownNameError, RunError."""
        n = self.population(population).n
        if not 0 <= neuron < n:
            raise RunError(f"population '{population}' has no neuron {neuron}; its neurons are 0..{n - 1}")
        return neuron

    def segment(self, projection: str, pre: int, delay: int | None = None) -> int:
        """The number of a pre neuron's axon segment; ``delay`` chooses where it has several. Raises UnknownNameError, RunError."""
        synapses = self.synapses(projection)
        self.neuron(self.image.populations[synapses.projection.pre].name, pre)
        found = {
            part.delay: synapses.segments[place, pre]
            for place, part in enumerate(synapses.projection.parts)
            if (place, pre) in synapses.segments
        }
        return _chosen(found, delay, f"projection '{projection}'", f"from {pre}", f"[{pre}, delay]")

    def synapse(self, projection: str, pre: int, post: int, delay: int | None = None) -> int:
        """The number of a synapse on its core; ``delay`` chooses where there are several. Raises UnknownNameError, RunError."""
        synapses = self.synapses(projection)
        self.neuron(self.image.populations[synapses.projection.pre].name, pre)
        self.neuron(synapses.neurons.population.name, post)
        found = {
            part.delay: k
            for place, part in enumerate(synapses.projection.parts)
            if (place, pre) in synapses.segments
            for k in synapses.rows[synapses.segments[place, pre]]
            if synapses.post[k] == post
        }
        return _chosen(found, delay, f"projection '{projection}'", f"from {pre} to {post}", f"[{pre}, {post}, delay]")

    def place(self, projection: str, k: int) -> tuple[int, int, int]:
        """(pre, post, delay) of a synapse by its number on the core."""
        synapses = self.synapses(projection)
        part, pre = self._axons(synapses)[synapses.segment[k]]
        return pre, synapses.post[k], synapses.projection.parts[part].delay

    @staticmethod
    def _axons(synapses: Synapses) -> list[tuple[int, int]]:
        return list(synapses.segments)  # numbered as they were put in

    # ---- saturations
    def can_saturate(self, owner: str) -> list[str]:
        """Registers, ports and payloads of an owner whose narrowing is counted. Raises UnknownNameError."""
        neurons = self.neurons(owner)
        if neurons is not None:
            return [*self.registers(owner), *(f"{channel}_payload" for channel in neurons.program.payloads)]
        program = self.synapses(owner).program if owner in self.projections else None
        return [] if program is None else [*program.registers, *program.of_kind("post")]

    def saturations(self, owner: str, name: str) -> Counter[str]:
        """How often a register did not hold what was written to it so far, by place, as ``p.w[2, 3]``.

        Raises UnknownNameError.
        """
        if name not in self.can_saturate(owner):
            raise unknown(f"register of '{owner}' that can saturate", name, self.can_saturate(owner))
        neurons = self.neurons(owner)
        found: Counter[int] = Counter()
        if neurons is not None:
            found += neurons.port_saturations.get(name, Counter())
        bounds = neurons.hooks if neurons is not None else self.synapses(owner).bound
        for bound in bounds.values():
            found += bound.saturations.get(name, Counter())
        level = self.registers(owner).get(name, "neuron")
        return Counter({f"{owner}.{name}{list(self._at(owner, level, i))}": n for i, n in found.items()})

    def _at(self, owner: str, level: str, i: int) -> tuple[int, ...]:
        if level == "synapse":
            return self.place(owner, i)[:2]
        return (self._axons(self.synapses(owner))[i][1],) if level == "axon" else (i,)


def _chosen(found: dict[int, int], delay: int | None, owner: str, ends: str, form: str) -> int:
    if not found:
        raise RunError(f"{owner} has no synapse {ends}; choose one that it has")
    if delay is None and len(found) > 1:
        raise RunError(
            f"{owner} has synapses {ends} with delays {', '.join(map(str, sorted(found)))}; say which: {form}"
        )
    if delay is not None and delay not in found:
        raise RunError(
            f"{owner} has no synapse {ends} with delay {delay}; there is {', '.join(map(str, sorted(found)))}"
        )
    return found[next(iter(found)) if delay is None else delay]
