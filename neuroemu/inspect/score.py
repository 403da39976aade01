"""How far a simulated network is from recorded spikes: spikes it misses, and spikes it has too many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import total_ordering

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.network.network import Network
from neuroemu.network.reference import simulate


@total_ordering
@dataclass(frozen=True)
class Score:
    """Of ``recorded`` spikes ``missed`` are not given, and ``extra`` are given that were not recorded."""

    missed: int
    extra: int
    recorded: int

    @property
    def wrong(self) -> int:
        """Spikes that are missed or too many."""
        return self.missed + self.extra

    @property
    def share(self) -> float:
        """Wrong spikes over recorded ones: 1 for a network that is silent."""
        return self.wrong / max(self.recorded, 1)

    @property
    def silent(self) -> bool:
        """Whether nothing is given at all."""
        return self.missed == self.recorded and self.extra == 0

    def __lt__(self, other: Score) -> bool:
        return (self.wrong, self.missed) < (other.wrong, other.missed)

    def __str__(self) -> str:
        hits = f"{self.recorded - self.missed} of {self.recorded} recorded spikes, {self.extra} too many"
        return f"{hits}: it is silent" if self.silent else hits


def score(
    network: Network,
    inputs: Mapping[str, Ints],
    spikes: Mapping[str, Ints],
    lag: int,
    judged: Iterable[str] | None = None,
) -> Score:
    """Simulate the network in float and count, in the populations ``judged`` (all that were recorded by default)."""
    names = list(spikes if judged is None else judged)
    with np.errstate(all="ignore"):
        given = simulate(network, inputs).spikes
    return held_against({name: given[name][:, : given[name].shape[1] - lag].astype(np.int64) for name in names}, spikes)


def held_against(given: Mapping[str, Ints], spikes: Mapping[str, Ints]) -> Score:
    """The score of spikes by population, shape (presentations, rows, neurons), against those recorded."""
    missed = extra = recorded = 0
    for name, here in given.items():
        there = spikes[name]
        missed += int(np.maximum(there - here, 0).sum())
        extra += int(np.maximum(here - there, 0).sum())
        recorded += int(there.sum())
    return Score(missed, extra, recorded)
