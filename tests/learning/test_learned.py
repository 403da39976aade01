"""What was learned, back as a float network: through NIR, in the units of the network, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.learning.encode import ttfs

TICKS = 100


def chain(hidden: int, n_out: int, n_in: int, rule: str, **options: object) -> ne.Network:
    sizes = {"input": n_in, "hidden": hidden, "output": n_out}
    populations = [ne.Population(name, n, ne.IF() if name != "input" else ne.HostInput()) for name, n in sizes.items()]
    projections = [
        ne.Projection("input", "hidden", np.zeros((n_in, hidden)), "w1"),
        ne.Projection("hidden", "output", np.zeros((hidden, n_out)), "w2"),
    ]
    return ne.wire(ne.Network(populations, projections, outputs=["output"]), rule, **options)


def dense(samples: ne.Dataset) -> np.ndarray:
    """First spikes as the training encodes them, shape (ticks, samples, neurons)."""
    events = ttfs(samples.inputs, TICKS, top=samples.top, window=TICKS // 2).events["input"]
    rows = np.zeros((TICKS, len(samples), int(np.prod(samples.shape))), np.int64)
    count = np.diff(events.indptr, axis=1)
    sample, row = np.indices(count.shape)
    rows[np.repeat(row.ravel(), count.ravel()), np.repeat(sample.ravel(), count.ravel()), events.neuron] = 1
    return rows


def test_a_rule_s_neurons_as_float_models_spike_nearly_alike() -> None:
    rng = np.random.default_rng(0)
    network = chain(12, 5, 10, "sfdfa", threshold=0.2, output_threshold=0.2, seed=3)
    inputs = np.zeros((TICKS, 30, 10), np.int64)
    inputs[rng.integers(0, TICKS // 2, (30, 10)), np.arange(30)[:, None], np.arange(10)] = 1
    chip = ne.run(ne.compile(network, ne.load_chip("atlas")), inputs, engine="python")
    model = ne.simulate(ne.learned(network, ne.compile(network, ne.load_chip("atlas"))), inputs)
    counts = chip.probes["output", "n"][:, -1], model.spikes["output"].sum(axis=1)
    assert counts[0].sum() > 100
    assert np.abs(counts[0] - counts[1]).max() <= 2
    assert np.mean(counts[0] != counts[1]) < 0.3


@pytest.mark.slow
def test_sfdfa_learns_digits_and_goes_on_as_a_nir_file(tmp_path: Path) -> None:
    """Trained in the chip's integers, simulated in float from the file: nearly the same answers."""
    samples, test = ne.load_dataset("digits")
    network = chain(30, 10, 64, "sfdfa", seed=1)
    done = ne.train(ne.compile(network, ne.load_chip("atlas")), samples, epochs=4, test=test)
    trained = done.history[-1].test_accuracy
    assert trained is not None
    assert trained > 0.8
    ne.write_nir(ne.learned(network, done.image), tmp_path / "trained.nir")
    read = ne.read_nir(tmp_path / "trained.nir")
    assert {type(p.neuron) for p in read.populations} == {ne.HostInput, ne.CubaLIF}
    inputs = dense(test)
    simulated = ne.simulate(read, inputs)
    assert abs(simulated.accuracy(test.labels) - trained) < 0.05
    chip = ne.run(done.image, inputs, engine="cpu")
    register = done.image.probes[0][1]
    assert np.mean(chip.probes["output", register][:, -1].argmax(axis=1) == simulated.prediction) > 0.9
    untrained = ne.simulate(ne.learned(network, ne.compile(network, ne.load_chip("atlas"))), inputs)
    assert untrained.accuracy(test.labels) < 0.5


def stdp_network() -> ne.Network:
    rng = np.random.default_rng(0)
    network = ne.Network(
        [ne.Population("in", 8, ne.HostInput()), ne.Population("out", 4, ne.LIF(tau=1e-3, r=10.0, v_threshold=2.0))],
        [ne.Projection("in", "out", rng.uniform(0.2, 1, (8, 4)), "p"), ne.Projection("out", "out", -np.eye(4), "rest")],
        outputs=["out"],
    )
    return ne.wire(network, "stdp", projections=["p"], low=-100, high=1000, a_plus=40, a_minus=30)


def test_learned_weights_come_back_in_the_units_of_the_network(tmp_path: Path) -> None:
    network = stdp_network()
    image = ne.compile(network, ne.load_chip("atlas"))
    same = ne.learned(network, image)
    given = network.projection("p").weight
    back = same.projection("p").weight
    assert isinstance(back, ne.Sparse)
    before = np.asarray(back.weight).reshape(8, 4)
    assert np.abs(before - given).max() < 0.01  # type: ignore[operator]
    inputs = (np.random.default_rng(1).random((40, 3, 8)) < 0.5).astype(int)
    run = ne.run(image, inputs, plastic=True, engine="python")
    trained = ne.learned(network, ne.with_memory(image, run.memory))
    after = np.asarray(trained.projection("p").weight.weight).reshape(8, 4)  # type: ignore[union-attr]
    assert np.abs(after - before).max() > 0.05
    again = ne.compile(trained, ne.load_chip("atlas"))
    scales = [one.losses[0].scale for one in (image, again)]
    stored = again.projections[0].parts[0].weight.reshape(8, 4) / scales[1]
    assert np.allclose(stored, run.weights["p"].reshape(8, 4) / scales[0], atol=2 / min(scales))
    ne.write_nir(trained, tmp_path / "t.nir")
    read = ne.read_nir(tmp_path / "t.nir")
    assert type(read.population("out").neuron) is ne.LIF


def test_what_no_float_model_describes_is_refused() -> None:
    network = chain(5, 3, 6, "spikegrad")
    image = ne.compile(network, ne.load_chip("atlas"))
    text = (
        "population 'hidden' runs program 'spikegrad.hidden' in register units, which no float model describes: NIR cannot hold it; "
        "save the trained image instead"
    )
    with fails(ne.NetworkError, text):
        ne.learned(network, image)
    text = "the image has other populations or projections than the network; give the network it was compiled from, rule wired"
    with fails(ne.NetworkError, text):
        ne.learned(chain(5, 3, 6, "sfdfa"), image)


def test_as_float_of_a_rule_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    source = Path(__file__).parents[1] / "firmware" / "teach.py"
    path.write_text(source.read_text() + "\n\ndef as_float(program, params, dt):\n    return 3\n")
    plain = ne.Network(
        [ne.Population("in", 3, ne.HostInput()), ne.Population("out", 2, ne.Firmware("li", {"decay_v": 0}))],
        [ne.Projection("in", "out", np.zeros((3, 2)), "p")],
        outputs=["out"],
    )
    network = ne.wire(plain, str(path))
    image = ne.compile(network, ne.load_chip("atlas"))
    with fails(ne.FirmwareError, f"{path}: as_float returned 3; return (neuron, unit of its weights, conventions)"):
        ne.learned(network, image)
    text = path.read_text()
    path.write_text(text.replace("return 3\n", "return 1 / 0\n"))
    with fails(ne.FirmwareError, f"{path}: as_float failed (ZeroDivisionError: division by zero); correct the file"):
        ne.learned(network, image)
    path.write_text(
        text.replace("return 3\n", "return ne.LI(tau=1e9), 'much', {}\n").replace(
            "from neu", "import neuroemu as ne\nfrom neu", 1
        )
    )
    with pytest.raises(
        ne.FirmwareError, match=r"as_float returned \(LI\(.*\), 'much', {}\); return \(neuron, unit of its weights"
    ):
        ne.learned(network, image)
    path.write_text(text.replace("return 3\n", "import neuroemu as ne\n    return ne.LI(tau=1e9), 0.5, {}\n"))
    part = image.projections[0].parts[0]
    trained = replace(image.projections[0], parts=(replace(part, weight=np.arange(6, dtype=np.int32)),))
    found = ne.learned(network, replace(image, projections=(trained,)))
    assert np.asarray(found.projection("p").weight.weight).tolist() == [0, 0.5, 1, 1.5, 2, 2.5]  # type: ignore[union-attr]


def test_a_population_called_output_goes_through_nir(tmp_path: Path) -> None:
    network = ne.Network(
        [ne.Population("input", 2, ne.HostInput()), ne.Population("output", 3, ne.LIF(tau=1e-2, r=100.0))],
        [ne.Projection("input", "output", np.ones((2, 3)), "w")],
        outputs=["output"],
    )
    ne.write_nir(network, tmp_path / "o.nir")
    read = ne.read_nir(tmp_path / "o.nir")
    assert read.outputs == ("output",)
    assert read.population("output").n == 3
