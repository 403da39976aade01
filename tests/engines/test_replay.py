"""Replay and comparison of recordings, in Python and on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cases import CASES, Rng, spikes
from fails import fails
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import HEADER, changed_threshold, drawn, record, rows, whole, written

import neuroemu as ne
from neuroemu.engines.available import runnable
from neuroemu.results.packets import sends
from neuroemu.results.recording import BLOCK, NOWHERE, PACKET, Packets, Place, write_recording


# ---- engines and replay
@pytest.mark.parametrize("name", CASES)
def test_every_engine_records_the_same_bytes(name: str, tmp_path: Path) -> None:
    case, image = drawn(name)
    engines = runnable() if name in ("layered", "graded") else ("python", "event")  # a kernel takes long to compile
    files = []
    for engine in engines:
        assert len(record(case, image, engine, tmp_path / f"{engine}.aer").spikes) > 0
        files.append((tmp_path / f"{engine}.aer").read_bytes())
    assert all(file == files[0] for file in files)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("engine", ["python", "event"])
def test_a_replay_is_the_run_again(engine: str, name: str, tmp_path: Path) -> None:
    case, image = drawn(name, 2)
    run = record(case, image, "python", tmp_path / "x.aer")
    assert len(run.spikes) > 0
    again = ne.replay(tmp_path / "x.aer", image, engine=engine)
    assert again.difference is None
    assert again.comparison.packets == len(whole(ne.open_recording(tmp_path / "x.aer")))
    assert again.run.differs(run) is None
    assert again.run.stimulus_digest == run.stimulus_digest


def test_a_replay_on_the_compiled_engine_in_parts_of_a_stimulus(tmp_path: Path) -> None:
    """Graded payloads, modulators, commits, and random numbers that depend on the presentation's own number."""
    case, image = drawn("graded")
    events = case.stimulus().slice(2, 5)
    options = {"plastic": True, "commit_every": 2, "seed": 9}
    run = ne.run(image, events, engine="event", record=tmp_path / "x.aer", **options)  # type: ignore[arg-type]
    assert len(run.spikes) > 0
    again = ne.replay(ne.open_recording(tmp_path / "x.aer"), image, engine="cpu", workers=2)
    assert again.difference is None
    assert again.run.differs(run) is None
    other = ne.run(image, replace(events, first=0), engine="python", **options)  # type: ignore[arg-type]
    assert other.spikes != run.spikes


def test_an_input_that_was_not_given_stays_silent(tmp_path: Path) -> None:
    network = ne.Network(
        [
            ne.Population("a", 2, ne.HostInput()),
            ne.Population("b", 3, ne.HostInput()),
            ne.Population("out", 2, ne.Firmware("if", {"threshold": 3})),
        ],
        [ne.Projection("a", "out", np.full((2, 2), 2)), ne.Projection("b", "out", np.full((3, 2), 2))],
        outputs=["out"],
    )
    image = ne.compile(network, ne.load_chip("generic45"))
    run = ne.run(image, {"b": np.ones((5, 3), int)}, engine="python", record=tmp_path / "x.aer")
    assert len(run.spikes) > 0
    source = ne.open_recording(tmp_path / "x.aer")
    assert {name: place.role for name, place in source.header.layers.items()} == {
        "a": "silent",
        "b": "input",
        "out": "chip",
    }
    assert ne.replay(source, image, engine="event").run.stimulus_digest == run.stimulus_digest


def test_a_replay_on_another_placement_is_compared_without_keys(tmp_path: Path) -> None:
    case = CASES["delayed"](np.random.default_rng(3))
    image, other = case.image({"a": [(0, 5), (3, 6)]}), case.image({"a": [(9, 11)]})
    run = record(case, image, "python", tmp_path / "x.aer")
    assert len(run.spikes) > 0
    with fails(
        ne.RunError,
        f"{tmp_path / 'x.aer'}: was recorded from image {image.digest[:12]}, this is {other.digest[:12]}; give that image, or replay "
        "on any with any_image=True (--any-image)",
    ):
        ne.replay(tmp_path / "x.aer", other, engine="python")
    again = ne.replay(tmp_path / "x.aer", other, engine="python", any_image=True)
    assert again.difference is None
    assert not again.comparison.same_image
    assert again.comparison.packets == len(run.spikes) + np.count_nonzero(case.inputs)


def test_a_replay_names_the_first_packet_that_differs(tmp_path: Path) -> None:
    inputs = np.zeros((6, 3), int)
    inputs[:, 1] = 1
    ne.run(changed_threshold(3), inputs, engine="python", record=tmp_path / "x.aer")
    again = ne.replay(tmp_path / "x.aer", changed_threshold(5), engine="python", any_image=True)
    assert again.difference is not None
    assert again.difference.text == (
        "packet 2: presentation 0, tick 2, spike of out[0], payload 1 against presentation 0, tick 2, input of in[1], payload 1"
    )
    assert again.difference.packet == again.comparison.packets == 2
    assert again.difference.second is not None
    assert again.difference.second["to"] == {"chip": 0, "core": 0, "axon": 1}


def test_what_a_replay_refuses(tmp_path: Path) -> None:
    path = tmp_path / "x.aer"
    ne.run(changed_threshold(3), np.ones((6, 3), int), engine="python", record=path)
    with fails(
        ne.RunError,
        f"{path}: input 'in' has 3 neurons in the recording, the image has 4; replay it on an image with the same inputs",
    ):
        ne.replay(path, changed_threshold(3, 4), any_image=True)
    image = drawn("rivals")[1]
    with fails(
        ne.RunError,
        f"{path}: input 'in' has 3 neurons in the recording, the image has no such input; replay it on an image with the same inputs",
    ):
        ne.replay(path, image, any_image=True)
    header = msgspec.structs.replace(ne.open_recording(path).header, presentations=1 << 31, rows=1 << 31, ticks=1 << 31)
    written(tmp_path / "huge.aer", 0, header)
    with fails(
        ne.RunError,
        f"{tmp_path / 'huge.aer'}: states 2147483648 presentations of 2147483648 rows, a replay takes from 1 to 134217728 rows and "
        "values; record fewer presentations at a time",
    ):
        ne.replay(tmp_path / "huge.aer", changed_threshold(3))
    late = rows(1)
    late["tick"], late["channel"], late["source"] = 45, 4, 0
    header = msgspec.structs.replace(HEADER, image=changed_threshold(3, 4).digest, presentations=1)
    with write_recording(tmp_path / "late.aer", header) as writer:
        writer.append(late)
    with fails(
        ne.FileError,
        f"{tmp_path / 'late.aer'}: holds an input packet in tick 45, past the 40 rows it states; record the run again",
    ):
        ne.replay(tmp_path / "late.aer", changed_threshold(3, 4))


@st.composite
def host_packets(draw: st.DrawFn) -> Packets:
    """Packets of any kind from any neuron of the graded case, sorted."""
    columns = st.tuples(
        st.integers(0, 4),
        st.integers(0, 16),
        st.integers(0, 5),
        st.integers(0, 15),
        st.sampled_from([0, 1, NOWHERE]),
        st.integers(-5, 5) | st.integers(-(1 << 31), (1 << 31) - 1),
    )
    return np.array(sorted(draw(st.lists(columns, max_size=40))), PACKET)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(host_packets())
def test_a_replay_of_any_packets_is_a_run_or_an_error(tmp_path: Path, found: Packets) -> None:
    case, image = drawn("graded")
    if not (tmp_path / "x.aer").exists():
        record(case, image, "python", tmp_path / "x.aer")
    with write_recording(tmp_path / "y.aer", ne.open_recording(tmp_path / "x.aer").header) as writer:
        writer.append(found)
    with suppress(ne.NeuroemuError):
        again = ne.replay(tmp_path / "y.aer", image, engine="python")
        assert again.difference is not None  # what the neurons sent is missing


# ---- comparing
def test_a_recording_is_equal_to_itself(tmp_path: Path) -> None:
    source = ne.open_recording(written(tmp_path / "x.aer", 3 * BLOCK + 1))
    found = ne.diff_recordings(source, source)
    assert (found.difference, found.packets) == (None, 3 * BLOCK + 1)


def test_compare_names_packet_source_core_and_both_sides(tmp_path: Path) -> None:
    case, image = drawn("layered")
    record(case, image, "python", tmp_path / "a.aer")
    source = ne.open_recording(tmp_path / "a.aer")
    found = whole(source)
    other = found.copy()
    k = int(np.flatnonzero((found["channel"] == 0) & (found["key"] != NOWHERE))[100])
    other["payload"][k] = -3
    with write_recording(tmp_path / "b.aer", source.header) as writer:
        writer.append(other)
    compared = ne.diff_recordings(source, ne.open_recording(tmp_path / "b.aer"))
    assert compared.difference is not None
    packet, key = found[k], int(found["key"][k])
    place = f"presentation {packet['presentation']}, tick {packet['tick']}, spike of hidden[{packet['source'] - 16}]"
    to = f"to core {key >> 12 & 127} axon {key & 4095}"
    assert compared.difference.text == f"packet {k}: {place} {to}, payload 1 against {place} {to}, payload -3"
    assert compared.packets == k
    with write_recording(tmp_path / "c.aer", source.header) as writer:
        writer.append(found[:-1])
    ended = ne.diff_recordings(source, ne.open_recording(tmp_path / "c.aer")).difference
    assert ended is not None
    assert ended.second is None
    last = found[-1]
    assert last["key"] == NOWHERE
    assert ended.text == (
        f"packet {len(found) - 1}: presentation {last['presentation']}, tick {last['tick']}, spike of "
        f"{source.header.name(int(last['source']))} to no core, payload 1 against nothing"
    )


def test_compare_tells_networks_and_times_apart(tmp_path: Path) -> None:
    first = ne.open_recording(written(tmp_path / "a.aer", 9))
    layers = HEADER.layers | {"out": Place(4, (7,), 1, "chip")}
    other = written(tmp_path / "b.aer", 9, msgspec.structs.replace(HEADER, layers=layers))
    difference = ne.diff_recordings(first, ne.open_recording(other)).difference
    assert difference is not None
    assert difference.text == "the networks differ: 'out' has 6 neurons from id 4 against 7 neurons from id 4"
    fewer = written(tmp_path / "c.aer", 9, msgspec.structs.replace(HEADER, layers={**HEADER.layers, "x": layers["in"]}))
    with pytest.raises(ne.FileError):
        ne.open_recording(fewer)  # ids overlap
    longer = written(tmp_path / "d.aer", 9, msgspec.structs.replace(HEADER, ticks=51))
    difference = ne.diff_recordings(first, ne.open_recording(longer)).difference
    assert difference is not None
    assert difference.text == "every packet is equal, but not the ticks: 50 against 51"
    assert ne.diff_recordings(first, ne.open_recording(tmp_path / "a.aer")).difference is None


@pytest.mark.parametrize("at", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 17])
def test_compare_finds_the_packet_wherever_blocks_end(at: int, tmp_path: Path) -> None:
    """Another image, so packets are taken send by send: blocks of the two sides have other lengths."""
    written(tmp_path / "a.aer", 2 * BLOCK + 18)
    made = np.repeat(rows(2 * BLOCK + 18), 2)  # every packet to two cores
    made["key"][1::2] = 5
    made["key"][::2] = 3
    made["payload"][2 * at : 2 * at + 2] = 1000
    with write_recording(tmp_path / "b.aer", msgspec.structs.replace(HEADER, image="2" * 64)) as writer:
        writer.append(made)
    found = ne.diff_recordings(ne.open_recording(tmp_path / "a.aer"), ne.open_recording(tmp_path / "b.aer"))
    assert found.difference is not None
    assert found.difference.packet == found.packets == at


# ---- the command line
def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(ne.__file__).parent.parent)}
    program = [sys.executable, "-c", "from neuroemu.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def test_record_replay_and_diff_on_the_command_line(tmp_path: Path) -> None:
    image, other = changed_threshold(3), changed_threshold(5)
    image.save(tmp_path / "net.image")
    other.save(tmp_path / "other.image")
    rng: Rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", spikes(rng, 12, 3, 3))

    def run(*arguments: object) -> tuple[int, str]:
        done = command(*arguments, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    inputs = ("--input", "x.npy", "--engine", "python", "--record")
    assert run("run", "net.image", *inputs, "a.aer", "-o", "run_a")[0] == 0
    assert run("run", "other.image", *inputs, "b.aer", "-o", "run_b")[0] == 0
    n = ne.diff_recordings(*[ne.open_recording(tmp_path / "a.aer")] * 2).packets
    code, text = run("replay", "a.aer", "net.image", "--engine", "event", "-o", "again")
    assert code == 0
    assert text.endswith(f"equal to the recording: {n} packets\n")
    assert ne.load_run(tmp_path / "again").differs(ne.load_run(tmp_path / "run_a")) is None
    assert run("diff", "a.aer", "a.aer") == (0, f"equal: {n} packets\n")
    code, text = run("diff", "a.aer", "b.aer")
    assert code == 1
    expected = ne.diff_recordings(ne.open_recording(tmp_path / "a.aer"), ne.open_recording(tmp_path / "b.aer"))
    assert expected.difference is not None
    assert text == f"{expected.difference.text}\n"
    code, text = run("diff", "a.aer", "b.aer", "--json")
    found = msgspec.json.decode(text)
    assert (code, found["equal"], found["difference"], found["same_image"]) == (
        1,
        False,
        expected.difference.text,
        False,
    )
    assert found["packet"]["first"] == expected.difference.first
    code, text = run("replay", "a.aer", "other.image", "--engine", "python")
    assert code == 2
    assert text == (
        f"neuroemu: a.aer: was recorded from image {image.digest[:12]}, this is {other.digest[:12]}; give that image, or replay on any "
        "with any_image=True (--any-image)\n"
    )
    code, text = run("replay", "a.aer", "other.image", "--engine", "python", "--any-image", "--json")
    assert (code, msgspec.json.decode(text)["equal"]) == (1, False)
    wrong = "neuroemu: a.aer: is a file, run_a is not; compare two recordings, or the folders of two runs"
    assert run("diff", "run_a", "a.aer") == (2, f"{wrong}\n")


def test_the_first_difference_of_equal_packets_of_other_images(tmp_path: Path) -> None:
    case = CASES["delayed"](np.random.default_rng(5))
    record(case, case.image({"a": [(0, 5), (3, 6)]}), "python", tmp_path / "a.aer")
    record(case, case.image({"a": [(9, 11)]}), "python", tmp_path / "b.aer")
    done = command("diff", "a.aer", "b.aer", cwd=tmp_path)
    n = sum(len(block) for block in sends(ne.open_recording(tmp_path / "a.aer")))
    assert (done.returncode, done.stdout) == (0, f"equal: {n} packets (of different images, so without keys)\n")
