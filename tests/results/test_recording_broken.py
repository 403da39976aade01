"""Recordings that are cut off, damaged or hostile: packets up to the break, one sentence, no more memory than a sound one."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import HEADER, rows, whole, written

import neuroemu as ne
from neuroemu.results import recording as recording_module
from neuroemu.results.recording import PACKET, Header, Packets


def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A recording of five short blocks."""
    monkeypatch.setattr(recording_module, "BLOCK", 8)
    return written(tmp_path / "small.aer", 35).read_bytes()


def read_error(path: Path) -> str | None:
    """The text of the one error that reading may raise, None if the file is sound."""
    try:
        whole(ne.open_recording(path))
    except ne.FileError as error:
        return str(error)
    return None


def test_a_cut_recording_is_read_up_to_the_break_wherever_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = small(tmp_path, monkeypatch)
    path, seen = tmp_path / "cut.aer", set()
    header = len(msgpack.packb(msgspec.to_builtins(HEADER)))
    for length in range(len(content)):
        path.write_bytes(content[:length])
        if length < header:
            assert read_error(path) == (f"{path}: is not a recording, or its header is damaged; make one with --record")
            continue
        source = ne.open_recording(path, strict=False)
        found = whole(source)
        assert np.array_equal(found, rows(35)[: len(found)])
        n = source.packets
        assert n == len(found)
        seen.add(n)
        where = f", in presentation {found[-1]['presentation']}, tick {found[-1]['tick']}" if n else ""
        assert source.broken == f"breaks off after {n} packets{where}"
        assert read_error(path) == (
            f"{path}: the recording breaks off after {n} packets{where}; record the run again, or read what is there with strict=False"
        )
    assert seen == {0, 8, 16, 24, 32, 35}
    path.write_bytes(content)
    assert read_error(path) is None
    path.write_bytes(content + b"\0")
    assert read_error(path) == (
        f"{path}: the recording is damaged after 35 packets, in presentation 0, tick 8; record the run again, or read what is there "
        "with strict=False"
    )


def test_every_flipped_byte_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(small(tmp_path, monkeypatch))
    path = tmp_path / "flipped.aer"
    for at in range(len(content)):
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        content[at] ^= 1 << at % 8
        assert read_error(path) is not None, at
        if b"neuroemu.aer" in path.read_bytes():
            with_rest = list(readable(path))
            assert np.array_equal(np.concatenate([*with_rest, rows(0)]), rows(35)[: sum(map(len, with_rest))])


def readable(path: Path) -> Iterator[Packets]:
    try:
        yield from ne.open_recording(path, strict=False)
    except ne.FileError:
        return


def hostile(blocks: list[object], header: Header = HEADER) -> bytes:
    """A file with these objects after a header."""
    return b"".join(msgpack.packb(item) for item in [msgspec.to_builtins(header), *blocks])


def with_check(header: Header, n: int, columns: list[bytes]) -> list[object]:
    """A block whose check is right, whatever is in it."""
    sha = hashlib.sha256(msgpack.packb(msgspec.to_builtins(header)) + b"".join(columns))
    return [n, *columns, sha.digest()[:8]]


def columns(made: Packets) -> list[bytes]:
    return [made[name].tobytes() for name in PACKET.names or ()]


def changed(**fields: int) -> list[object]:
    made = rows(4)
    for name, value in fields.items():
        made[name][2] = value
    return with_check(HEADER, 4, columns(made))


@pytest.mark.parametrize(
    "block",
    [
        changed(presentation=1 << 20),
        changed(tick=50),
        changed(channel=6),
        changed(source=10),
        changed(source=4),
        changed(source=9),
        with_check(HEADER, 0, [b""] * 6),
        with_check(HEADER, 3, columns(rows(4))),
        with_check(HEADER, -1, columns(rows(4))),
        with_check(HEADER, 1 << 40, columns(rows(4))),
        with_check(HEADER, 4, columns(rows(4))[:5]),
        [4.0, *columns(rows(4)), b"01234567"],
        [4, *([None] * 6), b"01234567"],
        [[[[]]]],
        [],
        7,
        None,
        {"packets": 1, "sha256": b""},
        {"packets": 0, "sha256": hashlib.sha256(b"").digest()},
        {},
    ],
)
def test_hostile_blocks_are_damage(block: object, tmp_path: Path) -> None:
    path = tmp_path / "x.aer"
    path.write_bytes(hostile([block]))
    assert read_error(path) == (
        f"{path}: the recording is damaged after 0 packets; record the run again, or read what is there with strict=False"
    )
    path.write_bytes(hostile([with_check(HEADER, 4, columns(rows(4)))]))
    assert "breaks off after 4 packets, in presentation 0, tick 0" in (read_error(path) or "")


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\xc1",
        b"\xdf\xff\xff\xff\xff",  # a map, an array, a string, bytes and an extension of 4 billion
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x05",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xdc\x00\x40" * 3000,
        b"\x91" * 100_000,
        b"\x81" * 100_000,
        b"\x81\x80\x01",
        b"\x81\xa1\xff\x01",
        hostile([])[:40],
        msgpack.packb({"format": "neuroemu.aer", "version": 1}),
        msgpack.packb(msgspec.to_builtins(HEADER) | {"extra": 1}),
        msgpack.packb(msgspec.to_builtins(HEADER) | {"ticks": -1}),
        msgpack.packb(msgspec.to_builtins(HEADER) | {"ticks": 3}),
        msgpack.packb(msgspec.to_builtins(HEADER) | {"layers": {"in": [0, [1 << 31] * 64, 0, "input"]}}),
        msgpack.packb(msgspec.to_builtins(HEADER) | {"key": {"channel": 3, "chip": 99, "core": 1, "axon": 1}}),
    ],
    ids=range(20),
)
def test_hostile_headers_are_refused_without_allocating(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.aer"
    path.write_bytes(start + bytes(1000))
    tracemalloc.start()
    try:
        error = read_error(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error == f"{path}: is not a recording, or its header is damaged; make one with --record"
    assert peak < 8 << 20


CONTENT = hostile([with_check(HEADER, 40, columns(rows(40)))])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=400).map(lambda tail: hostile([])[:-1] + tail),
        st.binary(max_size=400).map(lambda tail: hostile([]) + tail),
        st.tuples(st.integers(0, len(CONTENT)), st.binary(min_size=1, max_size=9)).map(
            lambda drawn: CONTENT[: drawn[0]] + drawn[1] + CONTENT[drawn[0] + len(drawn[1]) :]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
        ).map(lambda item: hostile([item])),
    )
)
def test_random_bytes_end_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.aer"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        error = read_error(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error is not None
    assert "\n" not in error
    assert error.startswith(f"{path}: ")
    assert peak < 8 << 20
