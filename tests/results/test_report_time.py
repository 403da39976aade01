"""What a datasheet does not state is unknown in a report of times, not 0.0 %."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rich.table import Table

from neuroemu.results.report import as_text
from neuroemu.results.report_time import lines
from neuroemu.results.timing import CoreTime, LinkTime, Timing

TIMING = Timing(
    tick_ps=np.array([[6000, 4000]]),
    packets=30,
    latency_ps={50: 20, 100: 90},
    cores={-1: CoreTime(10, 0, 0, 0, 0), 0: CoreTime(20, 30, 5000, 100, 0)},
    links={"core 0 east": LinkTime(20, 20, 40, 60), "into core 0": LinkTime(30, 2500, 0, 0)},
    held_by={"core 0 sending": 2},
    unknown=(),
)


def rows(timing: Timing) -> list[list[str]]:
    parts: list[Table | str] = list(lines(timing))
    return [[cell for cell in line.split("  ") if cell.strip()] for line in as_text(parts).splitlines() if line.strip()]


def cells(timing: Timing, name: str) -> list[str]:
    return next([cell.strip() for cell in row[1:]] for row in rows(timing) if row[0].strip() == name)


def test_stated_times_give_shares() -> None:
    assert cells(TIMING, "core 0 east") == ["20", "0.2%", "0.0 ns", "0.0 ns"]
    assert cells(TIMING, "into core 0") == ["30", "25.0%", "0.0 ns", "0.0 ns"]
    assert cells(TIMING, "core 0") == ["20", "30", "50.0%", "0.0%", "1.0%"]
    assert not any("unknown" in cell for row in rows(TIMING) for cell in row)


def test_an_unstated_flit_makes_busy_unknown() -> None:
    timing = replace(TIMING, unknown=("flit",))
    assert cells(timing, "core 0 east")[1] == cells(timing, "into core 0")[1] == "unknown"
    assert ["busy unknown: flit not stated"] in rows(timing)


def test_unstated_work_makes_a_share_unknown() -> None:
    """The host sent 10 packets in no time, core 0 served 30: it cannot have taken none."""
    timing = replace(TIMING, unknown=("host_packet", "axon_in", "synop"))
    assert cells(timing, "host") == ["10", "0", "unknown", "0.0%", "0.0%"]
    assert cells(timing, "core 0") == ["20", "30", "50.0%", "unknown", "1.0%"]
