"""Training: learns, is cut and resumed with the same bits, evaluates without a trace, and refuses what does not belong together."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import firmware
from fails import fails

import neuroemu as ne
from neuroemu.samples import Encode

TEACH = firmware("teach")
N_IN, CLASSES = 16, 4
READOUT = ("out", "v")


def task(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy copies of one random pattern a class, values 0 and 1."""
    patterns = np.random.default_rng(5).random((CLASSES, N_IN)) < 0.5
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    return (patterns[labels] ^ (rng.random((n, N_IN)) < 0.1)).astype(np.int64), labels


def encode(values: np.ndarray, first: int) -> ne.Stimulus:
    """Every one a packet in the first tick."""
    del first
    rows = np.zeros((2, len(values), N_IN), np.int64)
    rows[0] = values
    return ne.stimulus(rows, {"in": N_IN})


def image() -> ne.Image:
    plain = ne.Network(
        [ne.Population("in", N_IN, ne.HostInput()), ne.Population("out", CLASSES, ne.Firmware("li", {"decay_v": 0}))],
        [ne.Projection("in", "out", np.zeros((N_IN, CLASSES)), "p")],
        outputs=["out"],
    )
    return ne.compile(ne.wire(plain, TEACH), ne.load_chip("atlas"), align=False)


def train(n: int = 300, **how: Any) -> ne.Training:
    inputs, labels = task(n, 1)
    given = {"encode": encode, "output": "out", "readout": READOUT, "engine": "python", "epochs": 2} | how
    return ne.train(
        how.pop("image", None) or image(), (inputs, labels), **{k: v for k, v in given.items() if k != "image"}
    )


@pytest.fixture(scope="module")
def trained() -> ne.Training:
    return train(test=task(200, 2))


def test_it_learns_and_says_what_it_cost(trained: ne.Training, tmp_path: Path) -> None:
    first, last = trained.history
    assert last.test_accuracy is not None
    assert last.test_accuracy > 0.9
    assert last.train_accuracy > first.train_accuracy > 1 / CLASSES
    assert 0 < last.learning_fj < last.energy_fj
    assert trained.memory.commits == 600
    trained.save_history(tmp_path / "h.json")
    assert json.loads((tmp_path / "h.json").read_text())[1]["test_accuracy"] == last.test_accuracy
    trained.save_history(tmp_path / "h.csv")
    with (tmp_path / "h.csv").open() as file:
        assert float(list(csv.DictReader(file))[1]["train_accuracy"]) == last.train_accuracy


def test_the_trained_image_needs_no_memory_and_evaluation_leaves_no_trace(trained: ne.Training) -> None:
    test, labels = task(200, 2)
    before = trained.image.digest
    right = ne.evaluate(trained.image, (test, labels), encode=encode, readout=READOUT, engine="python")
    assert right == trained.history[-1].test_accuracy
    assert trained.image.digest == before
    shuffled = np.random.default_rng(3).permutation(labels)
    chance = ne.evaluate(trained.image, (test, shuffled), encode=encode, readout=READOUT, engine="python")
    assert abs(chance - 1 / CLASSES) < 0.1
    run = ne.run(trained.image, encode(test, 0), engine="python")
    assert run.memory.digest == ne.Memory(trained.memory.weights, {}, 0).digest


@pytest.mark.parametrize("how", [{"engine": "event"}, {"engine": "cpu"}, {"engine": "cpu", "workers": 2}])
def test_every_engine_learns_the_same_bits(how: dict[str, Any]) -> None:
    few = {"n": 40, "epochs": 1, "commit_every": 4}
    one, other = train(**few), train(**few, **how)
    assert any(weight.any() for weight in one.memory.weights.values())
    assert one.memory.digest == other.memory.digest


class CutError(Exception):
    """As Ctrl-C would."""


def test_a_training_that_is_cut_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    inputs, labels = task(700, 1)
    whole = train(700, commit_every=3)
    path = tmp_path / "c.npz"

    def stop(stage: str, done: int, total: int) -> None:
        del total
        if stage.startswith("epoch 2 of 2:") and done > 400:
            raise CutError

    with pytest.raises(CutError):
        train(700, commit_every=3, checkpoint=path, progress=stop)
    assert path.exists()
    again = train(700, commit_every=3, checkpoint=path)
    assert again.memory.digest == whole.memory.digest
    assert [epoch.train_accuracy for epoch in again.history] == [epoch.train_accuracy for epoch in whole.history]
    assert [epoch.energy_fj for epoch in again.history] == [epoch.energy_fj for epoch in whole.history]
    text = f"{path}: is the checkpoint of a training with another seed; remove it, or choose another path"
    with fails(ne.FileError, text):
        train(700, commit_every=3, checkpoint=path, seed=1)
    path.write_bytes(path.read_bytes()[:-40])
    with fails(ne.FileError, f"{path}: the checkpoint is damaged; remove it to start anew"):
        train(700, commit_every=3, checkpoint=path)
    folder = tmp_path / "folder"
    folder.mkdir()
    with fails(ne.FileError, f"{folder}: cannot be read (Is a directory); give the path of a checkpoint"):
        ne.train(image(), (inputs, labels), encode=encode, output="out", readout=READOUT, checkpoint=folder)


def test_labels_and_readouts_that_do_not_belong() -> None:
    inputs, _ = task(3, 1)
    how: dict[str, Any] = {"encode": encode, "output": "out", "readout": READOUT, "engine": "python"}
    with fails(ne.RunError, "2 labels for 3 samples; give one a sample, and at least one sample"):
        ne.train(image(), (inputs, [0, 1]), **how)
    with fails(ne.RunError, "register 'u' of population 'out' is not probed; add it to the network's probes"):
        ne.train(image(), (inputs, [0, 1, 2]), **how | {"readout": ("out", "u")})


# ---- wiring
def network() -> ne.Network:
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 2, ne.Firmware("li", {"decay_v": 0}))],
        [ne.Projection("in", "out", np.zeros((2, 2)), "p")],
        outputs=["out"],
    )


def rule_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "r.py"
    path.write_text(text)
    return str(path)


def test_what_wire_cannot_take_is_refused(tmp_path: Path) -> None:
    with fails(ne.UnknownNameError, "no projection named 'q'; there are: p"):
        ne.wire(network(), TEACH, projections=["q"])
    with fails(
        ne.UnknownNameError, "no option of rule 'teach' named 'rat'; did you mean 'rate'? there are: rate, seed"
    ):
        ne.wire(network(), TEACH, rat=3)
    path = rule_file(tmp_path, "x = 1\n")
    with fails(ne.FirmwareError, f"{path}: has no function wire(network, projections, output, **options); add one"):
        ne.wire(network(), path)
    path = rule_file(tmp_path, "import nonsense_of_mine\n")
    text = f"{path}: cannot be loaded (ModuleNotFoundError: No module named 'nonsense_of_mine'); correct the file"
    with fails(ne.FirmwareError, text):
        ne.wire(network(), path)
    path = rule_file(tmp_path, "def wire(network, projections, output):\n    return 3\n")
    with fails(ne.FirmwareError, f"{path}: wire returned a int; return a Network"):
        ne.wire(network(), path)


def test_layers_of_a_chain() -> None:
    from neuroemu.wiring import layers

    assert layers(network(), ["p"]) == ["p"]
    text = "projections none do not form one chain from an input; name the layers of a feed-forward network"
    with fails(ne.NetworkError, text):
        layers(network(), [])


def test_the_encoder_is_a_plain_function() -> None:
    kept: Encode = encode
    assert kept(np.ones((1, N_IN), int), 0).n == 1
