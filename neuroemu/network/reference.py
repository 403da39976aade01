"""A float64 simulation of a Network under its conventions: what the chip's integers are held against.

Frameworks pass a spike through all layers within one step; so does this. Only a projection that closes a loop takes a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.base.arrays import Flags, Floats
from neuroemu.base.errors import NetworkError
from neuroemu.network.align import align
from neuroemu.network.answers import only_output, share_right
from neuroemu.network.discrete import Discrete, discretize
from neuroemu.network.network import FLOAT_MODELS, HostInput, Network, Population, Projection
from neuroemu.network.stimulus import dense_inputs, no_ticks_beside, silence
from neuroemu.network.synapses import synapses


@dataclass(frozen=True, eq=False)
class Reference:
    """Spikes of every population, shape (presentations, rows, neurons), and v of populations that never spike after the last row."""

    spikes: dict[str, Flags]
    readout: dict[str, Floats]
    outputs: tuple[str, ...]

    @property
    def prediction(self) -> NDArray[np.int64]:
        """The class each presentation is taken for, as Run.prediction does. Raises RunError if the network has no single output."""
        name = only_output(self.outputs, "spikes")
        score = self.readout[name] if name in self.readout else self.spikes[name].sum(axis=1)
        return np.asarray(score.argmax(axis=1), np.int64)

    def accuracy(self, labels: ArrayLike) -> float:
        """Share of presentations whose prediction is the label. Raises RunError if there is not one label a presentation."""
        return share_right(self.prediction, labels)


class _Units:
    """One population's state, shape (presentations, neurons)."""

    def __init__(self, population: Population, network: Network, n: int) -> None:
        self.model: Discrete = discretize(population, network)
        self.conventions = network.conventions_of(population.name)
        self.v = np.zeros((n, population.n))
        self.u = np.zeros((n, population.n))

    def above(self) -> Flags:
        assert self.model.threshold is not None
        return np.asarray(
            self.v >= self.model.threshold if self.conventions.spike_if == ">=" else self.v > self.model.threshold
        )

    def restart(self, fired: Flags) -> None:
        assert self.model.threshold is not None
        assert self.model.reset is not None
        after = self.v - self.model.threshold if self.conventions.reset == "subtract" else self.model.reset
        self.v = np.where(fired, after, self.v)

    def step(self, drive: Floats) -> Flags:
        """One tick: decay, integrate, compare, reset. Returns who spiked."""
        model, late = self.model, self.conventions.reset_timing == "next"
        spikes = model.threshold is not None
        fired = self.above() if late and spikes else np.zeros(self.v.shape, bool)
        current = drive * model.gain
        if model.decay_u is not None:
            assert model.bias_u is not None
            self.u = self.u * (1 - model.decay_u) + current + model.bias_u
            current = self.u
        keep = 1 - model.decay_v if model.decay_v is not None else 1.0
        self.v = self.v * keep + current + model.bias
        if not spikes:
            return np.zeros(self.v.shape, bool)
        self.restart(fired)
        spiked = self.above()
        if not late:
            self.restart(spiked)
        return spiked


def simulate(
    network: Network, inputs: ArrayLike | Mapping[str, ArrayLike] | None = None, *, ticks: int | None = None
) -> Reference:
    """Run the network in float64 on dense inputs, or for so many ticks without, as ``run`` takes them.

    Raises StimulusError, and NetworkError for populations in register units.
    """
    sizes = {p.name: p.n for p in network.populations if isinstance(p.neuron, HostInput)}
    if inputs is not None:
        no_ticks_beside(ticks)
    dense = {} if inputs is None else dense_inputs(inputs, sizes)
    rows, n = next(iter(dense.values())).shape[:2] if dense else (silence(ticks, sizes).rows, 1)
    for population in network.populations:
        if type(population.neuron) not in (HostInput, *FLOAT_MODELS):
            raise NetworkError(
                f"population '{population.name}' is in register units; only float models can be simulated in float"
            )
    alignment = align(network, enabled=True)
    order = sorted(network.populations, key=lambda population: alignment.age[population.name])
    units = {p.name: _Units(p, network, n) for p in order if p.name not in sizes}
    history: dict[str, Floats] = {p.name: np.zeros((rows, n, p.n)) for p in order}
    for name, array in dense.items():
        history[name][:] = array
    edges = {p.name: [_Edge(network, q, alignment.age) for q in network.into(p.name)] for p in order}
    for row in range(rows):
        for population in order:
            if population.name in units:
                drive = np.zeros((n, population.n))
                for edge in edges[population.name]:
                    edge.add(history[edge.pre], row, drive)
                history[population.name][row] = units[population.name].step(drive)
    spikes = {name: history[name].transpose(1, 0, 2) != 0 for name in units}
    readout = {name: unit.v for name, unit in units.items() if unit.model.threshold is None}
    return Reference(spikes, readout, network.outputs)


class _Edge:
    """A projection's weights by delay, dense where that is affordable."""

    def __init__(self, network: Network, projection: Projection, age: Mapping[str, int]) -> None:
        self.pre = projection.pre
        n_pre, n_post = network.population(projection.pre).n, network.population(projection.post).n
        pre, post, weight, delay = synapses(projection, n_pre, n_post)
        loop = 1 if age[projection.post] <= age[projection.pre] else 0
        self.parts: list[tuple[int, Any]] = []
        for ticks in np.unique(delay):
            chosen = delay == ticks
            matrix = np.zeros((n_pre, n_post))
            matrix[pre[chosen], post[chosen]] = weight[chosen]
            self.parts.append((int(ticks) + loop, matrix))

    def add(self, history: Floats, row: int, drive: Floats) -> None:
        for late, matrix in self.parts:
            if row >= late:
                drive += history[row - late] @ matrix
