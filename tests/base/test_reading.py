"""Files of arrays: what they state is looked at before any memory is taken for it."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import FileError
from neuroemu.base.formats import read_arrays
from neuroemu.base.reading import MOST_BYTES, MOST_TEXT, load_arrays
from neuroemu.base.shelf import read_text
from neuroemu.learning.idx import read_idx

NO_NUMBERS = "is not a .npy or .npz file of numbers; save it with numpy.save or numpy.savez"


def npy(shape: str, descr: str = "|u1", body: bytes = b"\0" * 6400, version: bytes = b"\x01\x00") -> bytes:
    """A .npy file that states whatever it likes."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(header)) + header + body


def bomb(size: int) -> bytes:
    """An archive that states so many bytes for its one array, and is a few hundred long."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(f"({size},)", body=b""))
    content = buffer.getvalue()
    at = content.index(b"PK\x01\x02") + 24
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


HOSTILE = {
    "a size below 0": npy("(-1, 64)"),
    "objects": npy("(2,)", "|O"),
    "nothing a value": npy("(1000000000000,)", "<U0"),
    "too many dimensions": npy(f"({'1, ' * 40})"),
    "a header that is code": npy("__import__('os').system('false')"),
    "a header nested deep": npy("(" * 3000 + ")" * 3000),
    "a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"(" * 100_000,
    "another version": npy("(20, 64)", version=b"\x03\x00"),
}


SHORT = {
    "(1000000000000, 64)": 64 * 10**12,
    "(9999999999999999999999, 64)": 64 * 9999999999999999999999,
    "(4294967296, 4294967296)": 1 << 64,
    "(6401,)": 6401,
}
"""Shapes of more bytes than the 6400 that are there; the third wraps to none in 64 bits."""


@pytest.mark.parametrize("shape", SHORT)
@pytest.mark.parametrize("archived", [False, True], ids=["npy", "npz"])
def test_more_than_it_holds_takes_no_memory(tmp_path: Path, shape: str, archived: bool) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(shape))
    if archived:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", npy(shape))
    text = (
        f"{path}: states an array of shape {shape} and dtype uint8, {SHORT[shape]} bytes, and holds 6400; save it again"
    )
    tracemalloc.start()
    with fails(FileError, text):
        read_arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("archived", [False, True], ids=["npy", "npz"])
def test_what_is_no_array_takes_no_memory(tmp_path: Path, kind: str, archived: bool) -> None:
    path, content = tmp_path / "x.npy", HOSTILE[kind]
    path.write_bytes(content)
    if archived:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", content)
    tracemalloc.start()
    with fails(FileError, f"{path}: {NO_NUMBERS}"):
        read_arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_what_it_states_rightly_is_read(tmp_path: Path) -> None:
    """The same writer, told the truth: so the refusals above are of what was stated."""
    path = tmp_path / "x.npy"
    path.write_bytes(npy("(100, 64)"))
    found = load_arrays(path)
    assert isinstance(found, np.ndarray)
    assert found.shape == (100, 64)
    path.write_bytes(npy("(100, 64)", version=b"\x02\x00"))
    assert np.array_equal(found, load_arrays(path))


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    total = 3 << 30
    path.write_bytes(bomb(total))
    text = (
        f"{path}: its arrays take {total} bytes unpacked, {MOST_BYTES} are read at most; set NEUROEMU_MOST_BYTES={total} "
        "if you trust the file and have the memory"
    )
    tracemalloc.start()
    with fails(FileError, text):
        read_arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()
    np.savez_compressed(path, np.zeros(1000))
    monkeypatch.setenv("NEUROEMU_MOST_BYTES", "8128")
    assert load_arrays(path)
    monkeypatch.setenv("NEUROEMU_MOST_BYTES", "8127")
    text = (
        f"{path}: its arrays take 8128 bytes unpacked, 8127 are read at most; set NEUROEMU_MOST_BYTES=8128 "
        "if you trust the file and have the memory"
    )
    with fails(FileError, text):
        load_arrays(path)
    monkeypatch.setenv("NEUROEMU_MOST_BYTES", "8G")
    text = "NEUROEMU_MOST_BYTES is '8G', not a number of bytes; set it to one such as 4294967296, or unset it"
    with fails(FileError, text):
        load_arrays(path)


def test_other_archives_are_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for name, packing in (("x.txt", zipfile.ZIP_DEFLATED), ("x.npy", zipfile.ZIP_BZIP2)):
        with zipfile.ZipFile(path, "w", packing) as archive:
            archive.writestr(name, npy("(100, 64)") if packing == zipfile.ZIP_BZIP2 else b"hello")
        with fails(FileError, f"{path}: {NO_NUMBERS}"):
            read_arrays(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    os.mkfifo(path)
    with fails(FileError, f"{path}: cannot be read (not a regular file); check the path and its permissions"):
        read_arrays(path)


@pytest.mark.parametrize("kind", ["text", "recording", "idx", "image", "checkpoint"])
def test_no_reader_waits_for_a_pipe(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    os.mkfifo(path)
    readers: dict[str, Callable[[], object]] = {
        "text": lambda: read_text(path),
        "recording": lambda: ne.open_recording(path),
        "idx": lambda: read_idx(path),
        "image": lambda: ne.load_image(path),
        "checkpoint": lambda: ne.Watch.load(path),
    }
    with pytest.raises(FileError) as caught:
        readers[kind]()
    assert str(caught.value).startswith(f"{path}: cannot be read (not a regular file); ")


def test_a_text_without_end(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"# \r\n" * (MOST_TEXT // 4))
    assert read_text(path) == "# \n" * (MOST_TEXT // 4)
    path.write_bytes(b"#" * (MOST_TEXT + 1))
    text = f"{path}: has more than 262144 bytes, the most that is read of a text; is it the file you meant?"
    with fails(FileError, text):
        ne.load_chip(path)
