"""Damaged and hostile files of every kind end in one sentence of ours, or are read: never in a traceback, never in a crash.

Each kind has a valid file to damage; bytes are flipped, runs are cut, doubled or overwritten, and words are exchanged.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neuroemu as ne
from neuroemu.base.errors import NeuroemuError
from neuroemu.base.formats import read_arrays
from neuroemu.base.shelf import find_chip, find_program, read_text
from neuroemu.chip.chip import parse_chip
from neuroemu.language.check import check_program
from neuroemu.language.program import parse_program, specialize

TRIES = 300
DATA = Path(__file__).parent / "data" / "nir"


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The file with one to four accidents."""
    for _ in range(rng.randint(1, 4)):
        if not data:
            return data
        at = rng.randrange(len(data))
        length = min(rng.choice([1, 1, 2, 8, 64, 600]), len(data) - at)
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[:at] + data[at : at + length] * 2 + data[at + length :]
        elif kind == 3:
            data = data[:at] + bytes([rng.choice([0, 255, rng.randrange(256)])]) * length + data[at + length :]
        else:
            data = data[:at]
    return data


WORDS = [
    "-1",
    "0",
    "1e400",
    "99999999999999999999",
    "nan",
    "true",
    '""',
    "[]",
    "{}",
    "x",
    "=",
    "\n",
    "(",
    "]",
    "# ",
    "\x00",
    "é",
]


def reworded(text: str, rng: random.Random) -> str:
    """The text with words exchanged for others of its own or for awkward ones."""
    for _ in range(rng.randint(1, 4)):
        words = text.split(" ")
        words[rng.randrange(len(words))] = rng.choice([*WORDS, *words])
        text = " ".join(words)
    return text


def survives(
    read: Callable[[bytes], object], data: bytes, alter: Callable[[bytes, random.Random], bytes], tries: int
) -> None:
    """Every altered file is read or refused; both happen, or the test shows nothing."""
    rng = random.Random(20261123)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read(data)
    for k in range(tries):
        altered = alter(data, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(altered)
        except NeuroemuError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"try {k}: {type(error).__name__}: {error}") from error
    assert refused > 0


def as_bytes(alter: Callable[[str, random.Random], str]) -> Callable[[bytes, random.Random], bytes]:
    return lambda data, rng: alter(data.decode(), rng).encode()


BOTH = [pytest.param(damaged, id="bytes"), pytest.param(as_bytes(reworded), id="words")]


def decoded(data: bytes, tmp_path: Path) -> str:
    path = tmp_path / "text"
    path.write_bytes(data)
    return read_text(path)


@pytest.mark.parametrize("alter", BOTH)
@pytest.mark.parametrize("name", ["loihi1", "generic45"])
def test_datasheets(name: str, alter: Callable[..., bytes], tmp_path: Path) -> None:
    def read(data: bytes) -> None:
        chip = parse_chip(decoded(data, tmp_path), "x.toml")
        ne.chip_facts(chip)
        chip.barrier_ps(3)

    survives(read, find_chip(name).read_bytes(), alter, TRIES)


@pytest.mark.parametrize("alter", BOTH)
@pytest.mark.parametrize("name", ["cuba_lif", "tests/firmware/chatty.py"])
def test_firmware(name: str, alter: Callable[..., bytes], tmp_path: Path) -> None:
    source = Path(__file__).parent.parent / name if name.endswith(".py") else find_program(name)[0]
    chip = ne.load_chip("generic45")

    def read(data: bytes) -> None:
        program = parse_program(decoded(data, tmp_path), "p.py", "p")
        check_program(specialize(program, dict.fromkeys(program.of_kind("switch"), 0)), chip)

    survives(read, source.read_bytes(), alter, TRIES)


@pytest.mark.parametrize("number", ["01c", "08"])
def test_nir_files(number: str, tmp_path: Path) -> None:
    """The HDF5 library itself can crash; the reader must outlive it. What is read must compile or be refused."""
    path = tmp_path / "n.nir"
    chip = ne.load_chip("generic45")

    def read(data: bytes) -> None:
        path.write_bytes(data)
        ne.compile(ne.read_nir(path), chip)

    survives(
        read, (next(DATA.glob(f"{number}_*")) / "model.nir").read_bytes(), damaged, TRIES if number == "01c" else 60
    )


def test_images(tmp_path: Path) -> None:
    path = tmp_path / "a.image"
    network = ne.read_nir(next(DATA.glob("01c_*")) / "model.nir")
    ne.compile(network, ne.load_chip("loihi1")).save(path)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        assert ne.load_image(path).usage

    survives(read, path.read_bytes(), damaged, TRIES)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_inputs(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    events = (np.random.default_rng(1).random((20, 3, 4)) < 0.5).astype(np.uint8)
    np.save(path, events) if suffix == "npy" else np.savez_compressed(path, input=events)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        ne.stimulus(read_arrays(path), {"in": 4})

    survives(read, path.read_bytes(), damaged, TRIES)


def test_runs(tmp_path: Path) -> None:
    network = ne.read_nir(next(DATA.glob("01c_*")) / "model.nir")
    run = ne.run(ne.compile(network, ne.load_chip("loihi1")), np.ones((20, 2, 1), int), engine="python")
    assert len(run.spikes) > 0
    run.save(tmp_path / "run")
    for name in ("run.json", "spikes.npz", "chip.toml"):
        file = tmp_path / "run" / name
        whole = file.read_bytes()

        def read(data: bytes, file: Path = file) -> None:
            file.write_bytes(data)
            ne.report(ne.load_run(tmp_path / "run"))

        survives(read, whole, damaged, TRIES // 2)
        file.write_bytes(whole)
