"""A training from a TOML file or a NIR file: followed, refused by key, and written where it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import firmware
from fails import fails

import neuroemu as ne
from neuroemu.cli import main
from neuroemu.training_plan import follow, load_plan, network_of, plan_of

TEACH = firmware("teach")
DATA = {"name": "digits", "encoder": "ttfs", "ticks": 2, "train": 300}
PLAN: dict[str, Any] = {"layers": [10], "data": DATA, "rule": {"name": TEACH}, "training": {"engine": "cpu"}}


def toml(path: Path, **write: str) -> Path:
    text = (
        f"layers = [10]\n[data]\nname = 'digits'\nencoder = 'ttfs'\nticks = 2\ntrain = 300\n[rule]\nname = '{TEACH}'\n"
    )
    text += "[write]\n" + "".join(f"{key} = '{value}'\n" for key, value in write.items())
    path.write_text(text)
    return path


def shell(*arguments: str) -> int:
    sys.argv = ["neuroemu", *arguments]
    try:
        main()
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_the_command_trains_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    image, history = tmp_path / "t.image", tmp_path / "h.csv"
    assert shell("train", str(toml(tmp_path / "p.toml", image=str(image), history=str(history))), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    accuracy = printed["epochs"][0]["test_accuracy"]
    assert accuracy > 0.6
    assert printed["warnings"] == []
    assert ne.load_image(image).digest == printed["image"]
    assert history.read_text().splitlines()[0].startswith("epoch,train_accuracy,test_accuracy")
    assert shell("train", str(toml(tmp_path / "p.toml")), "--epochs", "3") == 2
    text = f"neuroemu: {tmp_path / 'p.toml'}: option --epochs is for NIR files; say it in the TOML file"
    assert capsys.readouterr().err.strip() == text


def test_the_command_warns_of_what_learns_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds of 2^20 are out of reach of 16 bits of weight."""
    monkeypatch.setattr(sys, "argv", [])
    data = np.load(Path(ne.__file__).parent / "data" / "digits.npz")
    few = {
        "x_train": data["images"][:6],
        "y_train": data["labels"][:6],
        "x_test": data["images"][:9],
        "y_test": data["labels"][:9],
    }
    np.savez(tmp_path / "few.npz", **few)
    path = tmp_path / "p.toml"
    path.write_text(
        f"layers = [4, 9]\n[data]\nname = '{tmp_path / 'few.npz'}'\nencoder = 'ttfs'\nticks = 1\n"
        "[rule]\nname = 'spikegrad'\noptions = { f = 20 }\n[training]\nengine = 'python'\n"
    )
    assert shell("train", str(path)) == 0
    out = capsys.readouterr().out
    assert "warning: population 'hidden1': 4 of 4 neurons sent no spike in 6 presentations (warned of above 0%)" in out


def test_a_nir_file_is_trained_by_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    path = tmp_path / "n.nir"
    ne.write_nir(network_of(plan_of(PLAN, "x"), ne.load_dataset("digits")[0]), path)
    assert shell("train", str(path), "--rule", TEACH) == 2
    text = f"neuroemu: {path}: training a NIR file needs --rule and --data; give both, or a TOML file"
    assert capsys.readouterr().err.strip() == text


REFUSED = [
    ({"layer": [10]}, "p: Object contains unknown field `layer`; docs/training.md lists the keys"),
    ({"data": {**DATA, "ticks": 0}}, "p: Expected `int` >= 1 - at `$.data.ticks`; docs/training.md lists the keys"),
    ({"layers": []}, "p: states neither of network and layers; state one"),
    ({"network": "n.nir"}, "p: states both of network and layers; state one"),
]


@pytest.mark.parametrize(("change", "text"), REFUSED, ids=[text[:30] for _, text in REFUSED])
def test_a_plan_is_refused_by_key(change: dict[str, Any], text: str) -> None:
    with fails(ne.NetworkError, text):
        plan_of({**PLAN, **change}, "p")


def test_what_a_plan_cannot_do(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("layers = [")
    with fails(ne.NetworkError, f"{path}: not TOML: Invalid value (at end of document); correct the syntax"):
        load_plan(path)
    with fails(ne.UnknownNameError, "no engine (p) named 'gpu'; did you mean 'cpu'? there are: cpu, event, python"):
        plan_of({**PLAN, "training": {"engine": "gpu"}}, "p")
    text = "layers end with 9 neurons, data set 'digits' has 10 classes; end with one neuron a class"
    with fails(ne.NetworkError, text):
        follow(plan_of({**PLAN, "layers": [9]}, "p"))
    rule = tmp_path / "silent.py"
    rule.write_text("def wire(network, projections, output):\n    return network\n")
    text = f"rule '{rule}' probes no register of population 'output'; nothing can be read out"
    with fails(ne.NetworkError, text):
        follow(plan_of({**PLAN, "rule": {"name": str(rule)}}, "p"))
