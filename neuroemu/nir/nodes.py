"""NIR's nodes, one row each: a new kind of node is a row here, and a function if it does something new.

A neuron node says which of our models it is and which of NIR's parameters that takes. All other nodes are linear maps between
populations, over values that are kept flat, in C order: a row says what shape comes out, how many values go in, and the map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.base.errors import NetworkError
from neuroemu.network.conventions import Conventions
from neuroemu.network.network import IF, LI, LIF, CubaLI, CubaLIF
from neuroemu.nir.convolution import Plane, flattened
from neuroemu.nir.linear import Term

Shape = tuple[int, ...]


class Graph(Protocol):
    """What a row asks of the graph that is read."""

    conventions: Conventions
    nodes: dict[str, Any]

    def refuse(self, node: str, text: str) -> NetworkError: ...
    def fed(self, name: str) -> Shape: ...
    def size(self, name: str) -> int: ...
    def plane(self, name: str) -> Plane: ...
    def spread(self, name: str, value: Any) -> Floats: ...


class NeuronNode(NamedTuple):
    """A node that is a population: the model, NIR's parameters that it takes, and (gain, time constant) of its inputs."""

    model: type
    parameters: tuple[str, ...]
    gains: tuple[tuple[str, str], ...]


class MapNode(NamedTuple):
    """A node that is a linear map.

    ``shape`` of what it gives; ``needs``, how many values it takes (None: as many as come), and whether one value is taken for
    all too; ``apply``, what becomes of the terms that come in.
    """

    shape: Callable[[Graph, str], Shape]
    needs: Callable[[Graph, str], int] | None
    apply: Callable[[Graph, str, list[Term]], list[Term]]
    one_for_all: bool = False


CUBA_GAINS = (("r", "tau_mem"), ("w_in", "tau_syn"))
NEURONS: Mapping[str, NeuronNode] = {
    "IF": NeuronNode(IF, ("r", "v_threshold", "v_reset"), (("r", ""),)),
    "LIF": NeuronNode(LIF, ("tau", "r", "v_leak", "v_threshold", "v_reset"), (("r", "tau"),)),
    "CubaLIF": NeuronNode(CubaLIF, ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"), CUBA_GAINS),
    "LI": NeuronNode(LI, ("tau", "r", "v_leak"), (("r", "tau"),)),
    "CubaLI": NeuronNode(CubaLI, ("tau_syn", "tau_mem", "r", "v_leak", "w_in"), CUBA_GAINS),
}


# ---- shapes
def parameter_shape(graph: Graph, name: str) -> Shape:
    """The shape of a node's largest parameter, or, where that is one value for all, of what feeds it."""
    arrays = [v for v in vars(graph.nodes[name]).values() if isinstance(v, np.ndarray)]
    own = max((np.shape(v) for v in arrays), key=math.prod, default=())
    return own if math.prod(own) > 1 and 1 not in own[1:] else graph.fed(name)


def _rows(graph: Graph, name: str) -> Shape:
    shape = np.shape(graph.nodes[name].weight)
    if len(shape) != 2:
        kind = type(graph.nodes[name]).__name__
        raise graph.refuse(name, f"weight has shape {shape}; a {kind} takes a matrix (outputs, inputs)")
    return (int(shape[0]),)


def _flat(graph: Graph, name: str) -> Shape:
    return flattened(graph.fed(name), graph.nodes[name])


def _plane_shape(graph: Graph, name: str) -> Shape:
    return graph.plane(name).shape


# ---- maps
def _linear(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    return [term.times(np.asarray(graph.nodes[name].weight, np.float64).T) for term in before]


def _affine(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    first, *others = _linear(graph, name, before)
    return [first.plus(_bias(graph, name, graph.size(name))), *others]


def _bias(graph: Graph, name: str, n: int) -> Floats:
    """A node's bias, one value for all or one for each of n outputs, as n values."""
    bias = np.asarray(graph.nodes[name].bias, np.float64).ravel()
    if bias.size not in (1, n):
        raise graph.refuse(name, f"bias has {bias.size} values for {n} outputs; give one, or one an output")
    return np.broadcast_to(bias, (n,))


def _scaled(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    return [term.scaled(graph.spread(name, graph.nodes[name].scale)) for term in before]


def _unchanged(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    del graph, name
    return before


def _pooled(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    plane = graph.plane(name)
    return [term.through(plane.entries, graph.size(name)) for term in before]


def _convolved(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    first, *others = _pooled(graph, name, before)
    shape = graph.plane(name).shape
    return [first.plus(np.repeat(_bias(graph, name, shape[0]), math.prod(shape[1:]))), *others]


def _delayed(graph: Graph, name: str, before: list[Term]) -> list[Term]:
    seconds = graph.spread(name, graph.nodes[name].delay)
    for term in before:
        if term.bias is not None and np.any(term.bias != 0):
            raise graph.refuse(name, "delays a bias; put the Delay before the Affine")
    if np.any(seconds < 0) or not np.isfinite(seconds).all():
        wrong = seconds[(seconds < 0) | ~np.isfinite(seconds)][0]
        raise graph.refuse(name, f"delay is {wrong:g} s; a delay is 0 or more")
    return [term.delayed(np.rint(seconds / graph.conventions.dt).astype(np.int64)) for term in before]


# ---- how many values go in
def _columns(graph: Graph, name: str) -> int:
    return int(np.shape(graph.nodes[name].weight)[1])


def _plane_inputs(graph: Graph, name: str) -> int:
    return graph.plane(name).n_in


def _scales(graph: Graph, name: str) -> int:
    return int(graph.spread(name, graph.nodes[name].scale).size)


def _delays(graph: Graph, name: str) -> int:
    return int(graph.spread(name, graph.nodes[name].delay).size)


MAPS: Mapping[str, MapNode] = {
    "Linear": MapNode(_rows, _columns, _linear),
    "Affine": MapNode(_rows, _columns, _affine),
    "Scale": MapNode(parameter_shape, _scales, _scaled, one_for_all=True),
    "Flatten": MapNode(_flat, None, _unchanged),
    "Delay": MapNode(parameter_shape, _delays, _delayed, one_for_all=True),
    "Conv2d": MapNode(_plane_shape, _plane_inputs, _convolved),
    "SumPool2d": MapNode(_plane_shape, _plane_inputs, _pooled),
    "AvgPool2d": MapNode(_plane_shape, _plane_inputs, _pooled),
}
BORDER = MapNode(lambda graph, name: graph.fed(name), None, _unchanged)
"""Input and Output of a nested graph."""
SUPPORTED = ("Input", "Output", *MAPS, *NEURONS, "NIRGraph")
