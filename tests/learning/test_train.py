"""Training: learns, is cut and resumed with the same bits, evaluates without a trace, and refuses what does not belong together."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails
from lessons import CLASSES, N_IN, READOUT, TEACH, dataset, encode, image, task, train

import neuroemu as ne
from neuroemu.learning.samples import Encode


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


SPLITS = [
    {"engine": "event"},
    {"engine": "cpu"},
    {"engine": "cpu", "workers": 2},
    {"engine": "cpu", "workers": 3, "lanes": 2},
]


@pytest.mark.parametrize("how", SPLITS)
def test_every_engine_learns_the_same_bits(how: dict[str, Any]) -> None:
    few = {"n": 40, "epochs": 1, "commit_every": 4}
    one, other = train(**few), train(**few, **how)
    assert any(weight.any() for weight in one.memory.weights.values())
    assert one.memory.digest == other.memory.digest


# ---- labels do not leak
def test_labels_do_not_leak(trained: ne.Training) -> None:
    """Evaluation reads no label, leaves every register as it was, and shuffled labels are met by chance (binomial, 4 sigma)."""
    samples = dataset(400, 4)
    before = {name: array.copy() for name, array in {**trained.memory.weights, **trained.memory.registers}.items()}
    image, memory = trained.image.digest, trained.memory.digest
    how = {"encode": encode, "engine": "python", "memory": trained.memory}
    assert ne.evaluate(trained.image, samples, **how) > 0.9
    rng = np.random.default_rng(6)
    shares = []
    for _ in range(3):
        shuffled = ne.Dataset(samples.inputs, rng.permutation(samples.labels), "shuffled", CLASSES)
        shares.append(ne.evaluate(trained.image, shuffled, **how))
    answered = np.bincount(samples.labels, minlength=CLASSES) / len(samples)
    chance, sigma = float(np.sum(answered**2)), np.sqrt(0.25 * 0.75 / len(samples))
    assert all(abs(share - chance) < 4 * sigma for share in shares)
    assert (trained.image.digest, trained.memory.digest) == (image, memory)
    for name, array in {**trained.memory.weights, **trained.memory.registers}.items():
        assert np.array_equal(array, before[name])


def test_a_training_on_shuffled_labels_learns_nothing_of_the_test_labels() -> None:
    inputs, labels = task(200, 1)
    shuffled = np.random.default_rng(8).permutation(labels)
    done = ne.train(image(), (inputs, shuffled), test=dataset(400, 4), encode=encode, engine="python")
    assert done.memory.weights["p"].any()
    assert abs((done.history[0].test_accuracy or 0) - 1 / CLASSES) < 0.2


# ---- stopping early
def test_patience_stops_and_the_last_epoch_counts(tmp_path: Path) -> None:
    how = {"n": 60, "test": dataset(100, 2), "epochs": 9, "patience": 2}
    done = train(**how, checkpoint=tmp_path / "c.npz")
    accuracies = [epoch.test_accuracy or 0 for epoch in done.history]
    assert done.stopped_early
    assert len(accuracies) < 9
    best = int(np.argmax(accuracies))
    assert len(accuracies) == best + 3
    plain = train(n=60, epochs=len(accuracies))
    assert plain.memory.digest == done.memory.digest
    assert not plain.stopped_early
    again = train(**how, checkpoint=tmp_path / "c.npz")
    assert again.memory.digest == done.memory.digest
    assert again.stopped_early


# ---- an unsupervised rule, read out by vote
def test_a_vote_labels_neurons_after_learning() -> None:
    network = ne.Network(
        [ne.Population("in", N_IN, ne.HostInput()), ne.Population("out", 12, ne.Firmware("if", {"threshold": 1}))],
        [ne.Projection("in", "out", np.zeros((N_IN, 12)), "p")],
        outputs=["out"],
    )
    built = ne.compile(ne.wire(network, "wta_stdp", theta=8.0, alpha=0.1), ne.load_chip("atlas"))
    samples, test = dataset(120, 1), dataset(80, 2)
    done = ne.train(built, samples, test=test, ticks=12, engine="python")
    assert (done.memory.weights["p"] != built.projections[0].parts[0].weight).mean() > 0.3
    last = done.history[-1]
    assert last.train_accuracy > 0.5
    assert (last.test_accuracy or 0) > 0.5
    assert done.neuron_labels is not None
    assert set(done.neuron_labels) <= {-1, *range(CLASSES)}
    how = {"ticks": 12, "engine": "python", "memory": done.memory}
    assert ne.evaluate(built, test, neuron_labels=done.neuron_labels, **how) == last.test_accuracy
    text = "a vote needs the labels of the neurons; give neuron_labels, such as Training.neuron_labels"
    with fails(ne.RunError, text):
        ne.evaluate(built, test, **how)


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
    with fails(ne.RunError, "label 4 has no neuron: output 'out' has 4; use labels 0..3, or a larger output"):
        ne.train(image(), (inputs, [0, 1, 4]), **how)
    with fails(ne.RunError, "nothing in the image learns; wire a rule into the network, or freeze less of it"):
        ne.train(image(), (inputs, [0, 1, 2]), frozen=["p"], **how)


def test_numbers_that_make_no_training() -> None:
    text = "lanes is 4, commit_every 3; what runs side by side is committed together, use 1 to 3"
    with fails(ne.RunError, text):
        train(commit_every=3, lanes=4)
    with fails(ne.RunError, "epochs is 0; train for at least 1"):
        train(epochs=0)
    with fails(ne.RunError, "patience is 0; wait for at least 1 epoch"):
        train(patience=0)
    with fails(ne.RunError, "patience waits for a better test accuracy and there is no test data; give test"):
        train(patience=1)


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
    path = rule_file(
        tmp_path, "from numpy import nonsense_of_mine\ndef wire(network, projections, output):\n    pass\n"
    )
    text = f"{path}: cannot be loaded (ImportError: cannot import name 'nonsense_of_mine' from 'numpy' ({np.__file__})); correct the file"
    with fails(ne.FirmwareError, text):
        ne.wire(network(), path)
    path = rule_file(tmp_path, "def wire(network, projections, output):\n    return 1 / 0\n")
    text = f"{path}: wire failed (ZeroDivisionError: division by zero); check the options, or correct the file"
    with fails(ne.FirmwareError, text):
        ne.wire(network(), path)
    path = rule_file(tmp_path, "def wire(network, projections, output):\n    return 3\n")
    with fails(ne.FirmwareError, f"{path}: wire returned a int; return a Network"):
        ne.wire(network(), path)


def test_layers_of_a_chain() -> None:
    assert [projection.label for projection in ne.layers(network(), ["p"])] == ["p"]
    text = "projections none do not form one chain from an input; name the layers of a feed-forward network"
    with fails(ne.NetworkError, text):
        ne.layers(network(), [])


def test_the_encoder_is_a_plain_function() -> None:
    kept: Encode = encode
    assert kept(np.ones((1, N_IN), int), 0).n == 1
