"""What match found: sets of conventions that do equally well, what they cannot be told apart by, and how it is shown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich import box
from rich.table import Table

from neuroemu.inspect.match_layers import MOST_SIMULATIONS, Layered
from neuroemu.inspect.score import Score
from neuroemu.network.conventions import Conventions
from neuroemu.network.network import FLOAT_MODELS, Network
from neuroemu.results.report import as_text

AXES = ("dt", *Conventions.CHOICES)
"""Conventions that are tried, in the order of a Point."""
SHOWN_NEAR = 12


@dataclass(frozen=True)
class Alike:
    """Combinations with equally many wrong spikes: any of ``values[name]`` may stand for convention ``name``.

    ``open`` names the conventions of which every value tried may stand; ``pick`` is one combination of them, with the
    network's own values where those are among them, and ``options`` says it on the command line.
    """

    values: Mapping[str, tuple[Any, ...]]
    open: tuple[str, ...]
    pick: Conventions
    options: str
    score: Score

    @property
    def wrong(self) -> int:
        """Spikes missed or too many."""
        return self.score.wrong

    @property
    def share(self) -> float:
        """The wrong spikes over the recorded ones."""
        return self.score.share

    def shown(self, name: str) -> str:
        """The values of a convention in words."""
        return "any" if name in self.open else ", ".join(word(value) for value in self.values[name])


@dataclass(frozen=True)
class Match:
    """``same`` are the combinations with the fewest wrong spikes, which the recording cannot tell apart; ``near`` have more, yet
    no more than ``tolerance`` (a share of the recorded ``spikes``). ``ticks`` says why each dt was tried. ``layered`` is there where
    none of them gives the recording: conventions by population. ``bins`` are the (tick, sample, neuron) that were compared.
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
    layered: Layered | None = None

    @property
    def matched(self) -> bool:
        """Whether the best conventions are within the tolerance."""
        return self.best.share <= self.tolerance

    @property
    def best(self) -> Score:
        """The best score: of one set of conventions for all, or layer by layer."""
        return min([self.same[0].score, *([self.layered.score] if self.layered else [])])

    @property
    def by_layer(self) -> Layered | None:
        """The conventions layer by layer, if they do better than one set for all."""
        return self.layered if self.layered and self.layered.score < self.same[0].score else None

    @property
    def options(self) -> str:
        """The best conventions on the command line."""
        words = [self.same[0].options] if self.same[0].options else []
        for node, given in (self.by_layer.nodes if self.by_layer else {}).items():
            words += [f"--{name.replace('_', '-')} {quoted(f'{node}={value}')}" for name, value in given.items()]
        return " ".join(words)

    def applied(self, network: Network) -> Network:
        """The network with the best conventions."""
        found = replace(network, conventions=self.conventions)
        nodes = self.by_layer.nodes if self.by_layer else {}
        return replace(
            found, populations=tuple(replace(p, conventions=nodes.get(p.name, {})) for p in found.populations)
        )

    @property
    def conventions(self) -> Conventions:
        """The best set for all populations; ``applied`` gives a network with it, and with what differs layer by layer."""
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
            "layers": self.by_layer.nodes if self.by_layer else {},
            "missed": self.best.missed,
            "extra": self.best.extra,
            "options": self.options,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return as_text(self.renderables())

    def renderables(self) -> Iterable[Table | str]:
        """Tables and lines, in the order they are printed."""
        best = self.same[0]
        if best.share <= self.tolerance:
            yield f"reproduced: {best.score}; these conventions cannot be told apart:"
        else:
            which = "the nearest for all layers" if self.layered else "the nearest"
            yield f"no conventions for all layers are wrong in at most {self.tolerance:.2%} of the spikes; {which}: {best.score}"
        yield _table(self.same)
        if self.layered is not None:
            yield from self._layers(self.layered)
        if self.no_difference:
            yield f"any: makes no difference here ({', '.join(self.no_difference)})"
        if self.near:
            yield f"worse, but within {self.tolerance:.2%} of the spikes:"
            yield _table(self.near[:SHOWN_NEAR])
            if len(self.near) > SHOWN_NEAR:
                yield f"and {len(self.near) - SHOWN_NEAR} more"
        yield f"tried {self.combinations} combinations in {self.simulations} simulations, with dt of " + "; ".join(
            f"{word(dt)} ({why})" for dt, why in self.ticks.items()
        )
        yield from (f"note: {note}" for note in self.notes)

    def _layers(self, layered: Layered) -> Iterator[Table | str]:
        """What was found layer by layer."""
        if self.by_layer is None:
            yield f"layer by layer nothing does better, in {layered.simulations} simulations"
        else:
            yield f"{'reproduced' if self.matched else 'better'} layer by layer: {layered.score}; options: {self.options}"
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
            for column in ("layer", *Conventions.CHOICES):
                table.add_column(column)
            for population in layered.network.populations:
                if type(population.neuron) in FLOAT_MODELS:
                    said = layered.network.conventions_of(population.name)
                    table.add_row(population.name, *(word(getattr(said, name)) for name in Conventions.CHOICES))
            yield table
        if layered.untried:
            yield f"not all tried, for {MOST_SIMULATIONS} simulations were made: layers {', '.join(layered.untried)}"


def _table(rows: tuple[Alike, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("wrong spikes", *AXES, "options"):
        table.add_column(column)
    for alike in rows:
        cells = [alike.shown(name) for name in AXES]
        table.add_row(f"{alike.wrong} ({alike.share:.2%})", *cells, alike.options or "none needed")
    return table


def _plain(alike: Alike) -> dict[str, Any]:
    return {
        "wrong": alike.wrong,
        "missed": alike.score.missed,
        "extra": alike.score.extra,
        "share": alike.share,
        "any": list(alike.open),
        "options": alike.options,
        **{name: list(values) for name, values in alike.values.items()},
    }


def word(value: Any) -> str:
    """A value as tables show it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def quoted(value: Any) -> str:
    """A value as a shell takes it."""
    return shlex.quote(word(value))
