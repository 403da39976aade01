"""A run's folder that somebody else wrote: values that no run has are refused by their place, though the digest is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES
from fails import fails
from foreign import packed, stamp_run

import neuroemu as ne
from neuroemu.base import shelf
from neuroemu.base.errors import FileError

Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]


@cache
def timed_run() -> ne.Run:
    """A run with probes, learning and the chip's time."""
    case = CASES["graded"](np.random.default_rng(3))
    return ne.run(case.image(), case.stimulus(), engine="python", plastic=True, commit_every=2, timing="twin")


def rewritten(path: Path, change: Change) -> None:
    """The run with something changed, and the digest made right."""
    timed_run().save(path)
    header = json.loads((path / "run.json").read_text())
    with np.load(path / "spikes.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    change(header, arrays)
    stamp_run(header, (path / "chip.toml").read_text(), arrays)
    (path / "run.json").write_text(json.dumps(header))
    (path / "spikes.npz").write_bytes(packed(None, arrays))


def at(name: str, index: int, value: int) -> Change:
    """Set one entry of an array."""
    return lambda _, arrays: arrays[name].__setitem__(index, value)


DAMAGES: dict[str, tuple[Change, str]] = {
    "n a string": (lambda h, _: h.update(n="5"), "n is '5', not a whole number from 0 to 4294967295"),
    "no rows": (lambda h, _: h.pop("rows"), "the header has no 'rows'"),
    "wall_s null": (lambda h, _: h.update(wall_s=None), "wall_s is None, not a finite number"),
    "notes a string": (lambda h, _: h.update(notes="x"), "notes is 'x', not a list"),
    "output unknown": (lambda h, _: h.update(outputs=["x"]), "outputs[0] is 'x', not one of in, h"),
    "layer of two": (lambda h, _: h["layers"].update(h=[9, [7]]), "layers.h is a list of 2, not a list of 3"),
    "layer too large": (
        lambda h, _: h["layers"].update(h=[9, [1 << 20, 1 << 20], 1]),
        "layers.h[1] is a list of 2, not 1 to 32 sizes of together at most 16777216 neurons",
    ),
    "layer elsewhere": (lambda h, _: h["layers"].update(h=[8, [7], 1]), "layers.h[0] is 8, not 9, where its ids begin"),
    "count below 0": (
        lambda h, _: h.update(counts=[["synop", 0, "p", -1]]),
        "counts[0][3] is -1, not a whole number from 0 to 9223372036854775807",
    ),
    "usage of more": (lambda h, _: h["usage"][0][1].update(x=1), "usage[0][1] has an unknown 'x'"),
    "memory unknown": (lambda h, _: h.update(memory=[["x"], [], 0]), "memory[0][0] is 'x', not one of p, rec"),
    "latency by name": (
        lambda h, _: h["timing"]["latency_ps"].update(x=1),
        "timing.latency_ps is a table of 5, not a table by whole numbers",
    ),
    "spike of nobody": (at("spikes.neuron", 0, 99), "array 'spikes.neuron' holds 99, not numbers from 0 to 15"),
    "spike too late": (at("spikes.tick", 0, 99), "array 'spikes.tick' holds 99, not numbers from 0 to 16"),
    "unsorted": (
        at("spikes.presentation", 0, 4),
        "spikes are not sorted by presentation, tick, channel and neuron",
    ),
    "probe of nobody": (
        lambda _, a: a.update({"probes.x.v": a["probes.h.v"]}),
        "array 'probes.x.v' is of a population that layers lacks",
    ),
    "probe cut": (
        lambda _, a: a.update({"probes.h.v": a["probes.h.v"][:1]}),
        "array 'probes.h.v' has shape (1, 17, 7) and dtype int64, not 5 x 17 x 7 of int64",
    ),
    "lengths cut": (
        lambda _, a: a.update({"ticks.lengths": np.array([1])}),
        "array 'ticks.lengths' has shape (1,) and dtype int64, not 5 of int64",
    ),
    "an array more": (lambda _, a: a.update(x=np.zeros(2)), "there is an unknown array 'x'"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_run_is_refused_by_its_value(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run"
    change, text = DAMAGES[kind]
    rewritten(path, change)
    with fails(FileError, f"{path}: the run is damaged, {text}; run the image again"):
        ne.load_run(path)


def test_a_run_taken_apart_comes_back(tmp_path: Path) -> None:
    """The same road with nothing changed: the run, its time and its memory."""
    rewritten(tmp_path / "run", lambda *_: None)
    again, run = ne.load_run(tmp_path / "run"), timed_run()
    assert len(run.spikes) > 0
    assert run.timing is not None
    assert run.differs(again) is None
    assert again.memory.digest == run.memory.digest
    assert again.time_ps == run.time_ps


def test_a_run_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    """A datasheet's units and names are no ASCII: a locale that is must not lose the run."""
    sheet, image, folder = tmp_path / "mine.toml", tmp_path / "a.image", tmp_path / "run"
    text = "# 5 \N{MICRO SIGN}W \N{SNOWMAN}\n" + (shelf.folder("cores") / "generic45.toml").read_text(encoding="utf-8")
    sheet.write_bytes(text.encode())
    soma = ne.Firmware("lif", {"decay_v": 0, "threshold": 5, "bias": 2})
    ne.compile(ne.Network([ne.Population("o", 2, soma)], [], outputs=["o"]), ne.load_chip(sheet)).save(image)
    code = "import sys, neuroemu as ne; ne.run(ne.load_image(sys.argv[1]), ticks=10, engine='python').save(sys.argv[2])"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code, image, folder], env={**os.environ, **ascii_only}, check=True)
    assert (folder / "chip.toml").read_bytes() == text.encode()
    assert ne.load_run(folder).spikes.tick.tolist() == [2, 2, 5, 5, 8, 8]
