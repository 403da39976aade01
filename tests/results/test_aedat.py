"""Recordings as AEDAT 2.0, read back by the format's own rules."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from fails import fails
from recordings import HEADER, drawn, record, rows, written

import neuroemu as ne
from neuroemu.cli.main import cli
from neuroemu.results.recording import write_recording


def read(path: Path) -> tuple[list[bytes], np.ndarray]:
    """Comment lines, and pairs of address and time: as jAER's AEFileInputStream has them."""
    content, lines = path.read_bytes(), []
    while content[:1] == b"#":
        line, content = content.split(b"\r\n", 1)
        lines.append(line)
    return lines, np.frombuffer(content, ">u4").reshape(-1, 2).astype(np.int64)


def test_spikes_and_input_become_events_in_order_of_time(tmp_path: Path) -> None:
    case, image = drawn("delayed")
    run = record(case, image, "python", tmp_path / "x.aer")
    n = ne.to_aedat2(tmp_path / "x.aer", tmp_path / "x.aedat", tick_us=250)
    lines, events = read(tmp_path / "x.aedat")
    assert n == len(events) == len(run.spikes) + np.count_nonzero(case.inputs) > len(run.spikes) > 0
    assert (lines[0], lines[-1]) == (b"#!AER-DAT2.0", b"#End Of ASCII Header")
    assert b"# neuroemu: addresses 14..24 are 'a'" in lines
    assert np.all(np.diff(events[:, 1]) >= 0)
    spikes = events[events[:, 0] >= 14]
    expected = (run.spikes.presentation * run.ticks + run.spikes.tick) * 250
    assert np.array_equal(spikes, np.stack([run.spikes.neuron, expected], axis=1))


def test_one_population_is_numbered_from_0(tmp_path: Path) -> None:
    case, image = drawn("layered")
    run = record(case, image, "python", tmp_path / "x.aer")
    n = ne.to_aedat2(ne.open_recording(tmp_path / "x.aer"), tmp_path / "x.aedat", population="hidden")
    _, events = read(tmp_path / "x.aedat")
    assert n == len(events) == np.count_nonzero(run.raster("hidden")) > 0
    assert set(events[:, 0].tolist()) <= set(range(12))


def test_time_that_would_wrap_is_refused_and_the_last_that_does_not_is_written(tmp_path: Path) -> None:
    path, out = tmp_path / "x.aer", tmp_path / "x.aedat"
    header = msgspec.structs.replace(HEADER, presentations=1 << 20, ticks=1 << 11)
    last = rows(1)
    last["presentation"], last["tick"], last["payload"] = (1 << 20) - 1, (1 << 11) - 1, 1
    with write_recording(path, header) as writer:
        writer.append(last)
    assert ne.to_aedat2(path, out, tick_us=1) == 1
    assert read(out)[1].tolist() == [[4, (1 << 31) - 1]]
    for tick_us in (2, 0):
        with fails(
            ne.FileError,
            f"{out}: 2147483648 ticks of {tick_us} us do not fit AEDAT 2.0, which counts from 0 to 2147483647 us; take from 1 to 1 us a "
            "tick, or record fewer presentations",
        ):
            ne.to_aedat2(path, out, tick_us=tick_us)


def test_payloads_are_not_lost_in_silence(tmp_path: Path) -> None:
    path = written(tmp_path / "x.aer", 9, msgspec.structs.replace(HEADER, presentations=2))
    with fails(
        ne.FileError,
        f"{tmp_path / 'x.aedat'}: a packet of out[0] carries payload -40, AEDAT 2.0 has none; write the addresses alone with "
        "drop_payloads=True (--drop-payloads)",
    ):
        ne.to_aedat2(path, tmp_path / "x.aedat")
    assert not (tmp_path / "x.aedat").exists()
    assert ne.to_aedat2(path, tmp_path / "x.aedat", drop_payloads=True) == 9
    with fails(ne.UnknownNameError, "no population named 'ot'; did you mean 'out'? there are: in, out"):
        ne.to_aedat2(path, tmp_path / "x.aedat", population="ot")
    with fails(
        ne.UnknownNameError,
        "no channel named 'spikes'; did you mean 'spike'? there are: spike, error, probe, inhibit, input, target",
    ):
        ne.to_aedat2(path, tmp_path / "x.aedat", channels=["spikes"])


def test_export_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "x.aer", 9, msgspec.structs.replace(HEADER, presentations=2))
    out = tmp_path / "x.aedat"
    cli(["export", str(path), str(out), "--drop-payloads", "--tick-us", "10", "--json"], standalone_mode=False)
    assert msgspec.json.decode(capsys.readouterr().out) == {"events": 9, "output": str(out)}
    assert read(out)[1][:, 1].tolist() == [0, 0, 0, 0, 10, 10, 10, 10, 20]
