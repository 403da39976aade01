"""An image comes back from its file as it was, knows itself by its digest, and refuses any file that is not whole."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES
from fails import fails

import neuroemu as ne
from neuroemu.base import shelf
from neuroemu.base.errors import FileError, UnknownNameError


def image_of(name: str) -> ne.Image:
    return CASES[name](np.random.default_rng(5)).image()


@pytest.mark.parametrize("name", CASES)
def test_image_comes_back(tmp_path: Path, name: str) -> None:
    case = CASES[name](np.random.default_rng(5))
    image = case.image()
    image.save(tmp_path / "a.image")
    again = ne.load_image(tmp_path / "a.image")
    assert [path.name for path in tmp_path.iterdir()] == ["a.image"]
    assert again.digest == image.digest
    for stays in ("outputs", "probes", "lag", "aligned", "phases", "modulators", "losses", "notes", "usage", "chip"):
        assert getattr(again, stays) == getattr(image, stays), stays
    runs = [ne.run(each, case.stimulus(), engine="python", plastic=case.plastic) for each in (image, again)]
    assert len(runs[0].spikes) > 0
    assert runs[0].differs(runs[1]) is None


def test_digest_follows_what_can_change_a_bit_and_nothing_else() -> None:
    image = image_of("layered")
    assert image_of("layered").digest == image.digest
    same = [
        replace(image, notes=("a note",)),
        replace(image, chip_path="elsewhere.toml"),
        replace(image, programs={name: ("elsewhere.py", source) for name, (_, source) in image.programs.items()}),
        replace(image, losses=()),
    ]
    assert {each.digest for each in same} == {image.digest}
    weights = image.projections[0].parts[0].weight
    part = replace(image.projections[0].parts[0], weight=weights + (np.arange(weights.size) == 3))
    other = [
        replace(image, lag=image.lag + 1),
        replace(image, outputs=()),
        replace(image, chip_text=image.chip_text + "\n"),
        replace(image, programs={name: (path, f"{source}\n") for name, (path, source) in image.programs.items()}),
        replace(image, projections=(replace(image.projections[0], parts=(part,)), *image.projections[1:])),
    ]
    assert len({each.digest for each in (image, *other)}) == 1 + len(other)


def test_population_by_name() -> None:
    image = image_of("layered")
    assert image.population("hidden").n == 12
    with fails(UnknownNameError, "no population named 'hiden'; did you mean 'hidden'? there are: in, hidden, out"):
        image.population("hiden")


def test_image_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "no" / "a.image"
    with fails(
        FileError, f"{path}: cannot be written (No such file or directory); check the folder and its permissions"
    ):
        image_of("layered").save(path)
    assert not list(tmp_path.iterdir())


# ---- files that are no images
def test_file_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.image"
    with fails(FileError, f"{path}: cannot be read (No such file or directory); give the path of an image"):
        ne.load_image(path)
    with fails(FileError, f"{tmp_path}: cannot be read (Is a directory); give the path of an image"):
        ne.load_image(tmp_path)


def archive(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def header(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def bare() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(4))
    return buffer.getvalue()


NO_IMAGES = {
    "empty": b"",
    "text": b"an image",
    "one array": bare(),
    "other arrays": archive(x=np.arange(3)),
    "header is not JSON": archive(header=header("{")),
    "header is a list": archive(header=header("[]")),
    "header is nested": archive(header=header("[" * 100_000)),
    "no format": archive(header=header("{}")),
    "no digest": archive(header=header('{"format": 1}')),
}


@pytest.mark.parametrize("kind", NO_IMAGES)
def test_file_is_no_image(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.image"
    path.write_bytes(NO_IMAGES[kind])
    with fails(FileError, f"{path}: is not an image; make one with `neuroemu compile`"):
        ne.load_image(path)


def test_a_header_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.image"
    path.write_bytes(archive(header=header("{" + " " * 100_000 + "}")))
    with fails(FileError, f"{path}: is not an image; make one with `neuroemu compile`"):
        ne.load_image(path)
    monkeypatch.setenv("NEUROEMU_MOST_BYTES", "3200000")
    text = (
        f"{path}: its header has more than 100000 bytes, the most that is read; set NEUROEMU_MOST_BYTES to 32 times as many as it "
        "has if you trust the file and have the memory"
    )
    with fails(FileError, text):
        ne.load_image(path)


# ---- images with something changed in the file
def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> dict[str, Any]:
    """Change the header and arrays of a saved image in place; its header as it was."""
    image_of("graded").save(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    text = arrays.pop("header").tobytes()
    entries = json.loads(text)
    change(entries, arrays)
    path.write_bytes(archive(header=header(json.dumps(entries)), **arrays))
    return json.loads(text)


def test_image_of_another_format(tmp_path: Path) -> None:
    path = tmp_path / "a.image"
    rewritten(path, lambda entries, _: entries.update(format=2))
    with fails(FileError, f"{path}: image format 2, this neuroemu reads format 1; compile the network again"):
        ne.load_image(path)


CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "lag": lambda entries, _: entries.update(lag=entries["lag"] + 1),
    "a weight": lambda _, arrays: arrays["projection0.0.weight"].__setitem__(0, 99),
    "a program": lambda entries, _: next(iter(entries["programs"].values())).__setitem__(1, "def soma(v: State): ..."),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_image_does_not_match_its_digest(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.image"
    before = rewritten(path, CHANGES[kind])
    with pytest.raises(FileError) as caught:
        ne.load_image(path)
    actual = str(caught.value).partition("(digest ")[2][:12]
    assert set(actual) <= set("0123456789abcdef")
    assert actual != before["digest"][:12]
    text = (
        f"{path}: the image is damaged (digest {actual}, it states {before['digest'][:12]}); compile the network again"
    )
    assert str(caught.value) == text


def test_any_changed_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.image"
    image_of("layered").save(path)
    whole, digest = path.read_bytes(), image_of("layered").digest
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(120):
        content = bytearray(whole)
        content[rng.integers(len(whole))] ^= rng.integers(1, 256)
        path.write_bytes(bytes(content) if rng.random() < 0.8 else whole[: rng.integers(len(whole))])
        try:
            assert ne.load_image(path).digest == digest
        except FileError:
            refused += 1
    assert refused > 60


def test_a_datasheet_whose_path_is_not_utf8(tmp_path: Path) -> None:
    """Half a character in a path stands for a byte of the name: such a file compiles, and its image is read again."""
    path = tmp_path / os.fsdecode(b"mine\xff.toml")
    path.write_bytes((shelf.folder("cores") / "generic45.toml").read_bytes())
    network = ne.Network([ne.Population("o", 2, ne.Firmware("lif", {"decay_v": 0, "threshold": 5}))], [], outputs=["o"])
    image = ne.compile(network, ne.load_chip(path))
    image.save(tmp_path / "a.image")
    assert ne.load_image(tmp_path / "a.image").chip_path == image.chip_path == str(path)
