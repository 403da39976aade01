"""A program that a datasheet allows by name is allowed by the path of its file too, and no other file of that name is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.shelf import admitted, folder
from neuroemu.chip.chip import parse_chip

NEURONS, RULES = folder("firmware") / "neurons", folder("firmware") / "rules"


def network(neuron: str, rule: str | None = None) -> ne.Network:
    params = {"threshold": 7} | ({"thetamem": 3, "theta1": 0, "theta2": 7, "theta3": 7, "caleak": 0} if rule else {})
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("p", 2, ne.Firmware(neuron, params))],
        [ne.Projection("in", "p", [[7, 2], [3, 5]], routes={"input": [("exc", "weight")]}, rule=rule)],
    )


def test_a_named_program_admits_its_file_and_counts_as_by_name(tmp_path: Path) -> None:
    """Through a link as well; the image is the one made by name, a time reference a tick included."""
    chip, path = ne.load_chip("odin"), NEURONS / "odin.py"
    (tmp_path / "mine.py").symlink_to(path)
    by_name = ne.compile(network("odin"), chip)
    x = np.ones((5, 2), int)
    visits = ne.run(by_name, x, engine="python").counts["visit"]
    assert visits == 256 * (2 * 5 + 6)
    for spelled in (path, os.path.relpath(path), tmp_path / "mine.py"):
        image = ne.compile(network(str(spelled)), chip)
        assert image.digest == by_name.digest
        assert ne.run(image, x, engine="python").counts["visit"] == visits
    assert [fact.program for fact in ne.check_file(path, chip, {})] == ["odin"]


def test_a_rule_and_its_neuron_too() -> None:
    chip, path = ne.load_chip("odin"), RULES / "odin_sdsp.py"
    image = ne.compile(network(f"{path}.neuron", f"{path}.synapse"), chip)
    assert image.digest == ne.compile(network("odin_sdsp.neuron", "odin_sdsp.synapse"), chip).digest
    assert {fact.program for fact in ne.check_file(path, chip, {})} == {"odin_sdsp.neuron", "odin_sdsp.synapse"}


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "odin.py"
    copy.write_text((NEURONS / "odin.py").read_text().replace("255", "250"))
    runs = "odin, odin_event, odin_sdsp.neuron (odin)"
    with fails(
        ne.UnsupportedError,
        f"population 'p': program '{copy}' is not in odin, which runs {runs}; use one of these, or a chip such as generic45",
    ):
        ne.compile(network(str(copy)), ne.load_chip("odin"))
    with fails(
        ne.UnsupportedError,
        f"{copy}: odin runs only the neuron programs {runs}; choose a chip that runs any, such as generic45",
    ):
        ne.check_file(copy, ne.load_chip("odin"), {})


def test_a_datasheet_may_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(NEURONS / "odin_event.py", tmp_path / "own.py")
    monkeypatch.chdir(tmp_path)
    text = ne.load_chip("odin").text.replace('names = ["odin", "odin_event", ', 'names = ["odin", "./own.py", ')
    chip = parse_chip(text, "mine.toml")
    by_name = ne.compile(network("./own.py"), chip)
    assert ne.compile(network(str(tmp_path / "own.py")), chip).digest == by_name.digest
    assert admitted(["./own.py", "no such program"], "own.py") == "./own.py"
    assert admitted(["./own.py", "no such program"], "no such program") == "no such program"
    assert admitted(["./gone.py"], "./also_gone.py") is None
