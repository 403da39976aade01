"""match: find the conventions under which a network gives spikes that were recorded elsewhere.

NIR carries neither dt nor the reset rule, its timing, the comparison, the decay or whether r counts. Every combination is
tried with the float reference and compared with the recording bin by bin; those that agree equally well cannot be told apart.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rich import box
from rich.table import Table

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import ConventionWarning, NetworkError, StimulusError
from neuroemu.base.shelf import unknown
from neuroemu.engines.job import Progress, silent
from neuroemu.inspect.recorded import recorded
from neuroemu.inspect.ticks import tick_lengths
from neuroemu.network.conventions import Conventions, by_present_names
from neuroemu.network.discrete import discretize
from neuroemu.network.network import FLOAT_MODELS, HostInput, Network, Sparse
from neuroemu.network.reference import simulate
from neuroemu.network.stimulus import dense_inputs
from neuroemu.nir.read import read_nir
from neuroemu.results.report import as_text

AXES = ("dt", *Conventions.CHOICES)
"""Conventions that are tried, in the order of a Point."""
Point = tuple[Any, ...]
SCREEN_SAMPLES, SCREEN_ROWS, SCREEN_SPIKES = 8, 256, 40
"""A first look takes this many samples, and this many rows or more until so many spikes were recorded."""
SLACK_BINS = 2
"""A combination survives the first look if it has at most twice the fewest wrong bins, plus the tolerance, plus this many."""
SHOWN_NEAR = 12


@dataclass(frozen=True)
class Alike:
    """Combinations with equally many wrong bins: any of ``values[name]`` may stand for convention ``name``.

    ``open`` names the conventions of which every value tried may stand; ``pick`` is one combination of them, with the
    network's own values where those are among them, and ``options`` says it on the command line.
    """

    values: Mapping[str, tuple[Any, ...]]
    open: tuple[str, ...]
    pick: Conventions
    options: str
    wrong: int
    share: float

    def shown(self, name: str) -> str:
        """The values of a convention in words."""
        return "any" if name in self.open else ", ".join(_word(value) for value in self.values[name])


@dataclass(frozen=True)
class Match:
    """``same`` are the combinations with the fewest wrong bins, which the recording cannot tell apart; ``near`` have more, yet
    no more than ``tolerance`` (a share of ``bins``, the (tick, sample, neuron) compared). ``ticks`` says why each dt was tried.
    """

    same: tuple[Alike, ...]
    near: tuple[Alike, ...]
    bins: int
    spikes: int
    tolerance: float
    ticks: Mapping[float, str]
    combinations: int
    simulations: int
    notes: tuple[str, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether the best combinations are within the tolerance."""
        return self.same[0].share <= self.tolerance

    @property
    def conventions(self) -> Conventions:
        """The best combination: ``replace(network, conventions=match.conventions)``."""
        return self.same[0].pick

    @property
    def no_difference(self) -> tuple[str, ...]:
        """Conventions that this network and recording do not depend on, whatever the others are."""
        return tuple(name for name in AXES if all(name in alike.open for alike in self.same))

    def as_dict(self) -> dict[str, Any]:
        """The match for JSON."""
        return {
            "matched": self.matched,
            "bins": self.bins,
            "spikes": self.spikes,
            "tolerance": self.tolerance,
            "combinations": self.combinations,
            "simulations": self.simulations,
            "no_difference": list(self.no_difference),
            "dt": [{"dt": dt, "why": why} for dt, why in self.ticks.items()],
            "same": [_plain(alike) for alike in self.same],
            "near": [_plain(alike) for alike in self.near],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return as_text(self.renderables())

    def renderables(self) -> Iterable[Table | str]:
        """Tables and lines, in the order they are printed."""
        best = self.same[0]
        found = f"wrong in {best.wrong} of {self.bins} bins ({best.share:.2%}; {self.spikes} spikes recorded)"
        if self.matched:
            yield f"reproduced, {found}; these conventions cannot be told apart:"
        else:
            yield f"nothing matches within {self.tolerance:.2%} of the bins; the nearest is {found}:"
        yield _table(self.same)
        if self.no_difference:
            yield f"any: makes no difference here ({', '.join(self.no_difference)})"
        if self.near:
            yield f"worse, but within {self.tolerance:.2%} of the bins:"
            yield _table(self.near[:SHOWN_NEAR])
            if len(self.near) > SHOWN_NEAR:
                yield f"and {len(self.near) - SHOWN_NEAR} more"
        yield f"tried {self.combinations} combinations in {self.simulations} simulations, with dt of " + "; ".join(
            f"{_word(dt)} ({why})" for dt, why in self.ticks.items()
        )
        yield from (f"note: {note}" for note in self.notes)


def match(
    network: Network | str | os.PathLike[str],
    inputs: ArrayLike | Mapping[str, ArrayLike],
    expected: ArrayLike | Mapping[str, ArrayLike],
    *,
    tolerance: float = 1e-3,
    lag: int = 0,
    graded_input: bool = False,
    progress: Progress = silent,
    **known: Any,
) -> Match:
    """Find the conventions under which a network (a NIR file, or a Network) gives the expected spikes.

    ``inputs`` as ``run`` takes them; ``expected`` spikes of the output, shape (ticks, neurons...) or (ticks, samples,
    neurons...), a dictionary for several outputs. ``lag`` ticks by which the recording is later than the input (Lava and Loihi
    need one a layer). A convention given by name (``reset="subtract"``, ``dt=1e-3``) is taken as known.

    Raises NetworkError, StimulusError, UnknownNameError, and FileError for a path that holds no NIR file.
    """
    known = by_present_names(known)
    for name in known:
        if name not in AXES:
            raise unknown("convention", name, AXES)
    if not 0 <= tolerance < 1:
        raise StimulusError(f"tolerance is {tolerance!r}; give the share of bins that may be wrong, from 0 to below 1")
    return _Search(network, known, graded_input).match(inputs, expected, tolerance, lag, progress)


@dataclass
class _Tried:
    """Combinations that are the same computation, and how many bins they got wrong."""

    network: Network
    points: list[Point] = field(default_factory=list)
    wrong: int = 0


class _Search:
    def __init__(self, network: Network | str | os.PathLike[str], known: Mapping[str, Any], graded_input: bool) -> None:
        self.source, self.graded = network, graded_input
        self.base = self.read(known.get("dt"))
        self.default = self.base.conventions
        self.known = known
        self.ticks = {self.default.dt: "given"} if "dt" in known else tick_lengths(self.base)
        self.networks = {dt: self.base if dt == self.default.dt else self.read(dt) for dt in self.ticks}
        self.axes = [tuple(self.ticks)] + [
            (known[name],) if name in known else choices for name, choices in Conventions.CHOICES.items()
        ]
        self.simulations = 0

    def read(self, dt: float | None) -> Network:
        """The network with delays in ticks of dt, and its own conventions else."""
        if isinstance(self.source, Network):
            conventions = self.source.conventions
            return replace(self.source, conventions=replace(conventions, dt=dt) if dt is not None else conventions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConventionWarning)
            return read_nir(self.source, dt=dt, graded_input=self.graded)

    # ---- the search
    def match(self, inputs: Any, expected: Any, tolerance: float, lag: int, progress: Progress) -> Match:
        sizes = {p.name: p.n for p in self.base.populations if isinstance(p.neuron, HostInput)}
        dense = dense_inputs(inputs, sizes)
        spikes = recorded(self.base, expected, next(iter(dense.values())).shape[:2], lag)
        tried = self.distinct()
        few_inputs, few_spikes = _screen(dense, spikes, lag)
        self.run(tried, few_inputs, few_spikes, lag, "trying conventions", progress)
        bins = sum(array.size for array in few_spikes.values())
        limit = 2 * min(one.wrong for one in tried) + tolerance * bins + SLACK_BINS
        tried = [one for one in tried if one.wrong <= limit]
        if few_spikes is not spikes:
            self.run(tried, dense, spikes, lag, "confirming on all samples", progress)
        bins = sum(array.size for array in spikes.values())
        least = min(one.wrong for one in tried)
        near = sorted({one.wrong for one in tried if least < one.wrong <= tolerance * bins})
        return Match(
            same=tuple(self.alike(tried, least, bins)),
            near=tuple(alike for wrong in near for alike in self.alike(tried, wrong, bins)),
            bins=bins,
            spikes=sum(int((array != 0).sum()) for array in spikes.values()),
            tolerance=tolerance,
            ticks=self.ticks,
            combinations=int(np.prod([len(values) for values in self.axes])),
            simulations=self.simulations,
            notes=tuple(self.notes(dense, spikes)),
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
        """Count the wrong bins of each."""
        for number, one in enumerate(tried):
            progress(stage, number, len(tried))
            with np.errstate(all="ignore"):
                given = simulate(one.network, inputs).spikes
            one.wrong = sum(
                int((given[name][:, : given[name].shape[1] - lag] != array).sum()) for name, array in spikes.items()
            )
            self.simulations += 1

    # ---- the answer
    def alike(self, tried: list[_Tried], wrong: int, bins: int) -> list[Alike]:
        points = [point for one in tried if one.wrong == wrong for point in one.points]
        found = []
        for values in _boxes(points, self.axes):
            given = dict(zip(AXES, values, strict=True))
            pick = replace(
                self.default,
                **{n: getattr(self.default, n) if getattr(self.default, n) in v else v[0] for n, v in given.items()},
            )
            every = dict(zip(AXES, self.axes, strict=True))
            anything = tuple(n for n, v in given.items() if n not in self.known and len(v) == len(every[n]) > 1)
            found.append(Alike(given, anything, pick, self.options(pick), wrong, wrong / bins))
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
            f"--{name.replace('_', '-')} {_quoted(value)}"
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


def _table(rows: tuple[Alike, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("wrong bins", *AXES, "options"):
        table.add_column(column)
    for alike in rows:
        cells = [alike.shown(name) for name in AXES]
        table.add_row(f"{alike.wrong} ({alike.share:.2%})", *cells, alike.options or "none needed")
    return table


def _plain(alike: Alike) -> dict[str, Any]:
    return {
        "wrong": alike.wrong,
        "share": alike.share,
        "any": list(alike.open),
        "options": alike.options,
        **{name: list(values) for name, values in alike.values.items()},
    }


def _word(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _quoted(value: Any) -> str:
    return f"'{value}'" if value in Conventions.CHOICES["spike_if"] else _word(value)
