"""Place and route until every limit holds: what routing finds too much, the next placement knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import CapacityError
from neuroemu.base.shelf import admitted, chips
from neuroemu.chip.chip import Chip, load_chip
from neuroemu.compiler.demand import Demand, demands
from neuroemu.compiler.place import Groups, Placement, Placer
from neuroemu.compiler.route import excess, route, sent
from neuroemu.image.image import ImagePopulation, ImageProjection, Routing
from neuroemu.language.language import Program

TRIES = 64
"""Placements tried before a network is refused."""
Placed = tuple[tuple[ImagePopulation, ...], Routing]


def place_and_route(
    populations: Sequence[ImagePopulation],
    projections: Sequence[ImageProjection],
    rules: Mapping[str, Program],
    chip: Chip,
    *,
    split: bool = True,
    placement: Placement | None = None,
) -> Placed:
    """The populations with their slices, and the routing tables. ``rules`` are the programs of projections, by name.

    Raises CapacityError.
    """
    asked = demands(populations, projections, rules, chip)
    search = _Search(populations, projections, asked, chip, split, placement)
    found = search.run(chip.n_cores)
    if found is not None:
        return found
    found = search.on_a_larger_chip()
    slices = sorted((s.core, s.slot, p.name, s.low) for p in found[0] for s in p.slices)
    beyond = [(name, low) for core, _, name, low in slices if core >= chip.n_cores]
    if not beyond:
        return found
    name, low = beyond[0]
    others = ", ".join(_roomy(populations, projections, rules, split))
    raise CapacityError(
        f"{chip.path}: no core left for population '{name}' from neuron {low} on, the network takes "
        f"{len({core for core, *_ in slices})} cores and {chip.name} has {chip.n_cores} ({chip.sheet.mesh.source}); "
        f"{_shared(populations, projections, chip)}"
        f"make it smaller, or choose a larger chip ({f'there is room on {others}' if others else 'no shipped one has the room'})"
    )


def _shared(populations: Sequence[ImagePopulation], projections: Sequence[ImageProjection], chip: Chip) -> str:
    """On one core with a row for every neuron: who shares its rows, if they are too many."""
    if not chip.has_own_rows or chip.n_cores > 1:
        return ""
    neurons = sum(population.n for population in populations if not population.is_host)
    sources = {
        (projection.pre, int(neuron))
        for projection in projections
        if populations[projection.pre].is_host
        for part in projection.parts
        for neuron in np.unique(part.pre)
    }
    rows = chip.limit("axons_in") or 0
    if neurons + len(sources) <= rows:
        return ""
    return f"{neurons} neurons and {len(sources)} inputs share its {rows} rows ({chip.source('own_rows')}); "


def _roomy(
    populations: Sequence[ImagePopulation],
    projections: Sequence[ImageProjection],
    rules: Mapping[str, Program],
    split: bool,
) -> Iterator[str]:
    """Shipped chips that run these programs with these delays and have the cores. Weights are not quantised again: minutes."""
    for name in chips():
        chip = load_chip(name)
        if _runs(chip, populations, projections):
            asked = demands(populations, projections, rules, chip)
            search = _Search(populations, projections, asked, chip, split, None)
            with suppress(CapacityError):
                if search.run(chip.n_cores) or search.run(chip.n_cores, tight=True):
                    yield name


def _runs(chip: Chip, populations: Sequence[ImagePopulation], projections: Sequence[ImageProjection]) -> bool:
    """Whether the chip has these programs, switches, rules and delays."""
    allowed, delay = chip.sheet.core.programs, chip.limit("delay")
    neurons = all(
        (allowed.any or admitted(allowed.names, str(population.program)) is not None)
        and all(allowed.switches.get(key, value) == value for key, value in population.switches.items())
        for population in populations
        if not population.is_host
    )
    learns = allowed.rules is None or all(
        p.program is None or admitted(allowed.rules, p.program) is not None for p in projections
    )
    longest = max((part.delay for projection in projections for part in projection.parts), default=0)
    return neurons and learns and (delay is None or longest <= delay)


class _Search:
    def __init__(
        self,
        populations: Sequence[ImagePopulation],
        projections: Sequence[ImageProjection],
        demands: Sequence[Demand],
        chip: Chip,
        split: bool,
        placement: Placement | None,
    ) -> None:
        self.populations, self.projections, self.demands, self.chip = populations, projections, tuple(demands), chip
        self.placer = Placer(chip, [(p.name, p.n) for p in populations], split=split, placement=placement)
        stated = [limit for name in ("targets", "axons_out") if (limit := chip.limit(name)) is not None]
        self.most = min(stated, default=None)
        """Routing entries one neuron may have."""

    def on_a_larger_chip(self) -> Placed:
        """The placement that takes fewest cores, if there were one for every neuron. What is packed tightly sends to more cores."""
        n_cores = self.chip.n_cores + sum(demand.n for demand in self.demands)
        found = [self.run(n_cores)]
        with suppress(CapacityError):
            found.append(self.run(n_cores, tight=True))
        placed = [each for each in found if each is not None]
        return min(placed, key=lambda each: max(s.core for population in each[0] for s in population.slices))

    def run(self, n_cores: int, *, tight: bool = False) -> Placed | None:
        """Populations and routing within all limits; None if the cores do not suffice."""
        demands = self.demands
        together: Groups = ()
        refusal: CapacityError | None = None
        for _ in range(TRIES):
            try:
                slices = self.placer.place(demands, n_cores, together, tight=tight)
            except CapacityError as error:
                raise refusal or error from None  # what a first placement lacked says more than what a hint led to
            if slices is None:
                return None
            populations = tuple(replace(p, slices=slices.get(p.name, ())) for p in self.populations)
            routing = route(populations, self.projections)
            found = excess(routing, populations, self.chip)
            if found is None:
                return populations, routing
            refusal = refusal or found
            hints = self.next(demands, together, sent(routing, populations))
            if hints is None:
                break
            demands, together = hints
        assert refusal
        raise refusal

    def next(
        self, demands: tuple[Demand, ...], together: Groups, entries: Mapping[int, NDArray[np.int64]]
    ) -> tuple[tuple[Demand, ...], Groups] | None:
        """What to place next: the targets of a neuron that reaches too many cores closer, or fewer senders on a core."""
        over = {
            number: out > self.most
            for number, out in entries.items()
            if self.most is not None and np.any(out > self.most)
        }
        if not over:
            return tuple(self.sending(demand, entries) for demand in demands), together
        fresh = tuple(replace(demand, entries=None) for demand in demands)
        groups = self.groups(demands, together, over)
        if groups != together:
            return fresh, groups
        whole = tuple(_uncut(demand, over) for demand in fresh)
        if all(a.cuts.size == b.cuts.size for a, b in zip(whole, demands, strict=True)):
            return None
        return whole, together

    def sending(self, demand: Demand, entries: Mapping[int, NDArray[np.int64]]) -> Demand:
        """The demand with the most routing entries its neurons have needed so far."""
        number = next(k for k, population in enumerate(self.populations) if population.name == demand.name)
        now = entries.get(number, np.zeros(demand.n, np.int64))
        return replace(demand, entries=now if demand.entries is None else np.maximum(now, demand.entries))

    def groups(self, demands: Sequence[Demand], together: Groups, over: Mapping[int, NDArray[np.bool_]]) -> Groups:
        """``together``, with the populations that one of these sources reaches in one group."""
        for source in over:
            targets = {
                d.name
                for d in demands
                for part in d.incoming
                if part.source == source and np.any(over[source][part.pre])
            }
            targets -= set(self.placer.fixed)
            apart = [group for group in together if targets.isdisjoint(group)]
            joined = targets.union(*(group for group in together if group not in apart))
            if len(joined) > 1:
                together = (*apart, tuple(demand.name for demand in demands if demand.name in joined))
        return tuple(sorted(together))


def _uncut(demand: Demand, over: Mapping[int, NDArray[np.bool_]]) -> Demand:
    """The demand without the cuts between two targets of one of these neurons."""
    first: dict[int, NDArray[np.int64]] = {source: np.full(mask.size, demand.n) for source, mask in over.items()}
    last: dict[int, NDArray[np.int64]] = {source: np.full(mask.size, -1) for source, mask in over.items()}
    for part in demand.incoming:
        if part.source in over:
            post = np.repeat(np.arange(demand.n), np.diff(part.indptr))
            chosen = over[part.source][part.pre]
            np.minimum.at(first[part.source], part.pre[chosen], post[chosen])
            np.maximum.at(last[part.source], part.pre[chosen], post[chosen])
    spans = np.zeros(demand.n + 2, np.int64)
    for source in over:
        reached = last[source] > first[source]
        np.add.at(spans, first[source][reached] + 1, 1)
        np.add.at(spans, last[source][reached] + 1, -1)
    return replace(demand, cuts=demand.cuts[np.cumsum(spans)[demand.cuts] == 0])
