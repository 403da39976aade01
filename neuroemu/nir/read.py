"""NIR graphs in and out (neuromorphs/NIR): nodes become populations, what lies between them projections.

NIR carries neither dt nor the reset rule, its timing, the comparison or the decay: these are options here, with the defaults
of network.Conventions, read from and written to the graph's metadata under ``neuroemu``.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import h5py
import nir
import numpy as np

from neuroemu.base.errors import FileError, NetworkError
from neuroemu.base.files import path_whole
from neuroemu.network.conventions import Conventions, by_node, by_present_names
from neuroemu.network.network import HostInput, Network, Population, Projection
from neuroemu.network.synapses import synapses
from neuroemu.nir.graph import GraphReader
from neuroemu.nir.nodes import NEURONS, SUPPORTED

METADATA = "neuroemu"
NODES = "nodes"
"""In the metadata: conventions of single nodes, by their name."""
Value = TypeVar("Value")
ByNode: TypeAlias = Value | Mapping[str, Value] | None
"""A convention: one value for all nodes, or values by node and "*" for the others."""
PATIENCE_S = 60
"""Seconds that HDF5 may take to read a file."""


def read_nir(
    path: str | os.PathLike[str],
    *,
    dt: float | None = None,
    reset: ByNode[Literal["zero", "subtract"]] = None,
    reset_timing: ByNode[Literal["now", "next"]] = None,
    spike_if: ByNode[Literal[">", ">="]] = None,
    decay: ByNode[Literal["euler", "exp"]] = None,
    gain: ByNode[Literal["nir", "unit"]] = None,
    max_spikes: ByNode[int] = None,
    graded_input: bool = False,
    compare: Literal[">", ">="] | None = None,
) -> Network:
    """Read a NIR file as a Network.

    Options left out are taken from the file's ``neuroemu`` metadata, else from Conventions. A convention may be said by node:
    ``reset={"*": "zero", "lif1": "subtract"}``. ``graded_input`` lets the input's
    values multiply the weights; otherwise the input is spikes. Warns (ConventionWarning) where an input gain r, or a w_in,
    is not what leaves the input unscaled, and where a shape was repaired. ``compare`` is what ``spike_if`` was called.

    Raises FileError for a file that is no NIR file, NetworkError for nodes and parameters that cannot be imported.
    """
    graph = _load(path)
    given = {"dt": dt, "reset": reset, "reset_timing": reset_timing, "spike_if": spike_if, "decay": decay, "gain": gain,
             "max_spikes": max_spikes, "compare": compare}  # fmt: skip
    stated = {name: value for name, value in given.items() if value is not None}
    conventions, nodes = _conventions(path, graph, by_present_names(stated))
    return GraphReader(str(path), graph, conventions, nodes, graded_input).network()


def _load(path: str | os.PathLike[str]) -> Any:
    if not Path(path).is_file():
        raise FileError(f"{path}: no such file; give the path of a NIR file")
    if not _outlived(path):
        raise FileError(f"{path}: is damaged: the HDF5 library crashes or hangs on it; export it again")
    kinds = _checked(path)
    for name, kind in kinds.items():
        if kind not in SUPPORTED:
            raise NetworkError(
                f"{path}: node '{name}' is a {kind}, which is not imported; neuroemu imports {', '.join(SUPPORTED)}"
            )
    try:
        return nir.read(path, type_check=False)
    except Exception as error:
        raise NetworkError(f"{path}: the graph cannot be read ({_short(error)}); export it again") from None


def _checked(path: str | os.PathLike[str]) -> dict[str, str]:
    """Type of every node of a file that is a NIR file."""
    try:
        with h5py.File(path, "r") as file:
            return _kinds(file["node"])
    except Exception as error:
        raise FileError(f"{path}: is not a NIR file ({_short(error)}); export it with nir.write") from None


def _outlived(path: str | os.PathLike[str]) -> bool:
    """Whether a process reads the file to its end and lives: damaged files crash the HDF5 library, or send it round in circles."""
    if not hasattr(os, "fork"):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child only reads, and leaves by _exit
        child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE_S)
            _checked(path)
            nir.read(path, type_check=False)
        except BaseException:  # what it says will be said again
            os._exit(0)
        os._exit(0)
    return not os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _short(error: Exception) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


def _kinds(group: Any, prefix: str = "") -> dict[str, str]:
    """Type of every node, by name; nested names are joined by a dot."""
    found = {}
    for name, node in group["nodes"].items():
        kind = node["type"][()]
        found[f"{prefix}{name}"] = kind.decode() if isinstance(kind, bytes) else str(kind)
        if found[f"{prefix}{name}"] == "NIRGraph":
            found |= _kinds(node, f"{prefix}{name}.")
    return found


def _conventions(path: object, graph: Any, given: Mapping[str, Any]) -> tuple[Conventions, dict[str, dict[str, Any]]]:
    """The conventions of a file with those that are given over them, and by node what differs."""
    stored = graph.metadata.get(METADATA, {}) if isinstance(graph.metadata, dict) else {}
    stored = dict(stored) if isinstance(stored, dict) else {}
    nodes = stored.pop(NODES, {})
    common, by_name = by_node(given)
    read = _stated(path, "neuroemu", stored)
    merged = {
        str(node): _stated(path, f"neuroemu/{NODES}/{node}", values)
        for node, values in (nodes if isinstance(nodes, dict) else {}).items()
        if isinstance(values, dict)
    }
    for values in merged.values():  # what is said of all now holds for all
        for name in common:
            values.pop(name, None)
    for node, values in by_name.items():
        merged[node] = {**merged.get(node, {}), **values}
    return Conventions(**{**read, **common}), merged


def _stated(path: object, place: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Conventions as a file's metadata states them."""
    known = {field.name for field in fields(Conventions)}
    read = {}
    for name, value in by_present_names(stored, warn=False).items():
        if name not in known:
            raise NetworkError(
                f"{path}: metadata {place}/{name} is not a convention; the conventions are {', '.join(sorted(known))}"
            )
        plain = value.decode() if isinstance(value, bytes) else value
        read[name] = plain.item() if isinstance(plain, np.generic) else plain
    return read


def write_nir(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a float network as a NIR file with its conventions in the metadata, whole or not at all.

    An earlier file is replaced. Raises FileError, and NetworkError for populations in register units and rules, which NIR cannot express.
    """
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    for population in network.populations:
        nodes[population.name] = _node(population)
    for projection in network.projections:
        _write_projection(network, projection, nodes, edges)
    for name in network.outputs:
        label = "output" if len(network.outputs) == 1 else f"output_{name}"
        while label in nodes:  # a population of that name
            label += "_"
        nodes[label] = nir.Output({"output": np.array(network.population(name).shape)})
        edges.append((name, label))
    own = {p.name: dict(p.conventions) for p in network.populations if p.conventions}
    metadata = {METADATA: asdict(network.conventions) | ({NODES: own} if own else {})}
    graph = nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)
    with path_whole(Path(path)) as inside:
        nir.write(inside, graph)


def _node(population: Population) -> Any:
    neuron = population.neuron
    if isinstance(neuron, HostInput):
        return nir.Input({"input": np.array(population.shape)})
    kind = type(neuron).__name__
    if kind not in NEURONS:
        raise NetworkError(f"population '{population.name}' is in register units; NIR holds float models only")
    values = {
        field.name: np.broadcast_to(np.asarray(getattr(neuron, field.name), np.float64), population.shape).copy()
        for field in fields(neuron)
        if field.name != "bias"
    }
    return getattr(nir, kind)(**values)


def _write_projection(
    network: Network, projection: Projection, nodes: dict[str, Any], edges: list[tuple[str, str]]
) -> None:
    source, target = network.population(projection.pre), network.population(projection.post)
    if projection.rule is not None:
        raise NetworkError(
            f"projection '{projection.label}' runs a rule; NIR holds no rules, write the network without it"
        )
    pre, post, weight, delay = synapses(projection, source.n, target.n)
    into = network.into(target.name)
    bias = np.broadcast_to(np.asarray(getattr(target.neuron, "bias", 0.0), np.float64).ravel(), (target.n,))
    for ticks in np.unique(delay) if delay.size else [0]:
        matrix = np.zeros((target.n, source.n))
        matrix[post[delay == ticks], pre[delay == ticks]] = weight[delay == ticks]
        stem = f"{projection.label}" if len(np.unique(delay)) <= 1 else f"{projection.label}.{ticks}"
        first = projection is into[0] and (not delay.size or ticks == delay.min())
        nodes[f"{stem}.weight"] = nir.Affine(matrix, bias.copy()) if first and np.any(bias != 0) else nir.Linear(matrix)
        tail = source.name
        if ticks:
            nodes[f"{stem}.delay"] = nir.Delay(np.full(source.n, ticks * network.conventions.dt))
            edges.append((tail, f"{stem}.delay"))
            tail = f"{stem}.delay"
        edges += [(tail, f"{stem}.weight"), (f"{stem}.weight", target.name)]
