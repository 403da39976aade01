"""NIR graphs (neuromorphs/NIR) as networks: nodes become populations, what lies between them projections.

NIR carries neither dt nor the reset rule, its timing, the comparison or the decay: these are options here, with the defaults
of network.Conventions, read from and written to the graph's metadata under ``neuroemu``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import nir
import numpy as np

from neuroemu.base.errors import FileError, NetworkError
from neuroemu.base.fields import shortened
from neuroemu.base.hdf5 import Format, opened, short, tried
from neuroemu.network.conventions import Conventions, by_node, by_present_names
from neuroemu.network.network import Network
from neuroemu.nir.graph import GraphReader
from neuroemu.nir.nodes import SUPPORTED

FORMAT = Format("NIR", "nir.write")
METADATA = "neuroemu"
"""The metadata group with the conventions that NIR has no place for."""
NODES = "nodes"
"""In that group: conventions of single nodes, by their name."""
LONGEST = 40
"""Letters of a node's type that an error repeats; the longest that is imported has nine."""
SHAPES = "neuroemu_shapes"
"""The metadata group with the shapes of populations that are written flat, by name."""
Value = TypeVar("Value")
ByNode: TypeAlias = Value | Mapping[str, Value] | None
"""A convention: one value for all nodes, or values by node and "*" for the others."""


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
    ``reset={"*": "zero", "lif1": "subtract"}``. ``graded_input`` lets the input's values multiply the weights; otherwise the
    input is spikes. Warns (ConventionWarning) where an input gain r, or a w_in, is not what leaves the input unscaled, and
    where a shape was repaired. ``compare`` is what ``spike_if`` was called.

    Raises FileError for a file that is no NIR file, NetworkError for nodes and parameters that cannot be imported.
    """
    graph = _load(path)
    given = {"dt": dt, "reset": reset, "reset_timing": reset_timing, "spike_if": spike_if, "decay": decay, "gain": gain,
             "max_spikes": max_spikes, "compare": compare}  # fmt: skip
    stated = {name: value for name, value in given.items() if value is not None}
    conventions, nodes = _conventions(path, graph, by_present_names(stated))
    return _shaped(path, graph, GraphReader(str(path), graph, conventions, nodes, graded_input).network())


def _load(path: str | os.PathLike[str]) -> Any:
    if not Path(path).is_file():
        raise FileError(f"{path}: no such file; give the path of a NIR file")
    problem = tried(path, FORMAT, lambda: _read(path))
    if problem is not None:
        raise problem
    return _read(path)


def _read(path: str | os.PathLike[str]) -> Any:
    for name, kind in _checked(path):
        if kind not in SUPPORTED:
            raise NetworkError(
                f"{path}: node '{name}' is a {kind}, which is not imported; neuroemu imports {', '.join(SUPPORTED)}"
            )
    try:
        return nir.read(path, type_check=False)
    except Exception as error:
        raise NetworkError(f"{path}: the graph cannot be read ({short(error)}); export it again") from None


def _checked(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Name and type of every node of a file that is a NIR file."""
    return opened(path, FORMAT, lambda file: _kinds(file["node"]))


def _kinds(group: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Name and type of every node; nested names are joined by a dot, so a name may occur twice."""
    found = []
    for name, node in group["nodes"].items():
        stored = node["type"][()]
        kind = stored.decode() if isinstance(stored, bytes) else str(stored)
        found.append((f"{prefix}{name}", kind if len(kind) <= LONGEST else f"{' '.join(kind[:LONGEST].split())}..."))
        if kind == "NIRGraph":
            found += _kinds(node, f"{prefix}{name}.")
    return found


def _conventions(path: object, graph: Any, given: Mapping[str, Any]) -> tuple[Conventions, dict[str, dict[str, Any]]]:
    """The conventions of a file with those that are given over them, and by node what differs."""
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    stored = dict(_table(path, METADATA, metadata.get(METADATA, {})))
    nodes = _table(path, f"{METADATA}/{NODES}", stored.pop(NODES, {}))
    common, by_name = by_node(given)
    read = _stated(path, METADATA, stored)
    merged = {str(node): _stated(path, f"{METADATA}/{NODES}/{node}", values) for node, values in nodes.items()}
    for values in merged.values():  # what is said of all now holds for all
        for name in common:
            values.pop(name, None)
    for node, values in by_name.items():
        merged[node] = {**merged.get(node, {}), **values}
    return Conventions(**{**read, **common}), merged


def _table(path: object, place: str, value: Any) -> dict[str, Any]:
    """A group of the metadata: whatever else it is would be left out in silence."""
    if not isinstance(value, dict):
        raise NetworkError(f"{path}: metadata {place} is {_line(value)}, not a group of values; correct or remove it")
    return value


def _stated(path: object, place: str, stored: Any) -> dict[str, Any]:
    """Conventions as a file's metadata states them."""
    known = {field.name for field in fields(Conventions)}
    read = {}
    for name, value in by_present_names(_table(path, place, stored), warn=False).items():
        if name not in known:
            raise NetworkError(
                f"{path}: metadata {place}/{name} is not a convention; the conventions are {', '.join(sorted(known))}"
            )
        plain = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        read[name] = plain.item() if isinstance(plain, np.generic) else plain
        if not isinstance(read[name], str | int | float):
            raise NetworkError(f"{path}: metadata {place}/{name} is {_line(value)}; give one word or one number")
    return read


def _line(value: Any) -> str:
    """A value of the metadata on one line, cut if it is long."""
    return shortened(" ".join(str(value).split()))


def _shaped(path: object, graph: Any, network: Network) -> Network:
    """The network with the shapes that ``write_nir`` kept in the metadata for populations of more than one dimension."""
    stored = graph.metadata.get(SHAPES, {}) if isinstance(graph.metadata, dict) else {}
    shapes = {}
    for name, value in stored.items() if isinstance(stored, dict) else ():
        sizes = np.atleast_1d(value)
        known = [population for population in network.populations if population.name == name]
        if not known or sizes.dtype.kind not in "iu" or np.any(sizes < 1) or math.prod(sizes.tolist()) != known[0].n:
            has = f"has {known[0].n} neurons" if known else "is no population"
            raise NetworkError(
                f"{path}: metadata {SHAPES}/{name} is {_line(value)}, but '{name}' {has}; correct or remove it"
            )
        shapes[name] = tuple(int(size) for size in sizes)
    populations = [replace(p, size=shapes.get(p.name, p.size)) for p in network.populations]
    return replace(network, populations=tuple(populations))
