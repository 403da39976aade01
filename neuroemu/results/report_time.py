"""A run's timing as text: what a tick takes, what held it up, which links and cores are busiest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich import box
from rich.table import Table

from neuroemu.results.timing import PERCENTILES, Timing

SHOWN = 5
"""Links, cores and holders listed."""


def nanoseconds(ps: float) -> str:
    """A time in the unit of on-chip latencies."""
    return f"{ps / 1000:,.1f} ns"


def lines(timing: Timing) -> Iterable[Table | str]:
    """Tables and lines."""
    ticks = np.sort(timing.tick_ps.ravel())[
        -sum(timing.held_by.values()) :
    ]  # without those after a presentation was quiet
    yield (
        f"tick on the network-on-chip: mean {nanoseconds(float(ticks.mean()))}, "
        + ", ".join(f"{p} % within {nanoseconds(float(np.percentile(ticks, p, method='higher')))}" for p in PERCENTILES)
    )
    if timing.latency_ps:
        yield f"packet's way from push to service ({timing.packets:,} packets): " + ", ".join(
            f"{p} % within {nanoseconds(ps)}" for p, ps in timing.latency_ps.items()
        )
    held = sorted(timing.held_by.items(), key=lambda item: -item[1])
    more = f", {len(held) - SHOWN} others" if len(held) > SHOWN else ""
    yield "ticks held by " + ", ".join(f"{who} ({n / ticks.size:.0%})" for who, n in held[:SHOWN]) + more
    yield _links(timing)
    if "flit" in timing.unknown:
        yield "busy unknown: flit not stated"
    yield _cores(timing)
    if timing.unknown:
        yield f"times the datasheet lacks, taken as the least the model allows: {', '.join(timing.unknown)}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k, name in enumerate(columns):
        table.add_column(name, justify="right" if k else "left", no_wrap=True)
    return table


def _links(timing: Timing) -> Table:
    table = _table(f"busiest of {len(timing.links)} links", "packets", "busy", "mean wait", "mean stall")
    whole = max(timing.time_ps, 1)
    unknown = "flit" in timing.unknown  # counted as 1 ps, so that every link would be 0.0 % busy
    for name, link in sorted(timing.links.items(), key=lambda item: -item[1].busy_ps)[:SHOWN]:
        wait, stall = link.wait_ps / link.packets, link.stall_ps / link.packets
        busy = "unknown" if unknown else f"{link.busy_ps / whole:.1%}"
        table.add_row(name, f"{link.packets:,}", busy, nanoseconds(wait), nanoseconds(stall))
    return table


def _cores(timing: Timing) -> Table:
    table = _table(f"busiest of {len(timing.cores) - 1} cores", "sent", "taken in", "sending", "serving", "stalled")
    whole = max(timing.time_ps, 1)
    for core, at in sorted(timing.cores.items(), key=lambda item: -(item[1].send_ps + item[1].service_ps))[:SHOWN]:
        works = ((at.send_ps, at.sent), (at.service_ps, at.taken), (at.stall_ps, 0))
        shares = ("unknown" if n and not ps and timing.unknown else f"{ps / whole:.1%}" for ps, n in works)
        table.add_row("host" if core < 0 else f"core {core}", f"{at.sent:,}", f"{at.taken:,}", *shares)
    return table
