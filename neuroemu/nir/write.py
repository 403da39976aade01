"""Float networks as NIR files that ``nir.read`` takes with its type check, so that every framework's importer can.

NIR's Linear maps a flat vector to a flat vector, so populations are written flat: an Input of more dimensions keeps its shape
and is followed by a Flatten, and the shapes of all others stand in the metadata, where ``read_nir`` finds them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nir
import numpy as np

from neuroemu.base.errors import ConventionWarning, NetworkError
from neuroemu.base.files import path_whole
from neuroemu.network.network import HostInput, Network, Population, Projection, default_routes, values
from neuroemu.network.synapses import synapses
from neuroemu.nir.nodes import NEURONS
from neuroemu.nir.read import METADATA, NODES, SHAPES

GRADED = {"input": (("drive", "weight*payload"),)}
"""The routes that ``read_nir(graded_input=True)`` gives a projection from the host."""


def write_nir(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a float network as a NIR file with its conventions and shapes in the metadata, whole or not at all.

    The file passes ``nir.read`` with its type check. Every delay of a projection is a Linear of its own, and shared kernels are
    written out; what is probed is not written. Warns (ConventionWarning) where the input's values count, which a reader must ask for.

    Raises NetworkError for what NIR cannot express: populations in register units, rules, routes, phases, modulators, winner
    units, populations that nothing feeds, names with a slash. Raises FileError if the file cannot be written.
    """
    graph = GraphWriter(network).graph()
    with path_whole(Path(path)) as inside:
        nir.write(inside, graph)


class GraphWriter:
    """Collects a network's nodes and edges; every node has a name of its own."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.tails: dict[str, str] = {}
        """The node that gives a population's values flat."""

    def graph(self) -> nir.NIRGraph:
        """The network as a graph. NIR's checks, which hold, are left to readers: they would add an Output for every loose end."""
        _check_whole(self.network)
        for population in self.network.populations:
            _check_population(self.network, population)
            self.nodes[population.name] = _node(population)
        for population in self.network.populations:
            self.tails[population.name] = self._flat(population)
        for projection in self.network.projections:
            _check_projection(self.network, projection)
            self._projection(projection)
        self._outputs()
        flat = [p for p in self.network.populations if len(p.shape) > 1 and not isinstance(p.neuron, HostInput)]
        own = {p.name: dict(p.conventions) for p in self.network.populations if p.conventions}
        metadata: dict[str, Any] = {METADATA: asdict(self.network.conventions) | ({NODES: own} if own else {})}
        if flat:
            metadata[SHAPES] = {p.name: np.array(p.shape) for p in flat}
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def add(self, label: str, node: Any, tail: str) -> str:
        """The name of a new node behind ``tail``: the label, with underscores if it is taken."""
        name = label.replace("/", "_")  # HDF5 reads a slash as a folder
        while name in self.nodes:
            name += "_"
        self.nodes[name] = node
        self.edges.append((tail, name))
        return name

    def _flat(self, population: Population) -> str:
        if not isinstance(population.neuron, HostInput) or len(population.shape) == 1:
            return population.name
        return self.add(f"{population.name}.flat", nir.Flatten(np.array(population.shape), 0, -1), population.name)

    def _projection(self, projection: Projection) -> None:
        source, target = self.network.population(projection.pre), self.network.population(projection.post)
        pre, post, weight, delay = synapses(projection, source.n, target.n)
        bias = values(target, "bias")
        carries_bias = projection is self.network.into(target.name)[0] and bool(np.any(bias != 0))
        delays = np.unique(delay) if delay.size else np.zeros(1, np.int64)
        for ticks in delays.tolist():
            matrix = np.zeros((target.n, source.n))
            matrix[post[delay == ticks], pre[delay == ticks]] = weight[delay == ticks]
            stem = projection.label if delays.size == 1 else f"{projection.label}.{ticks}"
            tail = self.tails[source.name]
            if ticks:
                seconds = np.full(source.n, ticks * self.network.conventions.dt)
                tail = self.add(f"{stem}.delay", nir.Delay(seconds), tail)
            affine = carries_bias and ticks == delays[0]
            node = nir.Affine(matrix, bias.copy()) if affine else nir.Linear(matrix)
            self.edges.append((self.add(f"{stem}.weight", node, tail), target.name))

    def _outputs(self) -> None:
        """An Output for every population read out, numbered, because a file lists its nodes by name."""
        names = list(dict.fromkeys(self.network.outputs))
        digits = len(str(len(names) - 1))
        for k, name in enumerate(names):
            label = "output" if len(names) == 1 else f"output_{k:0{digits}d}_{name}"
            self.add(label, nir.Output(np.array([self.network.population(name).n])), name)


def _node(population: Population) -> Any:
    if isinstance(population.neuron, HostInput):
        return nir.Input(np.array(population.shape))
    kind = type(population.neuron).__name__
    return getattr(nir, kind)(**{name: values(population, name).copy() for name in NEURONS[kind].parameters})


# ---- what NIR cannot hold
def _check_whole(network: Network) -> None:
    for what, held in (("phases", network.phases), ("modulators", network.modulators)):
        if held:
            raise NetworkError(f"the network has {what}; NIR holds none, write the network without them")
    if not any(isinstance(population.neuron, HostInput) for population in network.populations):
        raise NetworkError("the network has no host input; a NIR graph begins at one, add a HostInput population")
    if not network.outputs:
        raise NetworkError("the network has no outputs; a NIR graph ends at one, name the populations to read out")


def _check_population(network: Network, population: Population) -> None:
    name = population.name
    if "/" in name or name == ".":
        raise NetworkError(f"population {name!r} has a name that HDF5 cannot hold; use no slash")
    if isinstance(population.neuron, HostInput):
        return
    if type(population.neuron).__name__ not in NEURONS:
        raise NetworkError(f"population '{name}' is in register units; NIR holds float models only")
    if population.compete:
        raise NetworkError(f"population '{name}' has a winner unit; NIR holds none, write the network without it")
    if not network.into(name):
        raise NetworkError(
            f"population '{name}' is fed by nothing, and NIR keeps a bias in what feeds a node; "
            "add a projection from a host input, of zero weights if need be"
        )


def _check_projection(network: Network, projection: Projection) -> None:
    if projection.rule is not None:
        raise NetworkError(
            f"projection '{projection.label}' runs a rule; NIR holds no rules, write the network without it"
        )
    source = network.population(projection.pre)
    routes = _plain(projection.routes or default_routes(source))
    if routes == _plain(GRADED):
        warnings.warn(
            f"projection '{projection.label}' multiplies its weights by the input's values, which NIR does not say; "
            "read the file with graded_input=True",
            ConventionWarning,
            stacklevel=2,
        )
    elif routes != _plain(default_routes(source)):
        raise NetworkError(
            f"projection '{projection.label}' has routes of its own; NIR holds none, write the network without them"
        )


def _plain(routes: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    return {channel: [(port, how) for port, how in ports] for channel, ports in routes.items()}
