"""Arrays are read with an error that says what a file is not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import FileError
from neuroemu.base.formats import read_arrays, read_labels


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


# ---- reading arrays
def test_arrays_are_read(tmp_path: Path) -> None:
    ints, floats = np.arange(6).reshape(2, 3), np.ones(4)
    (tmp_path / "a.npy").write_bytes(npy(ints))
    (tmp_path / "b.npz").write_bytes(npz(x=ints))
    (tmp_path / "c.npz").write_bytes(npz(x=ints, y=floats))
    assert np.array_equal(read_arrays(tmp_path / "a.npy"), ints)
    assert np.array_equal(read_arrays(str(tmp_path / "b.npz")), ints)
    both = read_arrays(tmp_path / "c.npz")
    assert sorted(both) == ["x", "y"]
    assert np.array_equal(both["y"], floats)


def zipped(**members: bytes) -> bytes:
    """A zip that NumPy did not write."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def damaged(content: bytes, at: int, byte: int) -> bytes:
    return content[:at] + bytes([byte]) + content[at + 1 :]


GOOD = npz(x=np.arange(200))
NOT_OURS = {
    "empty": b"",
    "text": b"1,2,3\n",
    "pickle": b"\x80\x04]\x94.",
    "cut npy": npy(np.arange(20))[:100],
    "cut npz": GOOD[:-40],
    "objects": npy(np.array([{}, None], dtype=object)),
    "another zip": zipped(word=b"document"),
    "bad deflate stream": damaged(GOOD, 60, 0xFF),
    "unknown compression": damaged(GOOD, GOOD.index(b"PK\1\2") + 10, 99),
    "encrypted": damaged(GOOD, GOOD.index(b"PK\1\2") + 8, 1),
    "open bracket": npy(np.arange(20)).replace(b"(20,)", b"(20,("),
}


@pytest.mark.parametrize("kind", NOT_OURS)
def test_arrays_are_not_there(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(NOT_OURS[kind])
    with fails(FileError, f"{path}: is not a .npy or .npz file of numbers; save it with numpy.save or numpy.savez"):
        read_arrays(path)
    with fails(FileError, f"{path}: is not a .npy or .npz file of numbers; save it with numpy.save or numpy.savez"):
        read_labels(path)


def test_file_of_arrays_is_not_there(tmp_path: Path) -> None:
    with fails(FileError, f"{tmp_path / 'x.npy'}: no such file; give the path of a .npy or .npz file"):
        read_arrays(tmp_path / "x.npy")
    with fails(FileError, f"{tmp_path}: cannot be read (Is a directory); check the path and its permissions"):
        read_arrays(tmp_path)


# ---- labels and the demo
def test_labels_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(np.arange(5, dtype=np.uint8)))
    labels = read_labels(tmp_path / "a.npy")
    assert (labels.dtype, labels.tolist()) == (np.int64, [0, 1, 2, 3, 4])


LABELS = [
    (npz(x=np.arange(2), y=np.arange(2)), "several arrays"),
    (npy(np.ones(3)), "an array of shape (3,) and dtype float64"),
    (npy(np.arange(4).reshape(2, 2)), "an array of shape (2, 2) and dtype int64"),
    (npy(np.int64(3)), "an array of shape () and dtype int64"),
]


@pytest.mark.parametrize(("content", "what"), LABELS, ids=[what for _, what in LABELS])
def test_labels_are_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "labels.npy"
    path.write_bytes(content)
    with fails(FileError, f"{path}: holds {what}; labels are one integer a presentation"):
        read_labels(path)


def test_demo_is_one_label_a_presentation(tmp_path: Path) -> None:
    network, inputs, labels = ne.demo_data()
    assert network.is_file()
    assert inputs.shape[1] == labels.size == 360
    path = tmp_path / "digits_input.npz"
    path.write_bytes(npz(x=np.arange(2), y=np.arange(2)))
    with fails(FileError, f"{path}: holds 2 arrays; the demo's input is one"):
        ne.demo_data(tmp_path)
