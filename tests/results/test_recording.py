"""Recordings: every packet of a run in a file, written and read in bounded memory, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgpack
import msgspec
import numpy as np
import pytest
from cases import CASES, Rng
from children import child
from fails import fails
from recordings import HEADER, changed_threshold, drawn, record, rows, whole, written

import neuroemu as ne
from neuroemu.chip.aer import CHANNELS, Address, KeyLayout
from neuroemu.results import packets as packets_module
from neuroemu.results.packets import sends
from neuroemu.results.recording import BLOCK, NOWHERE, write_recording


# ---- what is in it
@pytest.mark.parametrize("name", CASES)
def test_a_recording_holds_what_neurons_and_the_host_sent(name: str, tmp_path: Path) -> None:
    case, image = drawn(name)
    run = record(case, image, "python", tmp_path / "x.aer")
    assert len(run.spikes) > 0
    source = ne.open_recording(tmp_path / "x.aer")
    once = np.concatenate(list(sends(source)))
    sent = once[once["channel"] < 4]
    for field, column in zip(ne.Spikes.FIELDS, ("presentation", "tick", "channel", "source", "payload"), strict=True):
        assert np.array_equal(getattr(run.spikes, field), sent[column].astype(np.int64))
    host = once[once["channel"] == 4]
    place = next(place for place in source.header.layers.values() if place.role == "input")
    dense = np.zeros_like(case.inputs)
    dense[host["tick"], host["presentation"], host["source"] - place.id0] = host["payload"]
    assert np.array_equal(dense, case.inputs)
    assert len(host) == np.count_nonzero(case.inputs) > 0
    told = once[once["channel"] == 5]
    assert len(told) == sum(values.size for values in (case.values or {}).values())
    for values in (case.values or {}).values():
        assert np.array_equal(told["payload"].astype(np.int64), values.ravel())
    assert (source.header.image, source.header.stimulus) == (run.image_digest, run.stimulus_digest)


@pytest.mark.parametrize("name", CASES)
def test_keys_are_those_the_routing_tables_give(name: str, tmp_path: Path) -> None:
    """Encoded here field by field, for one send after the other, as the engine whose packets travel counts them."""
    case, image = drawn(name, 1)
    run = record(case, image, "event", tmp_path / "x.aer")
    source = ne.open_recording(tmp_path / "x.aer")
    layout, expected = KeyLayout.of(source.header.key), Counter[tuple[int, int, int]]()
    names = {number: channel for channel, number in CHANNELS.items()}
    for packet in (packet for block in sends(source) for packet in block if packet["channel"] < 5):
        sender, channel = int(packet["source"]), names[int(packet["channel"])]
        number, population = next((k, p) for k, p in enumerate(image.populations) if sender < p.id0 + p.n)
        indptr, axons = image.routing.entries.get(
            (number, channel), (np.zeros(population.n + 1, int), np.zeros(0, int))
        )
        neuron = sender - population.id0
        for axon in axons[indptr[neuron] : indptr[neuron + 1]]:
            core, index = int(image.routing.axon_core[axon]), int(image.routing.axon_index[axon])
            address = Address(int(packet["channel"]), 0, core, index)
            expected[sender, layout.encode(address), int(packet["payload"])] += 1
    found = whole(source)
    travelled = found[(found["channel"] < 5) & (found["key"] != NOWHERE)]
    assert Counter(zip(*(travelled[field].tolist() for field in ("source", "key", "payload")), strict=True)) == expected
    told = np.count_nonzero(found["channel"] == 5)
    assert len(travelled) + told == run.counts["packet"] + run.counts["host_packet"] > 0


def test_a_packet_to_several_cores_is_a_row_for_each(tmp_path: Path) -> None:
    case = CASES["delayed"](np.random.default_rng(0))
    image = case.image({"a": [(0, 5), (63, 6)], "b": [(7, 8)]})
    run = record(case, image, "python", tmp_path / "x.aer")
    source = ne.open_recording(tmp_path / "x.aer")
    assert len(whole(source)) == run.counts["packet"] + run.counts["host_packet"]
    assert len(whole(source)) > sum(len(block) for block in sends(source)) > len(run.spikes) > 0


def test_a_modulator_tells_a_neuron_at_its_slot(tmp_path: Path) -> None:
    case = CASES["graded"](np.random.default_rng(0))
    record(case, case.image({"h": [(5, 4), (2, 3)]}), "python", tmp_path / "x.aer")
    found = whole(ne.open_recording(tmp_path / "x.aer"))
    told = found[(found["channel"] == 5) & (found["presentation"] == 2)]
    assert told["tick"].tolist() == [9] * 7
    assert [(key >> 23 & 63, key & 0x7FFFFF) for key in told["key"].tolist()] == [
        *((5, slot) for slot in range(4)),
        *((2, slot) for slot in range(3)),
    ]


def test_the_file_is_as_documented(tmp_path: Path) -> None:
    path = written(tmp_path / "x.aer", BLOCK + 3)
    stream = msgpack.Unpacker(max_bin_len=1 << 20)
    stream.feed(path.read_bytes())
    header, first, second, end = stream
    assert (header["format"], header["version"]) == ("neuroemu.aer", 1)
    assert header["layers"] == {"in": [0, [4], 0, "input"], "out": [4, [6], 1, "chip"]}
    assert (header["ticks"], header["rows"], header["lag"], header["image"]) == (50, 40, 1, "0" * 64)
    sha = hashlib.sha256(msgpack.packb(header))
    for n, *columns, check in (first, second):
        sha.update(b"".join(columns))
        assert check == sha.digest()[:8]
        assert [len(column) for column in columns] == [4 * n, 4 * n, n, 4 * n, 4 * n, 4 * n]
    assert (first[0], second[0]) == (BLOCK, 3)
    assert end == {"packets": BLOCK + 3, "sha256": sha.digest()}
    payload = np.concatenate([np.frombuffer(block[6], "<i4") for block in (first, second)])
    assert np.array_equal(payload, rows(BLOCK + 3)["payload"])


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_pieces_do_not_matter(n: int, tmp_path: Path) -> None:
    written(tmp_path / "one.aer", n)
    rng: Rng = np.random.default_rng(n)
    cuts = [0, *np.sort(rng.integers(0, n + 1, 7)), n]
    with write_recording(tmp_path / "many.aer", HEADER) as writer:
        for low, high in itertools.pairwise(cuts):
            writer.append(rows(int(high - low), int(low)))
    assert (tmp_path / "one.aer").read_bytes() == (tmp_path / "many.aer").read_bytes()
    source = ne.open_recording(tmp_path / "many.aer")
    assert np.array_equal(whole(source), rows(n))
    assert source.packets == n
    assert np.array_equal(whole(source), rows(n)), "it can be read again"


def test_windows_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("graded", "delayed"):
        case, image = drawn(name)
        run = record(case, image, "python", tmp_path / "wide.aer")
        assert len(run.spikes) > 100
        monkeypatch.setattr(packets_module, "WINDOW", 7)
        record(case, image, "python", tmp_path / "narrow.aer")
        monkeypatch.undo()
        assert (tmp_path / "wide.aer").read_bytes() == (tmp_path / "narrow.aer").read_bytes()


# ---- bounded memory
def test_two_million_packets_take_little_memory(tmp_path: Path) -> None:
    n, piece = 2_000_000, 50_000
    tracemalloc.start()
    try:
        with write_recording(tmp_path / "x.aer", HEADER) as writer:
            for start in range(0, n, piece):
                writer.append(rows(piece, start))
        wrote = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        source = ne.open_recording(tmp_path / "x.aer")
        total = sum(int(block["payload"].sum()) for block in source)
        read = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert ne.diff_recordings(source, ne.open_recording(tmp_path / "x.aer")).packets == n
        compared = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert source.packets == n
    assert total == int((np.arange(n) % 97 - 40).sum())
    assert (tmp_path / "x.aer").stat().st_size > 42_000_000
    assert max(wrote, read, compared) < 16 << 20


# ---- files
def test_errors_of_files(tmp_path: Path) -> None:
    path = tmp_path / "x.aer"
    with fails(
        ne.FileError,
        f"{path}: cannot be read (No such file or directory); give the path of a recording, made with --record",
    ):
        ne.open_recording(path)
    with fails(
        ne.FileError, f"{tmp_path}: cannot be read (Is a directory); give the path of a recording, made with --record"
    ):
        ne.open_recording(tmp_path)
    path.write_bytes(msgpack.packb(msgspec.to_builtins(HEADER) | {"version": 2, "new": 1}))
    with fails(
        ne.FileError,
        f"{path}: the recording is of another format; this neuroemu reads format 1, record the run again",
    ):
        ne.open_recording(path)
    path.write_text("my notes")
    with fails(ne.FileError, f"{path}: holds no recording, so it is not replaced; choose another file"):
        written(path, 3)
    assert path.read_text() == "my notes"
    missing = tmp_path / "no" / "x.aer"
    with fails(
        ne.FileError,
        f"{missing}: its folder does not exist; make it, or choose another path",
    ):
        written(missing, 3)
    many = msgspec.structs.replace(HEADER, chip="x" * (1 << 20))
    with fails(
        ne.FileError,
        f"{tmp_path / 'y.aer'}: the header of a recording takes at most 1048576 bytes; name fewer populations, or shorter",
    ):
        written(tmp_path / "y.aer", 3, many)


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with fails(
        ne.FileError,
        f"{tmp_path / 'x.aer'}: cannot be written (No space left on device); free some space, or choose a folder on another disk",
    ):
        written(tmp_path / "x.aer", 100)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_leaves_the_earlier_recording(tmp_path: Path) -> None:
    path = written(tmp_path / "x.aer", 3)
    before = path.read_bytes()

    def stopped() -> None:
        with write_recording(path, HEADER) as writer:
            writer.append(rows(BLOCK + 2))
            raise RuntimeError("stop")

    with fails(RuntimeError, "stop"):
        stopped()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert len(whole(ne.open_recording(written(path, 5)))) == 5


def test_a_path_that_cannot_be_written_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroemu.engines.interpreted.python.run", lambda _: pytest.fail("it ran"))
    with pytest.raises(ne.FileError, match="its folder does not exist"):
        ne.run(changed_threshold(3), np.ones((2, 3), int), engine="python", record=tmp_path / "no" / "x.aer")


def test_a_value_no_packet_carries_is_refused_before_the_run(tmp_path: Path) -> None:
    case, image = drawn("graded")
    for wrong in (1 << 31, -(1 << 31) - 1):
        values = {"h": np.full((5, 7), wrong)}
        with fails(
            ne.StimulusError,
            f"values for population 'h' hold {wrong}, the payload of a recorded packet has 32 bits; scale them",
        ):
            record(replace(case, values=values), image, "python", tmp_path / "x.aer")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, numpy as np
sys.path.insert(0, "tests")
from recordings import HEADER, rows
from neuroemu.results.recording import write_recording
with write_recording(sys.argv[1], HEADER) as writer:
    for start in range(0, 1 << 30, 50_000):
        writer.append(rows(50_000, start))
        print(start, flush=True)
"""


def test_a_killed_writer_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "x.aer"
    environment = os.environ | {"PYTHONPATH": str(Path(ne.__file__).parent.parent)}
    command = [sys.executable, "-c", KILLED, str(path)]
    with child(command, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2], text=True) as process:
        assert [process.stdout.readline() for _ in range(3)] == ["0\n", "50000\n", "100000\n"]
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not path.exists()
    beside = next(tmp_path.iterdir())  # what was written is not lost to those who look
    source = ne.open_recording(beside, strict=False)
    assert np.array_equal(whole(source), rows(source.packets))
    assert source.packets > 0
    written(path, 3)  # and the next writer of the name clears it away
    assert list(tmp_path.iterdir()) == [path]
