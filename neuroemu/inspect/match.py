"""match: find the conventions under which a network gives spikes that were recorded elsewhere.

NIR carries neither dt nor the reset rule, its timing, the comparison, the decay or whether r counts. Every combination is
tried with the float reference and compared with the recording bin by bin; those that agree equally well cannot be told apart.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import ConventionWarning, NetworkError, StimulusError
from neuroemu.base.shelf import unknown
from neuroemu.engines.job import Progress, silent
from neuroemu.inspect.match_layers import MOST_SIMULATIONS, Descent
from neuroemu.inspect.match_result import AXES, Alike, Match, quoted
from neuroemu.inspect.recorded import recorded
from neuroemu.inspect.score import Score, score
from neuroemu.inspect.ticks import tick_lengths
from neuroemu.network.conventions import Conventions, by_node, by_present_names
from neuroemu.network.discrete import discretize
from neuroemu.network.network import FLOAT_MODELS, HostInput, Network, Sparse
from neuroemu.network.stimulus import dense_inputs
from neuroemu.nir.read import read_nir

Point = tuple[Any, ...]
SCREEN_SAMPLES, SCREEN_ROWS, SCREEN_SPIKES = 8, 256, 40
"""A first look takes this many samples, and this many rows or more until so many spikes were recorded."""
SLACK = 2
"""A combination survives the first look if it has at most twice the fewest wrong spikes, plus the tolerance, plus this many."""
TOLERANCE = 1e-2
"""Of the recorded spikes, by default: what float32 in a framework and float64 here may differ in."""


def match(
    network: Network | str | os.PathLike[str],
    inputs: ArrayLike | Mapping[str, ArrayLike],
    expected: ArrayLike | Mapping[str, ArrayLike],
    *,
    tolerance: float = TOLERANCE,
    lag: int = 0,
    graded_input: bool = False,
    progress: Progress = silent,
    **known: Any,
) -> Match:
    """Find the conventions under which a network (a NIR file, or a Network) gives the expected spikes.

    ``inputs`` as ``run`` takes them; ``expected`` spikes of the output, shape (ticks, neurons...) or (ticks, samples,
    neurons...), a dictionary for several outputs. ``lag`` ticks by which the recording is later than the input (Lava and Loihi
    need one a layer). A convention given by name (``reset="subtract"``, ``dt=1e-3``, ``reset={"lif1": "zero"}``) is taken
    as known. ``expected`` may name hidden
    populations too, which then are decided one after the other.

    One set of conventions for all populations is tried first; if none is wrong in at most ``tolerance`` of the recorded spikes
    (missed or too many), single populations are given their own. At most 500 simulations.

    Raises NetworkError, StimulusError, UnknownNameError, and FileError for a path that holds no NIR file.
    """
    known = by_present_names(known)
    for name in known:
        if name not in AXES:
            raise unknown("convention", name, AXES)
    if not 0 <= tolerance < 1:
        raise StimulusError(
            f"tolerance is {tolerance!r}; give the share of recorded spikes that may be missed or too many, from 0 to below 1"
        )
    common, nodes = by_node(known)
    return _Search(network, common, nodes, graded_input).match(inputs, expected, tolerance, lag, progress)


@dataclass
class _Tried:
    """Combinations that are the same computation, and how they did."""

    network: Network
    points: list[Point] = field(default_factory=list)
    score: Score = field(default_factory=lambda: Score(0, 0, 0))


class _Search:
    def __init__(
        self,
        network: Network | str | os.PathLike[str],
        known: Mapping[str, Any],
        nodes: Mapping[str, Mapping[str, Any]],
        graded_input: bool,
    ) -> None:
        self.source, self.graded, self.nodes = network, graded_input, nodes
        self.base = self.read(known.get("dt"))
        self.default = self.base.conventions
        self.known = known
        self.ticks = {self.default.dt: "given"} if "dt" in known else tick_lengths(self.base)
        self.networks = {dt: self.base if dt == self.default.dt else self.read(dt) for dt in self.ticks}
        self.axes = [tuple(self.ticks)] + [
            (known[name],) if name in known else choices for name, choices in Conventions.CHOICES.items()
        ]
        self.fixed = {p.name: {*known, *nodes.get(p.name, ())} for p in self.base.populations}
        """What is taken as known of each population."""
        self.simulations = 0

    def read(self, dt: float | None) -> Network:
        """The network with delays in ticks of dt, and its own conventions else."""
        if isinstance(self.source, Network):
            conventions = self.source.conventions
            found = replace(self.source, conventions=replace(conventions, dt=dt) if dt is not None else conventions)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConventionWarning)
                found = read_nir(self.source, dt=dt, graded_input=self.graded)
        for name in self.nodes:
            found.population(name)
        return replace(
            found,
            populations=tuple(
                replace(p, conventions={**p.conventions, **self.nodes.get(p.name, {})}) for p in found.populations
            ),
        )

    # ---- the search
    def match(self, inputs: Any, expected: Any, tolerance: float, lag: int, progress: Progress) -> Match:
        sizes = {p.name: p.n for p in self.base.populations if isinstance(p.neuron, HostInput)}
        dense = dense_inputs(inputs, sizes)
        spikes = recorded(self.base, expected, next(iter(dense.values())).shape[:2], lag)
        tried = self.distinct()
        few_inputs, few_spikes = _screen(dense, spikes, lag)
        self.run(tried, few_inputs, few_spikes, lag, "trying conventions", progress)
        few = sum(int(array.sum()) for array in few_spikes.values())
        limit = 2 * min(one.score.wrong for one in tried) + tolerance * few + SLACK
        tried = [one for one in tried if one.score.wrong <= limit]
        if few_spikes is not spikes:
            self.run(tried, dense, spikes, lag, "confirming on all samples", progress)
        bins = sum(array.size for array in spikes.values())
        least = min(one.score for one in tried)
        total = sum(int(array.sum()) for array in spikes.values())
        near = sorted({one.score for one in tried if least < one.score and one.score.wrong <= tolerance * total})
        layered = None
        if least.share > tolerance:
            best = min(tried, key=lambda one: one.score)
            left = max(MOST_SIMULATIONS - self.simulations, 0)
            layered = Descent(best.network, dense, spikes, lag, self.fixed, left, progress).search()
            self.simulations += layered.simulations
        return Match(
            same=tuple(self.alike(tried, least)),
            near=tuple(alike for value in near for alike in self.alike(tried, value)),
            bins=bins,
            spikes=total,
            tolerance=tolerance,
            ticks=self.ticks,
            combinations=int(np.prod([len(values) for values in self.axes])),
            simulations=self.simulations,
            notes=tuple(self.notes(dense, spikes)),
            layered=layered,
        )

    def distinct(self) -> list[_Tried]:
        """One entry for each computation: combinations whose constants in discrete time and delays are equal are one."""
        wiring = {dt: _wiring(network) for dt, network in self.networks.items()}
        models: dict[Point, bytes | NetworkError] = {}
        found: dict[Point, _Tried] = {}
        for point in product(*self.axes):
            said = dict(zip(AXES, point, strict=True))
            dt, constants = said["dt"], (said["dt"], said["decay"], said["gain"])
            network = replace(self.networks[dt], conventions=Conventions(**said))
            if constants not in models:
                models[constants] = _constants(network)
            model = models[constants]
            if isinstance(model, bytes):
                key = (model, wiring[dt], said["reset"], said["reset_timing"], said["spike_if"])
                found.setdefault(key, _Tried(network)).points.append(point)
        if not found:
            raise next(error for error in models.values() if isinstance(error, NetworkError))
        return list(found.values())

    def run(
        self, tried: list[_Tried], inputs: Mapping[str, Ints], spikes: Mapping[str, Ints], lag: int, stage: str,
        progress: Progress,
    ) -> None:  # fmt: skip
        """Count what each misses, and what it has too many."""
        for number, one in enumerate(tried):
            progress(stage, number, len(tried))
            one.score = score(one.network, inputs, spikes, lag)
            self.simulations += 1

    # ---- the answer
    def alike(self, tried: list[_Tried], value: Score) -> list[Alike]:
        points = [point for one in tried if one.score == value for point in one.points]
        found = []
        for values in _boxes(points, self.axes):
            given = dict(zip(AXES, values, strict=True))
            pick = replace(
                self.default,
                **{n: getattr(self.default, n) if getattr(self.default, n) in v else v[0] for n, v in given.items()},
            )
            every = dict(zip(AXES, self.axes, strict=True))
            anything = tuple(n for n, v in given.items() if n not in self.known and len(v) == len(every[n]) > 1)
            found.append(Alike(given, anything, pick, self.options(pick), value))
        return sorted(found, key=lambda alike: (len(alike.options), -len(alike.open)))

    def notes(self, inputs: Mapping[str, Ints], spikes: Mapping[str, Ints]) -> Iterator[str]:
        several = sum(int((array > 1).sum()) for array in spikes.values())
        if several:
            yield (
                f"{several} recorded bins hold more than one spike (neurons of sinabs and Rockpool may send several a tick), "
                "which no convention here gives"
            )
        if not self.graded and any(np.any((array != 0) & (array != 1)) for array in inputs.values()):
            yield "input values other than 0 and 1 multiply the weights here; on the chip, --graded-input lets them"

    def options(self, pick: Conventions) -> str:
        """What to say on the command line, beyond the file's own conventions."""
        said = [
            f"--{name.replace('_', '-')} {quoted(value)}"
            for name in AXES
            if (value := getattr(pick, name)) != getattr(self.default, name) or name in self.known
        ]
        return " ".join([*said, *(["--graded-input"] if self.graded else [])])


def _screen(inputs: dict[str, Ints], spikes: dict[str, Ints], lag: int) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """A few samples, of which only the first rows if there are many; the very same arrays if that is all there is."""
    rows, n = next(iter(inputs.values())).shape[:2]
    chosen = np.unique(np.linspace(0, n - 1, min(n, SCREEN_SAMPLES)).astype(np.int64))
    per_row = sum((array[chosen] != 0).sum(axis=(0, 2)) for array in spikes.values())
    enough = int(np.searchsorted(np.cumsum(per_row), SCREEN_SPIKES)) + 1
    last = min(rows - lag, max(SCREEN_ROWS, enough))
    if chosen.size == n and last == rows - lag:
        return inputs, spikes
    few = {name: array[: last + lag, chosen] for name, array in inputs.items()}
    return few, {name: array[chosen, :last] for name, array in spikes.items()}


def _constants(network: Network) -> bytes | NetworkError:
    """Digest of every population in discrete time, or why there is none."""
    sha = hashlib.sha256()
    try:
        for population in network.populations:
            if type(population.neuron) in FLOAT_MODELS:
                model = discretize(population, network)
                for part in fields(model):
                    sha.update(part.name.encode() + np.asarray(getattr(model, part.name), np.float64).tobytes())
    except NetworkError as error:
        return error
    return sha.digest()


def _wiring(network: Network) -> bytes:
    """Digest of what dt decides about projections: their delays in ticks."""
    sha = hashlib.sha256()
    for projection in network.projections:
        lists = projection.weight
        sha.update(projection.label.encode() + np.asarray(projection.delay, np.float64).tobytes())
        if isinstance(lists, Sparse):
            for part in (lists.pre, lists.post, lists.weight, 0 if lists.delay is None else lists.delay):
                sha.update(np.asarray(part, np.float64).tobytes())
    return sha.digest()


def _boxes(points: list[Point], axes: list[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], ...]]:
    """The points as few products of sets: pieces that differ in one axis only are joined, until none are left."""
    boxes = {tuple(frozenset([value]) for value in point) for point in points}
    before = 0
    while len(boxes) != before:
        before = len(boxes)
        for axis in reversed(range(len(axes))):
            joined: dict[tuple[Any, ...], frozenset[Any]] = {}
            for piece in boxes:
                rest = (*piece[:axis], *piece[axis + 1 :])
                joined[rest] = joined.get(rest, frozenset()) | piece[axis]
            boxes = {(*rest[:axis], values, *rest[axis:]) for rest, values in joined.items()}
    ordered = [
        tuple(tuple(v for v in axis if v in part) for axis, part in zip(axes, piece, strict=True)) for piece in boxes
    ]
    yield from sorted(ordered, key=repr)
