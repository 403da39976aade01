"""Put populations on cores: in declared order, cutting one that does not fit, within every limit the datasheet states.

What a neuron sends is known only when its targets have a place, so ``fit`` places again with what routing found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuroemu.base.errors import CapacityError
from neuroemu.chip.chip import Chip
from neuroemu.compiler.demand import Demand, Load, largest, limits
from neuroemu.image.image import Slice

Placement = Mapping[str, Sequence[tuple[int, int]]]
"""Explicit placement: population to a list of (core, number of neurons)."""
Groups = tuple[tuple[str, ...], ...]
"""Populations to place one after another, from a fresh core on."""


class Placer:
    """Places one network on one chip. ``sources`` are the names and sizes of all populations, the host's too.

    ``placement`` fixes some or all populations by hand; the rest follow on the first cores that have room.
    """

    def __init__(
        self, chip: Chip, sources: Sequence[tuple[str, int]], *, split: bool = True, placement: Placement | None = None
    ) -> None:
        self.chip, self.split, self.fixed = chip, split, placement or {}
        self.names, self.sizes = [name for name, _ in sources], [n for _, n in sources]
        self.limits = limits(chip)

    def place(
        self, demands: Sequence[Demand], n_cores: int, together: Groups = (), *, tight: bool = False
    ) -> dict[str, tuple[Slice, ...]] | None:
        """Slices of every population, None if the cores do not suffice.

        ``tight`` begins a population in what room there is, even if a fresh core would cut it less.
        Raises CapacityError naming population, core, need, limit, source and what would fit.
        """
        cores = _Cores(self)
        result = {
            demand.name: cores.by_hand(demand, self.fixed[demand.name])
            for demand in demands
            if demand.name in self.fixed
        }
        for name in self.fixed:
            if name not in result:
                raise CapacityError(
                    f"placement names population '{name}', which is not on the chip; "
                    f"name one of {', '.join(d.name for d in demands)}"
                )
        by_name = {demand.name: demand for demand in demands}
        group_of = {name: group for group in together for name in group}
        for name in by_name:
            for member in group_of.get(name, (name,)):
                if member not in result:
                    fresh = member == group_of.get(name, ("",))[0]
                    found = cores.greedy(by_name[member], n_cores, tight=tight or name in group_of, fresh=fresh)
                    if found is None:
                        return None
                    result[member] = found
        return result

    def empty(self, number: int = -1) -> Load:
        """A core that holds nothing."""
        kinds = "axon_kinds" in self.limits
        return Load(number, self.sizes, self.chip.word_bits, kinds=kinds, own_rows=self.chip.has_own_rows)

    def over(self, core: Load, demand: Demand, low: int, high: int) -> tuple[str, int] | None:
        """The first limit that neurons low..high-1 would break on this core, and what they would need."""
        for name, need in core.need(demand, low, high):
            if name in self.limits and need > self.limits[name][0]:
                return name, need
        return None

    # ---- refusals
    def too_much(self, core: Load, demand: Demand, low: int, high: int, who: str, way_out: str) -> CapacityError:
        """Neurons low..high-1 must be on this core and are not within its limits; ``{}`` in the way out is how many are."""
        fitting = largest(high - low, lambda k: self.over(core, demand, low, low + k) is None)
        if fitting == 0 and core.neurons == 0:
            return self.neuron_too_much(demand, low)
        over = self.over(core, demand, low, high)
        assert over
        name, need = over
        what = f"needs {need} {name.replace('_', ' ')}"
        if name == "axon_kinds":
            what = self.kinds(core, demand, low, high)
        return CapacityError(
            f"{self.chip.path}: {who} {what} on one core, {self.limits[name][1]}; {way_out.format(fitting)}"
        )

    def kinds(self, core: Load, demand: Demand, low: int, high: int) -> str:
        need, source, neuron = core.worst_axon(demand, low, high)
        return f"gives the axon of neuron {neuron} of population '{self.names[source]}' synapses of {need} kinds (ports and delay)"

    def neuron_too_much(self, demand: Demand, neuron: int) -> CapacityError:
        """A neuron that fits no core: its synapses must share one, or its sum would be another."""
        over = self.over(self.empty(), demand, neuron, neuron + 1)
        assert over
        name, need = over
        limit, has = self.limits[name]
        if name == "axons_in":
            what = f"has a fan-in of {need} sources = {need} axons in"
            fits = f"at most {limit} sources fit, and a neuron split over cores would sum otherwise"
        elif name == "synapse_words":
            synapses = sum(int(part.indptr[neuron + 1] - part.indptr[neuron]) for part in demand.incoming)
            what = f"has a fan-in of {synapses} synapses = {need} synapse words"
            fits = f"its first {self.synapses(demand, neuron, synapses, limit)} fit, and a neuron split over cores would sum otherwise"
        elif name == "axon_kinds":
            what, fits = self.kinds(self.empty(), demand, neuron, neuron + 1), "use a source for each kind"
        else:
            what, fits = f"needs {need} {name.replace('_', ' ')}", "no neuron fits, choose another chip"
        who = f"neuron {neuron} of population '{demand.name}'"
        return CapacityError(f"{self.chip.path}: {who} {what} on one core, {has}; {fits}")

    def synapses(self, demand: Demand, neuron: int, n: int, limit: int) -> int:
        """How many of a neuron's synapses, in order of projection and source, are within so many words."""

        def words(count: int) -> int:
            total = 0
            for part in demand.incoming:
                here = min(count, int(part.indptr[neuron + 1] - part.indptr[neuron]))
                total, count = total + part.words(neuron, here, self.chip.word_bits), count - here
            return total

        return largest(n, lambda count: words(count) <= limit)


class _Cores:
    """The cores of one attempt."""

    def __init__(self, placer: Placer) -> None:
        self.placer = placer
        self.cores: dict[int, Load] = {}
        self.current = 0

    def core(self, number: int) -> Load:
        return self.cores.setdefault(number, self.placer.empty(number))

    def by_hand(self, demand: Demand, pieces: Sequence[tuple[int, int]]) -> tuple[Slice, ...]:
        chip, placer = self.placer.chip, self.placer
        total = sum(count for _, count in pieces)
        if total != demand.n:
            raise CapacityError(
                f"placement of population '{demand.name}' covers {total} of its {demand.n} neurons; place each once"
            )
        slices, low = [], 0
        for number, count in pieces:
            if count < 1:
                raise CapacityError(
                    f"placement of population '{demand.name}' puts {count} neurons on core {number}; put at least one"
                )
            if not 0 <= number < chip.n_cores:
                raise CapacityError(
                    f"placement of population '{demand.name}' names core {number}, {chip.name} has cores 0..{chip.n_cores - 1} "
                    f"({chip.sheet.mesh.source}); name one of these"
                )
            if low + count not in demand.cuts:
                raise CapacityError(
                    f"placement cuts population '{demand.name}' at neuron {low + count}, inside a group that needs one core; "
                    "cut between groups"
                )
            if placer.over(self.core(number), demand, low, low + count):
                who = f"placement of population '{demand.name}' on core {number}"
                way_out = f"put at most {{}} neurons from neuron {low} on there"
                raise placer.too_much(self.core(number), demand, low, low + count, who, way_out)
            slices.append(self.core(number).put(demand, low, low + count))
            low += count
        return tuple(slices)

    def greedy(self, demand: Demand, n_cores: int, *, tight: bool, fresh: bool) -> tuple[Slice, ...] | None:
        """Slices on the current core and the next ones; None if the cores do not suffice."""
        slices, low = [], 0
        if fresh and self.core(self.current).neurons:
            self.current += 1
        while low < demand.n:
            if self.current >= n_cores:
                return None
            core = self.core(self.current)
            high = self.furthest(core, demand, low)
            if (
                not tight
                and core.neurons
                and high < demand.n
                and self.furthest(self.placer.empty(), demand, low) > high
            ):
                high = low  # a fresh core takes more of it
            if high == low and not core.neurons:
                raise self.hopeless(demand, low)
            if high > low:
                slices.append(core.put(demand, low, high))
                low = high
            if low < demand.n:
                self.current += 1
        return tuple(slices)

    def furthest(self, core: Load, demand: Demand, low: int) -> int:
        """The furthest cut up to which neurons from ``low`` on fit; ``low`` if none do."""
        cuts = demand.cuts[demand.cuts >= low] if self.placer.split else np.array([low, demand.n])
        return int(cuts[largest(len(cuts) - 1, lambda k: self.placer.over(core, demand, low, int(cuts[k])) is None)])

    def hopeless(self, demand: Demand, low: int) -> CapacityError:
        if not self.placer.split:
            way_out = "its first {} neurons fit, allow splitting with split=True"
            return self.placer.too_much(
                self.placer.empty(), demand, 0, demand.n, f"population '{demand.name}'", way_out
            )
        high = int(demand.cuts[demand.cuts > low][0])
        if high == low + 1:
            return self.placer.neuron_too_much(demand, low)
        who = f"group of neurons {low}..{high - 1} of population '{demand.name}'"
        return self.placer.too_much(
            self.placer.empty(), demand, low, high, who, "its first {} neurons fit, make the group smaller"
        )
