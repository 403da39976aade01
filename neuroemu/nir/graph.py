"""Walk a NIR graph: neuron nodes become populations, the linear nodes between them become projections."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.base.errors import ConventionWarning, NetworkError
from neuroemu.base.shelf import unknown
from neuroemu.network.conventions import Conventions
from neuroemu.network.network import HostInput, Network, Neuron, Population, Projection, Route
from neuroemu.nir.checks import Way, check_node, check_size, unique_names
from neuroemu.nir.convolution import Plane, plane_map
from neuroemu.nir.linear import LinearMap, Term, chain
from neuroemu.nir.nodes import BORDER, MAPS, NEURONS, MapNode, parameter_shape

TOLERANCE = 1e-3
"""Relative difference below which r is taken to equal tau/dt: files store float32."""


class GraphReader:
    """Walks one graph, flattened: nested graphs lose their border, their nodes get a dotted name that no other node has."""

    def __init__(
        self,
        path: str,
        graph: Any,
        conventions: Conventions,
        by_node: Mapping[str, Mapping[str, Any]],
        graded: bool,
    ) -> None:
        self.path, self.conventions, self.by_node, self.graded = path, conventions, by_node, graded
        self.nodes: dict[str, Any] = {}
        self.before: dict[str, list[str]] = {}
        self.names = unique_names(graph)
        self.flatten(graph, ())
        for name, node in self.nodes.items():
            check_node(name, node, self.refuse)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.planes: dict[str, Plane] = {}

    def refuse(self, node: str, text: str) -> NetworkError:
        return NetworkError(f"{self.path}: node '{node}': {text}")

    def kind(self, name: str) -> str:
        return type(self.nodes[name]).__name__

    def flatten(self, graph: Any, way: Way) -> None:
        nested = {name for name, node in graph.nodes.items() if isinstance(node, nir.NIRGraph)}
        for name, node in graph.nodes.items():
            if name in nested:
                self.flatten(node, (*way, name))
            else:
                self.nodes[self.names[*way, name]] = node
                self.before.setdefault(self.names[*way, name], [])
        seen: set[tuple[str, str]] = set()
        for source, target in graph.edges:
            self.check_edge(graph, source, target, seen)
            tail = self.border(graph, way, source, nir.Output) if source in nested else self.names[*way, source]
            head = self.border(graph, way, target, nir.Input) if target in nested else self.names[*way, target]
            self.before.setdefault(head, []).append(tail)

    def check_edge(self, graph: Any, source: str, target: str, seen: set[tuple[str, str]]) -> None:
        """Refuse an edge to no node, and one that was ``seen``: NIR knows no double edges, and adding up would double weights."""
        for end in (source, target):
            if end not in graph.nodes:
                raise NetworkError(
                    f"{self.path}: edge ('{source}', '{target}') names '{end}', which is no node; correct the edges"
                )
        if (source, target) in seen:
            raise NetworkError(f"{self.path}: edge ('{source}', '{target}') is listed twice; keep one")
        seen.add((source, target))

    def border(self, graph: Any, way: Way, name: str, kind: type) -> str:
        """The node of a nested graph that stands for its border."""
        inside = [child for child, node in graph.nodes[name].nodes.items() if isinstance(node, kind)]
        if len(inside) != 1:
            raise self.refuse(
                ".".join((*way, name)), f"nested graph has {len(inside)} {kind.__name__} nodes; give it one"
            )
        return self.names[*way, name, inside[0]]

    # ---- what kind of node
    def is_host(self, name: str) -> bool:
        return self.kind(name) == "Input" and not self.before[name]

    def is_population(self, name: str) -> bool:
        return self.is_host(name) or self.kind(name) in NEURONS

    def network(self) -> Network:
        names = [name for name in self.nodes if self.is_population(name)]
        for name in self.by_node:
            if name not in names or self.is_host(name):
                neurons = [other for other in names if not self.is_host(other)]
                raise unknown("neuron node", name, neurons)
        outputs = []
        for name in self.nodes:
            if self.kind(name) == "Output" and not any(name in before for before in self.before.values()):
                outputs += self.output(name)
        terms = {name: chain(self.incoming(name)) for name in names if not self.is_host(name)}
        populations = [
            Population(
                name,
                self.shape(name),
                self.neuron(name, terms.get(name)),
                conventions=self.by_node.get(name, {}),
            )
            for name in self.sorted(names, terms)
        ]
        if not populations or not any(isinstance(p.neuron, HostInput) for p in populations):
            raise NetworkError(f"{self.path}: the graph has no Input node; add one")
        if not outputs:
            raise NetworkError(f"{self.path}: the graph has no Output node; add one")
        projections = [
            self.projection(source, name, term) for name in terms for source, term in terms[name].by_source.items()
        ]
        return Network(
            tuple(populations), tuple(projections), tuple(dict.fromkeys(outputs)), conventions=self.conventions
        )

    def sorted(self, names: list[str], terms: Mapping[str, Any]) -> list[str]:
        """Populations from the input on, each after those that feed it as far as loops allow."""
        order = [name for name in names if self.is_host(name)]
        while len(order) < len(names):
            rest = [name for name in names if name not in order]
            ready = [n for n in rest if all(source in order or source == n for source in terms[n].by_source)]
            fed = [n for n in rest if any(source in order for source in terms[n].by_source)]
            order.append((ready or fed or rest)[0])
        return order

    def output(self, name: str) -> list[str]:
        """The populations that an Output node shows."""
        shown = []
        for source in self.before[name]:
            while self.kind(source) in ("Output", "Input", "Flatten") and self.before[source]:
                source = self.before[source][0]
            if self.kind(source) not in NEURONS:
                raise self.refuse(
                    name, f"is fed by '{source}', a {self.kind(source)}; put an LI or a spiking node before the Output"
                )
            self.check_shape(name, source)
            shown.append(source)
        return shown

    def check_shape(self, name: str, source: str) -> None:
        stated = tuple(int(n) for n in np.ravel(self.nodes[name].output_type["output"]))
        actual = self.shape(source)
        if stated == actual:
            return
        if math.prod(stated) != math.prod(actual):
            raise self.refuse(name, f"has shape {stated}, its source '{source}' {actual}; correct the Output's shape")
        warnings.warn(
            f"{self.path}: node '{name}': shape {stated} read as {actual}, the shape of '{source}'",
            ConventionWarning,
            stacklevel=2,
        )

    # ---- shapes
    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of what a node gives; values themselves are kept flat, in C order."""
        if name not in self.shapes:
            self.shapes[name] = ()
            shape = self._shape(name)
            check_size(name, shape, self.refuse)
            self.shapes[name] = shape
        if not self.shapes[name]:
            raise self.refuse(name, "its size depends on itself; give the loop a node with parameters of its size")
        return self.shapes[name]

    def size(self, name: str) -> int:
        """Number of values a node gives."""
        return math.prod(self.shape(name))

    def _shape(self, name: str) -> tuple[int, ...]:
        if self.is_host(name):
            return tuple(int(n) for n in np.ravel(self.nodes[name].input_type["input"]))
        return parameter_shape(self, name) if self.kind(name) in NEURONS else self.map_node(name).shape(self, name)

    def fed(self, name: str) -> tuple[int, ...]:
        """Shape of what feeds a node."""
        if not self.before[name]:
            raise self.refuse(name, "nothing feeds it; connect it or remove it")
        return self.shape(self.before[name][0])

    def map_node(self, name: str) -> MapNode:
        """The row of a node that is no population."""
        return MAPS.get(self.kind(name), BORDER)

    def plane(self, name: str) -> Plane:
        """The map of a convolution or pooling node."""
        if name not in self.planes:
            self.planes[name] = plane_map(name, self.nodes[name], self.fed(name), self.refuse)
        return self.planes[name]

    def spread(self, name: str, value: Any) -> Floats:
        """A parameter as one value, or one a value of the node, flat: channels (n, 1, 1) are repeated over their planes."""
        array = np.asarray(value, np.float64)
        shape = self.shape(name)
        if array.size == 1 or array.size == math.prod(shape) or array.ndim != len(shape):
            return array.ravel()
        try:
            return np.broadcast_to(array, shape).ravel()
        except ValueError:
            return array.ravel()

    # ---- between populations
    def incoming(self, name: str) -> list[Term]:
        """What feeds a population: sums of linear maps of other populations' spikes."""
        return [term for source in self.before[name] for term in self.terms(source, (name,))]

    def terms(self, name: str, seen: tuple[str, ...]) -> list[Term]:
        if name in seen and not self.is_population(name):
            raise self.refuse(name, "lies on a loop without a neuron; put a spiking node into the loop")
        if self.is_population(name):
            if self.kind(name) in ("LI", "CubaLI"):
                raise self.refuse(
                    name,
                    "feeds other nodes, but a leaky integrator sends no packets; read it out, or use a spiking node",
                )
            return [Term(name, LinearMap.identity(self.size(name)))]
        before = [term for source in self.before[name] for term in self.terms(source, (*seen, name))]
        if not before:
            raise self.refuse(name, "nothing feeds it; connect it or remove it")
        self.check_inputs(name, before)
        return self.map_node(name).apply(self, name, before)

    def check_inputs(self, name: str, before: list[Term]) -> None:
        """Refuse terms of another size than the node takes."""
        self.size(name)
        row = self.map_node(name)
        if row.needs is None:
            return
        need = row.needs(self, name)
        for term in before:
            if need != term.map.n_out and not (row.one_for_all and need == 1):
                raise self.refuse(
                    name, f"takes {need} values, '{term.source}' gives it {term.map.n_out}; correct the shapes"
                )

    def projection(self, source: str, name: str, term: LinearMap) -> Projection:
        routes: dict[str, tuple[Route, ...]] | None = None
        if self.graded and self.is_host(source):
            routes = {"input": (("drive", "weight*payload"),)}
        if term.n_out != self.size(name):
            raise self.refuse(
                name, f"has {self.size(name)} neurons, '{source}' gives it {term.n_out} values; correct the shapes"
            )
        weight, delay = term.synapses()
        return Projection(source, name, weight, delay=delay, routes=routes)

    # ---- neurons
    def neuron(self, name: str, terms: Any) -> Neuron:
        if self.is_host(name):
            return HostInput()
        if terms is None or not terms.by_source:
            raise self.refuse(name, "nothing feeds it; connect it or remove it")
        stated = vars(self.nodes[name]).items()
        values = {key: self.spread(name, value) for key, value in stated if isinstance(value, np.ndarray)}
        self.check_gain(name, values)
        row = NEURONS[self.kind(name)]
        bias = terms.bias if terms.bias is not None else 0.0
        neuron: Neuron = row.model(bias=bias, **{key: values[key] for key in row.parameters})
        return neuron

    def check_gain(self, name: str, values: Mapping[str, Floats]) -> None:
        """Warn where the input would be scaled, which most exporting frameworks do not do."""
        if self.by_node.get(name, {}).get("gain", self.conventions.gain) == "unit":
            return
        dt = self.conventions.dt
        for factor, tau in NEURONS[self.kind(name)].gains:
            with np.errstate(invalid="ignore"):
                unit = np.broadcast_to((values[tau] if tau else 1.0) / dt, values[factor].shape)
                off = ~(np.isclose(values[factor], unit, rtol=TOLERANCE) | (np.isinf(values[factor]) & np.isinf(unit)))
            if off.any():
                first = int(np.flatnonzero(off.ravel())[0])
                got, expected = values[factor].ravel()[first], unit.ravel()[first]
                what = f"{tau}/dt" if tau else "1/dt"
                warnings.warn(
                    f"{self.path}: node '{name}': {factor} is {got:g}, not {what} = {expected:g}: its input is multiplied by "
                    f"{got / expected:g}, as NIR says; check dt, or use gain='unit' if the exporting framework ignores {factor}",
                    ConventionWarning,
                    stacklevel=2,
                )
