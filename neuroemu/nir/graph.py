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
from neuroemu.base.fields import shown
from neuroemu.network.network import (
    IF,
    LI,
    LIF,
    Conventions,
    CubaLI,
    CubaLIF,
    HostInput,
    Network,
    Neuron,
    Population,
    Projection,
    Route,
)
from neuroemu.nir.convolution import PLANES, Plane, flattened, plane_map
from neuroemu.nir.linear import LinearMap, Term, chain

SUPPORTED = (
    "Input", "Output", "Linear", "Affine", "Scale", "Flatten", "Delay", "Conv2d", "SumPool2d", "AvgPool2d", "IF", "LIF", "CubaLIF",
    "LI", "CubaLI", "NIRGraph",
)  # fmt: skip
NEURONS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI")
WINDOWS = ("kernel_size", "stride", "padding", "dilation", "groups", "input_shape")
"""Parameters of planes, which are whole numbers, one or one an axis."""
MOST_VALUES = 1 << 24
"""Values a node gives, as many as an image has neurons: a shape is a few bytes of a file and memory for each value here."""
MOST_DELAY = 1 << 20
"""Ticks a Delay node waits: no presentation lasts longer."""
TOLERANCE = 1e-3
"""Relative difference below which r is taken to equal tau/dt: files store float32."""


class GraphReader:
    """Walks one graph, flattened: nested graphs lose their border, their nodes keep a dotted name."""

    def __init__(self, path: str, graph: Any, conventions: Conventions, graded: bool) -> None:
        self.path, self.conventions, self.graded = path, conventions, graded
        self.nodes: dict[str, Any] = {}
        self.before: dict[str, list[str]] = {}
        self.flatten(graph, "")
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.planes: dict[str, Plane] = {}

    def refuse(self, node: str, text: str) -> NetworkError:
        return NetworkError(f"{self.path}: node '{node}': {text}")

    def kind(self, name: str) -> str:
        return type(self.nodes[name]).__name__

    def flatten(self, graph: Any, prefix: str) -> None:
        nested = {name for name, node in graph.nodes.items() if isinstance(node, nir.NIRGraph)}
        for name, node in graph.nodes.items():
            if name in nested:
                self.flatten(node, f"{prefix}{name}.")
            else:
                self.nodes[prefix + name] = node
                self.check_values(prefix + name)
                self.before.setdefault(prefix + name, [])
        for source, target in graph.edges:
            for end in (source, target):
                if end not in graph.nodes:
                    raise NetworkError(
                        f"{self.path}: edge ('{source}', '{target}') names '{end}', which is no node; correct the edges"
                    )
            tail = self.border(graph, prefix, source, nir.Output) if source in nested else prefix + source
            head = self.border(graph, prefix, target, nir.Input) if target in nested else prefix + target
            self.before.setdefault(head, []).append(tail)

    def check_values(self, name: str) -> None:
        """Parameters are real numbers (a padding may be a word), shapes and windows whole ones: files hold whatever they hold."""
        for key, value in vars(self.nodes[name]).items():
            if key == "metadata" or (key == "padding" and isinstance(value, str | bytes)):
                continue
            for part in value.values() if isinstance(value, dict) else (value,):
                array = np.asarray(0 if part is None else part)
                real = array.dtype.kind in "biuf"
                whole = real and bool(np.all((np.abs(array) < 1 << 62) & (array == np.rint(array))))
                if not real or ((isinstance(value, dict) or key in WINDOWS) and not whole):
                    what = "whole numbers" if isinstance(value, dict) or key in WINDOWS else "numbers"
                    raise self.refuse(name, f"{key} is {shown(part)}; give {what}")
                if key in WINDOWS and array.size not in (1, 1 if key == "groups" else 2):
                    raise self.refuse(name, f"{key} has {array.size} values; give one, or one an axis")

    def border(self, graph: Any, prefix: str, name: str, kind: type) -> str:
        """The node of a nested graph that stands for its border."""
        inside = [child for child, node in graph.nodes[name].nodes.items() if isinstance(node, kind)]
        if len(inside) != 1:
            raise self.refuse(prefix + name, f"nested graph has {len(inside)} {kind.__name__} nodes; give it one")
        return f"{prefix}{name}.{inside[0]}"

    # ---- what kind of node
    def is_host(self, name: str) -> bool:
        return self.kind(name) == "Input" and not self.before[name]

    def is_population(self, name: str) -> bool:
        return self.is_host(name) or self.kind(name) in NEURONS

    def network(self) -> Network:
        names = [name for name in self.nodes if self.is_population(name)]
        outputs = []
        for name in self.nodes:
            if self.kind(name) == "Output" and not any(name in before for before in self.before.values()):
                outputs += self.output(name)
        terms = {name: chain(self.incoming(name)) for name in names if not self.is_host(name)}
        populations = [
            Population(name, self.shape(name), self.neuron(name, terms.get(name))) for name in self.sorted(names, terms)
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
            if any(size < 1 for size in shape) or math.prod(shape) > MOST_VALUES:
                raise self.refuse(
                    name,
                    f"has shape {shape}; sizes are at least 1, and together at most {MOST_VALUES}, correct the shape",
                )
            self.shapes[name] = shape
        if not self.shapes[name]:
            raise self.refuse(name, "its size depends on itself; give the loop a node with parameters of its size")
        return self.shapes[name]

    def size(self, name: str) -> int:
        """Number of values a node gives."""
        return math.prod(self.shape(name))

    def _shape(self, name: str) -> tuple[int, ...]:
        node, kind = self.nodes[name], self.kind(name)
        if kind == "Input" and not self.before[name]:
            return tuple(int(n) for n in np.ravel(node.input_type["input"]))
        if kind in ("Linear", "Affine"):
            if np.ndim(node.weight) != 2:
                raise self.refuse(
                    name, f"weight has shape {np.shape(node.weight)}; a {kind} takes a matrix (outputs, inputs)"
                )
            return (int(np.shape(node.weight)[0]),)
        if kind in PLANES:
            return self.plane(name).shape
        own = max((np.shape(v) for v in vars(node).values() if isinstance(v, np.ndarray)), key=math.prod, default=())
        if kind in (*NEURONS, "Scale", "Delay") and math.prod(own) > 1 and 1 not in own[1:]:
            return own
        if not self.before[name]:
            raise self.refuse(name, "nothing feeds it; connect it or remove it")
        fed = self.shape(self.before[name][0])
        return flattened(fed, node) if kind == "Flatten" else fed

    def plane(self, name: str) -> Plane:
        """The map of a convolution or pooling node."""
        if name not in self.planes:
            if not self.before[name]:
                raise self.refuse(name, "nothing feeds it; connect it or remove it")
            self.planes[name] = plane_map(name, self.nodes[name], self.shape(self.before[name][0]), self.refuse)
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
        for term in before:
            self.fits(name, term)
        return self.applied(name, before)

    def fits(self, name: str, term: Term) -> None:
        self.size(name)
        node, kind = self.nodes[name], self.kind(name)
        if kind in ("Linear", "Affine"):
            need, allowed = int(np.shape(node.weight)[1]), {term.map.n_out}
        elif kind in PLANES:
            need, allowed = self.plane(name).n_in, {term.map.n_out}
        elif kind in ("Scale", "Delay"):
            need = int(self.spread(name, node.scale if kind == "Scale" else node.delay).size)
            allowed = {term.map.n_out, 1}
        else:
            return
        if need not in allowed:
            raise self.refuse(
                name, f"takes {need} values, '{term.source}' gives it {term.map.n_out}; correct the shapes"
            )

    def applied(self, name: str, before: list[Term]) -> list[Term]:
        node, kind = self.nodes[name], self.kind(name)
        if kind in ("Linear", "Affine"):
            after = [term.times(np.asarray(node.weight, np.float64).T) for term in before]
            if kind == "Affine":
                after[0] = after[0].plus(self.one_each(name, "bias", self.size(name)))
            return after
        if kind in PLANES:
            plane = self.plane(name)
            after = [term.through(plane.entries, self.size(name)) for term in before]
            if kind == "Conv2d":
                bias = self.one_each(name, "bias", plane.shape[0])
                after[0] = after[0].plus(np.repeat(bias, math.prod(plane.shape[1:])))
            return after
        if kind == "Scale":
            return [term.scaled(self.spread(name, node.scale)) for term in before]
        if kind == "Delay":
            return [self.delayed(name, term) for term in before]
        return before  # Flatten, and the borders of nested graphs: values are kept flat, in C order

    def one_each(self, name: str, key: str, n: int) -> Floats:
        """A parameter as n values, of which the file has one or n."""
        value = np.asarray(getattr(self.nodes[name], key), np.float64).ravel()
        if value.size not in (1, n):
            raise self.refuse(name, f"{key} has {value.size} values for {n}; give one, or that many")
        return np.broadcast_to(value, (n,))

    def delayed(self, name: str, term: Term) -> Term:
        if term.bias is not None and np.any(term.bias != 0):
            raise self.refuse(name, "delays a bias; put the Delay before the Affine")
        seconds = self.spread(name, self.nodes[name].delay)
        if np.any(seconds < 0) or not np.isfinite(seconds).all():
            raise self.refuse(
                name, f"delay is {seconds[(seconds < 0) | ~np.isfinite(seconds)][0]:g} s; a delay is 0 or more"
            )
        ticks = np.rint(seconds / self.conventions.dt)
        if np.any(ticks > MOST_DELAY):
            raise self.refuse(
                name,
                f"delay is {seconds.max():g} s, {ticks.max():g} ticks of dt; {MOST_DELAY} are the most, use a larger dt",
            )
        return term.delayed(ticks.astype(np.int64))

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
        node, kind = self.nodes[name], self.kind(name)
        if terms is None or not terms.by_source:
            raise self.refuse(name, "nothing feeds it; connect it or remove it")
        values = {key: self.spread(name, value) for key, value in vars(node).items() if isinstance(value, np.ndarray)}
        for key, value in values.items():
            if value.size not in (1, self.size(name)):
                raise self.refuse(name, f"{key} has {value.size} values for {self.size(name)}; give one, or that many")
        self.check_gain(name, values)
        bias = terms.bias if terms.bias is not None else 0.0

        def pick(*keys: str) -> dict[str, Floats]:
            return {key: values[key] for key in keys}

        if kind == "IF":
            return IF(bias=bias, **pick("r", "v_threshold", "v_reset"))
        if kind == "LIF":
            return LIF(bias=bias, **pick("tau", "r", "v_leak", "v_threshold", "v_reset"))
        if kind == "LI":
            return LI(bias=bias, **pick("tau", "r", "v_leak"))
        if kind == "CubaLI":
            return CubaLI(bias=bias, **pick("tau_syn", "tau_mem", "r", "v_leak", "w_in"))
        return CubaLIF(bias=bias, **pick("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"))

    def check_gain(self, name: str, values: Mapping[str, Floats]) -> None:
        """Warn where the input would be scaled, which most exporting frameworks do not do."""
        if self.conventions.gain == "unit":
            return
        dt, kind = self.conventions.dt, self.kind(name)
        cuba = [("r", "tau_mem"), ("w_in", "tau_syn")]
        pairs = cuba if kind in ("CubaLIF", "CubaLI") else [("r", "" if kind == "IF" else "tau")]
        for factor, tau in pairs:
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
