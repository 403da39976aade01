"""match, layer by layer: conventions of single populations, where no one set for all of them gives the recording.

Populations whose spikes were recorded are decided one after the other from the input on, each by its own spikes. Otherwise one
population at a time is changed and the change kept if fewer recorded spikes are wrong, until nothing helps: coordinate
descent, from the best common set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import NetworkError
from neuroemu.engines.job import Progress
from neuroemu.inspect.score import Score, score
from neuroemu.network.align import align
from neuroemu.network.conventions import Conventions
from neuroemu.network.network import FLOAT_MODELS, LI, CubaLI, Network

MOST_SIMULATIONS = 500
"""Of a whole search, the common sets included."""
TOGETHER = ("reset", "reset_timing", "spike_if")
"""What is changed at the same time: one of them often shows only beside another."""
ALONE = tuple(name for name in Conventions.CHOICES if name not in TOGETHER)


@dataclass(frozen=True)
class Layered:
    """Conventions by population where they differ from those of the network, and how well they do."""

    network: Network
    score: Score
    simulations: int
    untried: tuple[str, ...]
    """Populations whose conventions were not all tried when the simulations ran out."""

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """What differs from the network's conventions, by population."""
        return {p.name: dict(p.conventions) for p in self.network.populations if p.conventions}


class Descent:
    """The search: a network that gets better, and the simulations that are left."""

    def __init__(
        self,
        network: Network,
        inputs: Mapping[str, Ints],
        spikes: Mapping[str, Ints],
        lag: int,
        known: Mapping[str, Collection[str]],
        budget: int,
        progress: Progress,
    ) -> None:
        self.network, self.inputs, self.spikes, self.lag = network, inputs, spikes, lag
        self.known, self.budget, self.most, self.progress = known, budget, budget, progress
        ages = align(network, enabled=True).age
        models = [p for p in network.populations if type(p.neuron) in FLOAT_MODELS]
        self.order = [p.name for p in sorted(models, key=lambda p: ages[p.name])]
        self.untried: list[str] = []

    def search(self) -> Layered:
        """The best that was found."""
        hidden = [name for name in self.spikes if name not in self.network.outputs]
        if hidden:
            for name in self.order:
                if name in self.spikes:
                    self.improve(name, (name,))
        if not hidden or self.value().wrong:
            self.descend()
        used = self.most - self.budget
        return Layered(self.network, self.value(), used, tuple(dict.fromkeys(self.untried)))

    def value(self) -> Score:
        return score(self.network, self.inputs, self.spikes, self.lag)

    def descend(self) -> None:
        """Go through the populations, from the outputs back, until no change of one helps."""
        while self.budget > 0:
            better = [self.improve(name, None) for name in reversed(self.order)]
            if not any(better):
                return
        self.untried += self.order

    def improve(self, name: str, judged: tuple[str, ...] | None) -> bool:
        """Try other conventions of one population; keep the best. Whether there was a better one."""
        best = score(self.network, self.inputs, self.spikes, self.lag, judged)
        before = best
        for candidate in self.candidates(name):
            if not best.wrong:
                break
            if self.budget <= 0:
                self.untried.append(name)
                break
            self.budget -= 1
            self.progress("trying conventions layer by layer", self.most - self.budget, self.most)
            try:
                found = score(candidate, self.inputs, self.spikes, self.lag, judged)
            except NetworkError:  # a tick longer than a time constant, say
                continue
            if found < best:
                best, self.network = found, candidate
        return best < before

    def candidates(self, name: str) -> Iterator[Network]:
        """The network of now with other conventions of one population: what goes together, then the others one by one."""
        spikeless = isinstance(self.network.population(name).neuron, LI | CubaLI)
        groups = [() if spikeless else TOGETHER, *((one,) for one in ALONE)]
        for group in groups:
            free = [key for key in group if key not in self.known[name]]
            for values in product(*(Conventions.CHOICES[key] for key in free)):
                changed = changed_conventions(self.network, name, dict(zip(free, values, strict=True)))
                if free and changed is not None:
                    yield changed


def changed_conventions(network: Network, name: str, given: Mapping[str, Any]) -> Network | None:
    """The network with other conventions of one population; None if they are what they were."""
    now = network.conventions_of(name)
    wanted = replace(now, **given)
    if wanted == now:
        return None
    differing = {
        key: getattr(wanted, key)
        for key in Conventions.CHOICES
        if getattr(wanted, key) != getattr(network.conventions, key)
    }
    populations = tuple(replace(p, conventions=differing) if p.name == name else p for p in network.populations)
    return replace(network, populations=populations)
