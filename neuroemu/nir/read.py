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
from typing import Any, Literal

import nir
import numpy as np

from neuroemu.base.errors import FileError, NetworkError
from neuroemu.base.hdf5 import Format, opened, short, tried
from neuroemu.network.conventions import Conventions, by_present_names
from neuroemu.network.network import Network
from neuroemu.nir.graph import GraphReader
from neuroemu.nir.nodes import SUPPORTED

FORMAT = Format("NIR", "nir.write")
METADATA = "neuroemu"
"""The metadata group with the conventions that NIR has no place for."""
LONGEST = 40
"""Letters of a node's type that an error repeats; the longest that is imported has nine."""
SHAPES = "neuroemu_shapes"
"""The metadata group with the shapes of populations that are written flat, by name."""


def read_nir(
    path: str | os.PathLike[str],
    *,
    dt: float | None = None,
    reset: Literal["zero", "subtract"] | None = None,
    reset_timing: Literal["now", "next"] | None = None,
    spike_if: Literal[">", ">="] | None = None,
    decay: Literal["euler", "exp"] | None = None,
    gain: Literal["nir", "unit"] | None = None,
    max_spikes: int | None = None,
    graded_input: bool = False,
    compare: Literal[">", ">="] | None = None,
) -> Network:
    """Read a NIR file as a Network.

    Options left out are taken from the file's ``neuroemu`` metadata, else from Conventions. ``graded_input`` lets the input's
    values multiply the weights; otherwise the input is spikes. Warns (ConventionWarning) where an input gain r, or a w_in,
    is not what leaves the input unscaled, and where a shape was repaired. ``compare`` is what ``spike_if`` was called.

    Raises FileError for a file that is no NIR file, NetworkError for nodes and parameters that cannot be imported.
    """
    graph = _load(path)
    given = {"dt": dt, "reset": reset, "reset_timing": reset_timing, "spike_if": spike_if, "decay": decay, "gain": gain,
             "max_spikes": max_spikes, "compare": compare}  # fmt: skip
    stated = {name: value for name, value in given.items() if value is not None}
    conventions = _conventions(path, graph, by_present_names(stated))
    return _shaped(path, graph, GraphReader(str(path), graph, conventions, graded_input).network())


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


def _conventions(path: object, graph: Any, given: Mapping[str, Any]) -> Conventions:
    stored = graph.metadata.get(METADATA, {}) if isinstance(graph.metadata, dict) else {}
    known = {field.name for field in fields(Conventions)}
    read = {}
    for name, value in by_present_names(stored, warn=False).items() if isinstance(stored, dict) else ():
        if name not in known:
            raise NetworkError(
                f"{path}: metadata neuroemu/{name} is not a convention; the conventions are {', '.join(sorted(known))}"
            )
        plain = value.decode() if isinstance(value, bytes) else value
        read[name] = plain.item() if isinstance(plain, np.generic) else plain
    return Conventions(**{**read, **given})


def _shaped(path: object, graph: Any, network: Network) -> Network:
    """The network with the shapes that ``write_nir`` kept in the metadata for populations of more than one dimension."""
    stored = graph.metadata.get(SHAPES, {}) if isinstance(graph.metadata, dict) else {}
    shapes = {}
    for name, value in stored.items() if isinstance(stored, dict) else ():
        sizes = np.atleast_1d(value)
        known = [population for population in network.populations if population.name == name]
        if not known or sizes.dtype.kind not in "iu" or np.any(sizes < 1) or math.prod(sizes.tolist()) != known[0].n:
            has = f"has {known[0].n} neurons" if known else "is no population"
            raise NetworkError(f"{path}: metadata {SHAPES}/{name} is {value}, but '{name}' {has}; correct or remove it")
        shapes[name] = tuple(int(size) for size in sizes)
    populations = [replace(p, size=shapes.get(p.name, p.size)) for p in network.populations]
    return replace(network, populations=tuple(populations))
