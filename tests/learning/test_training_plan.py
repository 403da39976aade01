"""A training from a TOML file or a NIR file: followed, refused by key, and written where it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import firmware
from fails import fails

import neuroemu as ne
from neuroemu.cli.main import main
from neuroemu.learning.training_plan import follow, load_plan, network_of, plan_of

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
        f"[watch]\nweights = ['w2[3, 5]']\nangles = [['w2.back', 'w2']]\nevery = 3\n[write]\nwatch = '{tmp_path / 'w.npz'}'\n"
    )
    assert shell("train", str(path)) == 0
    seen = ne.Watch.load(tmp_path / "w.npz")
    assert seen.presentations.tolist() == [0, 3, 6]
    assert seen.series["weight.w2[3, 5]"].shape == (3, 1)
    assert seen.series["angle.w2.back"].tolist() == [0, 0, 0]
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


SFDFA: dict[str, Any] = {"layers": [10], "data": {"name": "digits"}, "rule": {"name": "sfdfa", "options": {"seed": 3}}}


def listener(seen: dict[str, Any]) -> Callable[..., ne.Training]:
    """An ne.train that only notes what it is given."""

    def train(image: ne.Image, dataset: ne.Dataset, **given: Any) -> ne.Training:
        seen.update(given, image=image, dataset=dataset)
        return ne.Training(image, ne.Memory(), ())

    return train


def test_every_key_of_a_plan_reaches_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file says is what ne.train is given."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr("neuroemu.learning.training_plan.train", listener(seen))
    how = {
        "epochs": 7, "commit_every": 4, "lanes": 2, "seed": 5, "engine": "event", "workers": 3, "readout": "n", "frozen": ["w1"],
        "patience": 6, "checkpoint": "c.npz", "every_s": 3.5,
    }  # fmt: skip
    data = {"name": "digits", "encoder": "ttfs", "ticks": 30, "options": {"window": 9}, "train": 25}
    schedule = {"w1.rate": {"0": 16, "4": 17}, "output": {"yes": {"2": 12}}}
    follow(plan_of({**SFDFA, "data": data, "training": how, "schedule": schedule}, "p"))
    assert {name: seen[name] for name in how} == how
    assert seen["schedule"] == {"w1.rate": {0: 16, 4: 17}, "output.yes": {2: 12}}
    assert len(seen["dataset"]) == 25
    assert len(seen["test"]) == 450
    stimulus = seen["encode"](seen["dataset"].inputs[:2], 3)
    assert (stimulus.rows, stimulus.n) == (30, 2)
    assert np.diff(stimulus.events["input"].indptr[0])[9:].sum() == 0


def test_without_ticks_the_phases_say_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("neuroemu.learning.training_plan.train", listener(seen))
    follow(plan_of(SFDFA, "p"))
    assert seen["encode"](np.zeros((1, 64), int), 0).rows == 100
    follow(plan_of({**SFDFA, "layers": [5, 10], "rule": {"name": "spikegrad"}}, "p"))
    assert seen["encode"](np.full((1, 64), 4), 0).events["input"].payload.tolist() == [4] * 64


def test_the_command_writes_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    plain, out = tmp_path / "n.nir", tmp_path / "t.nir"
    ne.write_nir(network_of(plan_of(SFDFA, "x"), ne.load_dataset("digits")[0]), plain)
    asked = ["train", str(plain), "--rule", "sfdfa", "--data", "digits", "--train", "3", "--engine", "python", "--commit-every", "2",
             "--network-out", str(out), "--history", str(tmp_path / "h.json"), "--json"]  # fmt: skip
    monkeypatch.setattr("neuroemu.learning.training_plan.load_dataset", few)
    assert shell(*asked) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == json.loads((tmp_path / "h.json").read_text())
    assert type(ne.read_nir(out).population("output").neuron) is ne.CubaLIF
    assert shell(*asked, "--freeze", "w9", "--force") == 2
    assert "no projection or population (frozen) named 'w9'" in capsys.readouterr().err


def few(name: str) -> tuple[ne.Dataset, ne.Dataset]:
    """The data set with five test samples."""
    train, test = ne.load_dataset(name)
    return train, test.take(range(5))


REFUSED = [
    (
        {"schedule": {"p.rate": {"x": 1}}},
        'p: schedule: expected a whole number, got a text in quotes; write for example "w1.rate" = { 0 = 16, 4 = 17 }, values by '
        "epoch",
    ),
    (
        {"schedule": {"p.rate": 3}},
        'p: schedule: expected a table, got a whole number; write for example "w1.rate" = { 0 = 16, 4 = 17 }, values by epoch',
    ),
    (
        {"training": {"lanes": 0}},
        "p: training.lanes: expected a whole number of at least 1; docs/training.md lists the keys",
    ),
    (
        {"training": {"patience": 0}},
        "p: training.patience: expected a whole number of at least 1; docs/training.md lists the keys",
    ),
    (
        {"training": {"frozen": "w1"}},
        "p: training.frozen: expected a list, got a text in quotes; docs/training.md lists the keys",
    ),
    (
        {"training": {"readout": 3}},
        "p: training.readout: expected a text in quotes, got a whole number; docs/training.md lists the keys",
    ),
    (
        {"write": {"network": 1}},
        "p: write.network: expected a text in quotes, got a whole number; docs/training.md lists the keys",
    ),
    (
        {"watch": {"every": 0}},
        "p: watch.every: expected a whole number of at least 1; docs/training.md lists the keys",
    ),
    (
        {"watch": {"angles": [["w2.back"]]}},
        "p: watch.angles[0]: expected a list of 2, got 1; docs/training.md lists the keys",
    ),
    (
        {"write": {"watch": 1}},
        "p: write.watch: expected a text in quotes, got a whole number; docs/training.md lists the keys",
    ),
    ({"layer": [10]}, "p: there is no key 'layer'; docs/training.md lists the keys"),
    (
        {"data": {**DATA, "ticks": 0}},
        "p: data.ticks: expected a whole number of at least 1; docs/training.md lists the keys",
    ),
    (
        {"training": {"lanes": 3, "commit_every": 2}},
        "p: training.lanes is 3, training.commit_every 2; what runs side by side is committed together, use 1 to 2",
    ),
    ({"layers": []}, "p: states neither network nor layers; state one"),
    ({"network": "n.nir"}, "p: states both network and layers; leave out one"),
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
    with fails(ne.RunError, "nothing in the image learns; wire a rule into the network, or freeze less of it"):
        follow(plan_of({**PLAN, "rule": {"name": str(rule)}}, "p"))
    text = "p: no projection or population (frozen) named 'w'; did you mean 'w1'? there are: output, w1"
    with fails(ne.UnknownNameError, text):
        follow(plan_of({**PLAN, "training": {"frozen": ["w"]}}, "p"), place="p")
    text = (
        "p: schedule 'w1.rate', epoch 2: rate is 99, its program takes 0..20; give one of these, or rescale the network"
    )
    with fails(ne.NetworkError, text):
        follow(plan_of({**PLAN, "schedule": {"w1": {"rate": {"2": 99}}}}, "p"), place="p")
    lost = tmp_path / "none" / "t.image"
    with fails(ne.FileError, f"{lost}: its folder does not exist; make it, or choose another path"):
        follow(plan_of({**PLAN, "write": {"image": str(lost)}}, "p"))
    text = (
        "population 'output' runs program 'spikegrad.output' in register units, which no float model describes: NIR cannot hold it; "
        "save the trained image instead"
    )
    spikegrad = {"layers": [3, 10], "rule": {"name": "spikegrad"}, "write": {"network": str(tmp_path / "t.nir")}}
    text = text.replace("'output' runs program 'spikegrad.output'", "'hidden1' runs program 'spikegrad.hidden'")
    with fails(ne.NetworkError, text):
        follow(plan_of({**PLAN, **spikegrad}, "p"))
