"""What does not fit in memory is refused before the run; what can be short is not taken for the longest it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES
from fails import fails
from idle import idle, packet

import neuroemu as ne
from neuroemu.engines import footprint
from neuroemu.engines.available import runnable
from neuroemu.engines.kernel import cpu

KIB = 1 << 10


def probed(ticks: int, n: int) -> tuple[ne.Image, np.ndarray]:
    """Two neurons of which one register is probed."""
    lif = ne.Firmware("lif", {"decay_v": 4096, "threshold": 5})
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 2, lif)],
        [ne.Projection("in", "out", np.full((1, 2), 9))],
        outputs=["out"],
        probes=[("out", "v")],
        phases=[ne.Phase(0, ticks)],
    )
    return ne.compile(network, ne.load_chip("generic45")), np.ones((1, n, 1), np.int8)


@pytest.mark.parametrize("engine", runnable())
def test_probes_that_do_not_fit_are_refused_before_the_run(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000,000 ticks of 500 presentations of 2 neurons of 8 bytes are 8 GB, 7.45 GiB."""
    monkeypatch.setattr(footprint, "free_bytes", lambda: 3 << 30)
    image, inputs = probed(1_000_000, 500)
    text = (
        "probes and read-outs of 500 presentations of 1000000 ticks need 7.45 GiB, 3.00 GiB of memory are free; "
        "probe fewer populations, run fewer presentations at a time, or shorten them"
    )
    with fails(ne.RunError, text):
        ne.run(image, inputs, engine=engine)


@pytest.mark.parametrize("free", [20 * 3 * 2 * 8, None])
def test_probes_that_just_fit_are_run(free: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "free_bytes", lambda: free)
    image, inputs = probed(20, 3)
    run = ne.run(image, inputs, engine="python")
    assert run.probes["out", "v"].shape == (3, 20, 2)
    assert run.probes["out", "v"].nbytes == 20 * 3 * 2 * 8


def test_the_least_of_what_limits_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's free memory and swap, the container's limit; nothing where no system tells."""
    meminfo, group = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemTotal: 900 kB\nMemAvailable:   500 kB\nSwapFree: 20 kB\n")
    monkeypatch.setattr(footprint, "MEMINFO", meminfo)
    monkeypatch.setattr(footprint, "GROUP_LIMITS", (group,))
    monkeypatch.setattr(footprint, "_process_free", lambda: None)
    assert footprint.free_bytes() == 520 * KIB
    group.write_text("max\n")
    assert footprint.free_bytes() == 520 * KIB
    group.write_text(f"{300 * KIB}\n")
    assert footprint.free_bytes() == 300 * KIB
    monkeypatch.setattr(footprint, "_process_free", lambda: 7)
    assert footprint.free_bytes() == 7
    meminfo.write_text("of another system")
    assert footprint._machine_free() is None or footprint._machine_free() > 1 << 20  # type: ignore[operator]


def test_the_record_is_no_longer_than_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000,000 ticks in which three neurons might spike, and do in one: the record holds what was sent, not what might be."""
    seen: list[int] = []
    whole = cpu._Batch.arguments

    def arguments(batch: Any, worker: int, low: int, high: int, record: np.ndarray) -> list[Any]:
        seen.append(record.nbytes)
        return whole(batch, worker, low, high, record)

    monkeypatch.setattr(cpu._Batch, "arguments", arguments)
    assert len(ne.run(idle(1_000_000), packet(2), workers=1).spikes) == 6
    assert max(seen) == cpu.RECORD * 5 * 4 < 3 * 1_000_000 * 5 * 4


@pytest.mark.parametrize("name", ["layered", "graded", "patient"])
def test_a_record_that_grows_changes_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one packet at first it grows many times in every presentation, learning and phases until quiet included."""
    case = CASES[name](np.random.default_rng([5, *name.encode()]))
    image, how = case.image(), {"plastic": case.plastic, "commit_every": case.commit_every, "seed": 3}
    expected = ne.run(image, case.stimulus(), engine="python", **how)  # type: ignore[arg-type]
    lengths: list[int] = []
    whole = cpu._Batch.record

    def record(batch: Any, n: int) -> Any:
        made = whole(batch, n)
        lengths.append(made.shape[1])
        return made

    monkeypatch.setattr(cpu._Batch, "record", record)
    monkeypatch.setattr(cpu, "RECORD", 1)
    for workers in (1, 2):
        run = ne.run(image, case.stimulus(), workers=workers, **how)  # type: ignore[arg-type]
        assert set(lengths) <= {0, 1}
        assert np.median(np.bincount(run.spikes.presentation)) > 5, "more than there is room for, in most presentations"
        assert expected.differs(run) is None
