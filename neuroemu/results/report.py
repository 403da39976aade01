"""Price a run: counts times datasheet, exactly, in integer femtojoules; every row says where its number comes from.

What no source states is *unknown*: it is listed, never counted as zero, and the total is then "at least".
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from neuroemu.chip.chip import Chip, parse_chip
from neuroemu.chip.datasheet import BASES, EVENTS, Figure
from neuroemu.results.counts import LEARNING, Counts
from neuroemu.results.report_learning import learning_lines
from neuroemu.results.report_time import lines
from neuroemu.results.report_units import FJ, PS, amount
from neuroemu.results.run import Run
from neuroemu.results.timing import Timing

NW_PS_PER_FJ = 10**6
WIDTH = 118
"""Columns of the report as text."""


def as_text(parts: Iterable[Table | str]) -> str:
    """Tables and lines as plain text, lines unbroken."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, highlight=False, soft_wrap=True)
    for part in parts:
        console.print(part)
    return text.getvalue()


@dataclass(frozen=True)
class Row:
    """One kind of event: how often it happened, what one costs, what all cost, and where the price comes from.

    ``learning`` of them are learning's: they happened in a learning phase, or follow from a modulator or a hook that evaluation skips.
    """

    event: str
    unit: str
    count: int
    price_fj: int | None
    energy_fj: int | None
    basis: str
    source: str
    note: str
    learning: int = 0


@dataclass(frozen=True)
class Report:
    """What a run cost on a chip. Totals are for all presentations; ``n`` divides them into inferences."""

    chip: str
    engine: str
    n: int
    ticks: int
    rows: tuple[Row, ...]
    sources: dict[str, str]
    bound_ps: int | None
    """No run of these counts is faster: the busiest core's work and the barriers. None if the datasheet has no times."""
    bound_missing: tuple[str, ...]
    timing: Timing | None
    """What the timing model found; None if it did not run, or the datasheet states no times."""
    static_nw: int | None
    static_basis: str
    activity: tuple[tuple[str, int, float, float], ...]
    """Population, neurons, spikes an inference, share of neuron-ticks with a spike."""
    usage: tuple[tuple[int, str, int, int | None], ...]
    """Core, limit, used, allowed."""
    saturations: dict[str, int]
    dropped: int
    notes: tuple[str, ...]
    accuracy: float | None = None

    @cached_property
    def total_fj(self) -> int:
        """Energy of every event that has a price."""
        return sum(row.energy_fj or 0 for row in self.rows)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Events that happened and that no source prices: with any, the total is a lower bound."""
        return tuple(row.event for row in self.rows if row.basis == "unknown")

    @cached_property
    def by_basis(self) -> dict[str, int]:
        """Energy by provenance, in femtojoules."""
        return _grouped(((row.basis, row.energy_fj) for row in self.rows), BASES)

    @cached_property
    def by_unit(self) -> dict[str, int]:
        """Energy by hardware unit, in femtojoules."""
        return _grouped(
            ((row.unit, row.energy_fj) for row in self.rows), tuple(dict.fromkeys(e.unit for e in EVENTS.values()))
        )

    @cached_property
    def by_part(self) -> dict[str, int]:
        """Energy of inference and of learning, in femtojoules (see ``Row.learning``)."""
        learning = learning_fj(self.rows)
        return {"inference": self.total_fj - learning, "learning": learning}

    @cached_property
    def learning_by_basis(self) -> dict[str, int]:
        """Learning's energy by provenance, in femtojoules."""
        return _grouped(((row.basis, row.learning * (row.price_fj or 0)) for row in self.rows), BASES)

    @property
    def updates(self) -> int:
        """Weights that learning wrote."""
        return sum(row.count for row in self.rows if row.event == "weight_update")

    @property
    def static_fj(self) -> int | None:
        """Static energy over the modelled time, else over the bound, rounded to a femtojoule."""
        ps = self.time_ps if self.time_ps is not None else self.bound_ps
        if self.static_nw is None or ps is None:
            return None
        return (self.static_nw * ps + NW_PS_PER_FJ // 2) // NW_PS_PER_FJ

    @property
    def time_ps(self) -> int | None:
        """The modelled time of the whole run."""
        return None if self.timing is None else self.timing.time_ps

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "chip": self.chip,
            "engine": self.engine,
            "inferences": self.n,
            "ticks": self.ticks,
            "accuracy": self.accuracy,
            "energy_fj": self.total_fj,
            "at_least": bool(self.unknown),
            "unknown": list(self.unknown),
            "energy_by_basis_fj": self.by_basis,
            "energy_by_unit_fj": self.by_unit,
            "energy_by_part_fj": self.by_part,
            "learning_by_basis_fj": self.learning_by_basis,
            "weight_updates": self.updates,
            "learning_fj_per_weight_update": self.by_part["learning"] / self.updates if self.updates else None,
            "static_nw": self.static_nw,
            "static_fj": self.static_fj,
            "time_bound_ps": self.bound_ps,
            "time_bound_missing": list(self.bound_missing),
            "time_ps": self.time_ps,
            "timing": None if self.timing is None else self.timing.as_dict(),
            "rows": [vars(row) for row in self.rows],
            "activity": [
                dict(zip(("population", "neurons", "spikes", "share"), a, strict=True)) for a in self.activity
            ],
            "usage": [dict(zip(("core", "limit", "used", "allowed"), u, strict=True)) for u in self.usage],
            "saturations": self.saturations,
            "dropped": self.dropped,
            "notes": list(self.notes),
            "sources": self.sources,
        }

    def __repr__(self) -> str:
        least = "at least " if self.unknown else ""
        return f"Report({self.chip!r}, {self.n} inferences, {least}{amount(self.total_fj / max(self.n, 1), FJ)} each)"

    def __str__(self) -> str:
        console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False)
        for part in self.renderables():
            console.print(part)
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    def renderables(self) -> Iterable[Table | str]:
        """The report as tables and lines."""
        yield f"{self.chip}: {self.n} inference{'s' if self.n != 1 else ''} of {self.ticks} ticks (engine {self.engine})"
        yield self._events()
        yield from self._totals()
        if self.timing is not None:
            yield from lines(self.timing)
        yield self._populations()
        yield self._cores()
        for register, n in self.saturations.items():
            yield f"warning: {register} did not fit its register {n} times"
        if self.dropped:
            yield f"{self.dropped} deliveries were still under way at the end of their presentation and were dropped"
        yield from (f"note: {note}" for note in self.notes)
        used = {row.source for row in self.rows if row.source}
        yield from (f"[{key}] {text}".replace("[", r"\[", 1) for key, text in self.sources.items() if key in used)

    def _events(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name, side in (("event", "left"), ("unit", "left"), ("per inference", "right"), ("each", "right"), ("energy", "right"),
                           ("basis", "left"), ("source", "left")):  # fmt: skip
            table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
        for row in self.rows:
            energy = (
                amount(row.energy_fj / self.n, FJ)
                if row.energy_fj is not None
                else ("unknown" if row.basis == "unknown" else "")
            )
            price = amount(row.price_fj, FJ) if row.price_fj is not None else ""
            table.add_row(row.event, row.unit, f"{row.count / self.n:,.1f}", price, energy, row.basis, row.source)
        return table

    def _totals(self) -> Iterable[str]:
        least = "at least " if self.unknown else ""
        missing = f", unknown: {', '.join(self.unknown)}" if self.unknown else ""
        yield f"energy per inference: {least}{amount(self.total_fj / self.n, FJ)}{missing}"
        yield "  by provenance: " + self._split(self.by_basis)
        yield "  by unit: " + self._split(self.by_unit)
        yield from learning_lines(self.by_part, self.n, self.updates, self._split(self.learning_by_basis))
        if self.bound_ps is None:
            yield f"time per inference: unknown ({self.chip} states no times)"
        else:
            without = f", without {', '.join(self.bound_missing)}" if self.bound_missing else ""
            yield f"time per inference: at least {amount(self.bound_ps / self.n, PS)} (analytic bound{without})"
        if self.timing is not None:
            least = "at least " if self.timing.unknown else ""
            yield f"  on the network-on-chip's timing model: {least}{amount(self.timing.time_ps / self.n, PS)}"
        if self.static_fj is not None and self.static_nw is not None:
            yield (
                f"static energy per inference: at least {amount(self.static_fj / self.n, FJ)} "
                f"({self.static_nw / 10**6:g} mW over that time, {self.static_basis}), not in the total"
            )
        if self.accuracy is not None:
            yield f"accuracy: {self.accuracy:.2%}"

    def _split(self, parts: dict[str, int]) -> str:
        whole = max(self.total_fj, 1)
        return (
            ", ".join(f"{name} {amount(fj / self.n, FJ)} ({fj / whole:.0%})" for name, fj in parts.items())
            or "nothing priced"
        )

    def _populations(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("population")
        for name in ("neurons", "spikes per inference", "active neuron-ticks"):
            table.add_column(name, justify="right")
        for name, n, spikes, share in self.activity:
            table.add_row(name, str(n), f"{spikes:,.1f}", f"{share:.2%}")
        return table

    def _cores(self) -> Table:
        cores = len({core for core, *_ in self.usage})
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column(f"fullest of {cores} core{'s' if cores != 1 else ''}")
        table.add_column("used", justify="right")
        table.add_column("of", justify="right")
        fullest: dict[str, tuple[int, int | None]] = {}
        for _, limit, used, allowed in self.usage:
            if used >= fullest.get(limit, (-1, None))[0]:
                fullest[limit] = (used, allowed)
        for limit, (used, allowed) in fullest.items():
            table.add_row(
                limit.replace("_", " "), f"{used:,}", f"{allowed:,} ({used / allowed:.0%})" if allowed else "no limit"
            )
        return table


def report(run: Run, *, prices: Chip | None = None, accuracy: float | None = None) -> Report:
    """Price a run with the chip it was compiled for, or openly with another one's ``prices``."""
    own = parse_chip(run.chip_text, run.chip_path)
    chip = prices or own
    rows = price(run.counts, chip)
    bound, missing = _time_bound(run, chip)
    static = chip.sheet.power.static
    return Report(
        chip=own.name if prices is None else f"{own.name} priced as {chip.name}",
        engine=run.engine,
        n=run.n,
        ticks=run.ticks,
        rows=rows,
        sources=dict(chip.sheet.sources),
        bound_ps=bound,
        bound_missing=missing,
        timing=run.timing if prices is None and bound is not None else None,
        static_nw=chip.static_nw(),
        static_basis=f"{static.basis}, {static.source}" if static else "",
        activity=tuple(_activity(run)),
        usage=tuple(
            (core, limit, used, own.limit(limit)) for core, held in run.usage.items() for limit, used in held.items()
        ),
        saturations=run.counts.by_owner("saturation"),
        dropped=run.counts["dropped"],
        notes=(*run.notes, *_patience(run)),
        accuracy=accuracy,
    )


def _patience(run: Run) -> tuple[str, ...]:
    """A note where phases last until quiet."""
    if run.lengths is None:
        return ()
    low, mean, high = run.lengths.min(initial=run.ticks), run.lengths.mean(), run.ticks
    return (f"phases last until quiet: presentations took {low} to {high} ticks, {mean:.1f} in the mean",)


def price(counts: Counts, chip: Chip) -> tuple[Row, ...]:
    """Every kind of event that happened, priced: nothing but the counts matters, whatever runs they come from."""
    totals: Counter[str] = Counter({key: counts[key] for key in counts.names})
    for part in ("", LEARNING):
        totals[f"{part}send"] = sum(n for key, n in totals.items() if key.startswith(f"{part}send_"))
    return tuple(
        replace(_row(chip, event, totals[event]), learning=totals[LEARNING + event])
        for event in EVENTS
        if totals[event]
    )


def learning_fj(rows: Iterable[Row]) -> int:
    """What of the energy is learning."""
    return sum(row.learning * (row.price_fj or 0) for row in rows)


def _row(chip: Chip, event: str, count: int) -> Row:
    figure: Figure | None = getattr(chip.sheet.energy, event)
    unit = EVENTS[event].unit
    if figure is None:
        return Row(event, unit, count, None, None, "unknown", "", "")
    if figure.not_applicable:
        return Row(event, unit, count, None, None, "not applicable", figure.source, figure.note)
    if figure.included_in:
        return Row(event, unit, count, None, None, f"in {figure.included_in}", figure.source, figure.note)
    price = chip.energy_fj(event)
    assert price is not None
    return Row(event, unit, count, price, price * count, str(figure.basis), figure.source, figure.note)


def _time_bound(run: Run, chip: Chip) -> tuple[int | None, tuple[str, ...]]:
    """A lower bound of the run's time: on every core the send side and the receive side work one thing after another."""
    sides = (("soma_active", "soma_idle", "send", "packet"), ("axon_in", "synop"))
    missing, busiest, known = [], 0, False
    for side in sides:
        busy: Counter[int] = Counter()
        for event in side:
            keys = [k for k in run.counts.names if k.startswith("send_")] if event == "send" else [event]
            ps = chip.time_ps(event)
            if ps is None:
                missing += [event] if any(run.counts[key] for key in keys) else []
                continue
            known = True
            for key in keys:
                for core, n in run.counts.by_core(key).items():
                    busy[core] += n * ps
        busiest = max(busiest, max(busy.values(), default=0))
    barrier = chip.barrier_ps(run.n_tiles)
    if barrier is None:
        missing.append("barrier")
    if not known and barrier is None:
        return None, tuple(missing)
    return busiest + run.counts["barrier"] * (barrier or 0), tuple(missing)


def _activity(run: Run) -> Iterable[tuple[str, int, float, float]]:
    sent = run.counts.by_owner("send_spike")
    hosts = run.counts.by_owner("soma_active").keys() | run.counts.by_owner("soma_idle").keys()
    for name, layer in run.layers.items():
        if name in hosts:
            spikes = sent.get(name, 0)
            updates = sum(run.counts.by_owner(key).get(name, 0) for key in ("soma_active", "soma_idle"))
            yield name, layer.n, spikes / run.n, spikes / updates


def _grouped(pairs: Iterable[tuple[str, int | None]], order: tuple[str, ...]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, fj in pairs:
        found[name] += fj or 0
    return {name: found[name] for name in order if found[name]}
