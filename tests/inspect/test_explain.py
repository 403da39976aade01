"""explain: dead, stuck and silent neurons of a network made for it; divergence of the digits against a computation of its own."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.cli.main import main
from neuroemu.inspect.reach import Reach, reach

DEMO = Path(ne.__file__).parent / "data" / "demo"
LIVE, DEAD, STUCK, ZEROED = range(4)


def handmade(**conventions: Any) -> ne.Network:
    """Hidden neurons: one alive, one that can never fire, one pulled down for ever, one of whose weights is lost to 9 bits."""
    weight = np.array([[0.8, 0.3, 0.5, 1.0], [0.5, -0.7, 0.5, 0.001]])
    hidden = ne.LIF(
        tau=[2e-4, 2e-4, np.inf, 2e-4], r=1.0, v_threshold=1.0, bias=[0.0, 0.0, -600.0, 0.0]
    )  # without input v halves every tick
    out = ne.LIF(tau=2e-4, v_threshold=1.0)
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("hidden", 4, hidden), ne.Population("out", 2, out)],
        [
            ne.Projection("in", "hidden", weight),
            ne.Projection("hidden", "out", np.array([[1.5, 0.0], [0.0, 2.0], [0.0, 2.0], [0.0, 0.0]])),
        ],
        outputs=["out"],
        conventions=ne.Conventions(gain="unit", **conventions),
    )


def always_on(rows: int = 25) -> np.ndarray:
    return np.ones((rows, 1, 2), int)


@pytest.fixture(scope="module")
def explanation() -> ne.Explanation:
    network = handmade()
    return ne.explain(network, ne.compile(network, ne.load_chip("loihi1")), always_on(), engine="python")


def test_a_neuron_that_can_never_fire_is_found_and_so_is_one_fed_by_such_neurons_only(
    explanation: ne.Explanation,
) -> None:
    hidden, out = explanation.neurons
    assert set(hidden.never) == {DEAD, STUCK}
    assert set(out.never) == {1}  # the two that would excite it never fire
    reached, threshold = hidden.never[DEAD]
    scale = explanation.losses[0].scale
    assert reached / scale == pytest.approx(2 * 0.3, rel=0.02)  # D * 4096 / decay_v with half a decay
    assert threshold / scale == pytest.approx(1.0, rel=0.02)
    assert hidden.silent == (DEAD, STUCK)
    assert hidden.silent_in_float == 2


def test_a_neuron_that_always_saturates_is_found(explanation: ne.Explanation) -> None:
    hidden, out = explanation.neurons
    assert hidden.stuck == hidden.always_saturated == (STUCK,)
    assert hidden.saturated == {STUCK: 1.0}
    assert out.saturated == {}
    assert explanation.saturations == {"hidden.v": 25}
    assert explanation.n_probed == 1


def test_a_weight_that_is_quantised_to_zero_is_counted(explanation: ne.Explanation) -> None:
    assert [loss.zeroed for loss in explanation.losses] == [1, 0]
    node = explanation.as_dict()["nodes"][0]
    assert 2 ** node["exponent"] == pytest.approx(explanation.losses[0].scale)
    assert explanation.weight_shift == 6


def test_always_firing_neurons_are_found() -> None:
    network = handmade(reset="subtract")
    found = ne.explain(network, ne.compile(network, ne.load_chip("generic45")), always_on(), engine="python")
    assert found.neurons[0].always == (LIVE, ZEROED)
    assert found.neurons[0].always_in_float == 2
    assert found.divergences[0].rate_chip >= 0.5


def test_text_is_readable(explanation: ne.Explanation) -> None:
    text = str(explanation)
    assert "explanation: loihi1 against float, 1 presentations of 25 ticks" in text
    reached, threshold = explanation.neurons[0].never[DEAD]
    assert f"can never fire: 2 of 4 neurons of 'hidden': 1 (v <= {reached}, threshold {threshold}), 2 (v <= " in text
    assert "always saturated: 1 of 4 neurons of 'hidden': 2\n" in text
    assert "silent on this input: 2 of 4 neurons of 'hidden' (2 in float): 1, 2\n" in text
    assert "25 results did not fit hidden.v and were narrowed\n" in text
    assert "bounds: v <= (u + bias) 4096 / decay_v, u <= (D + bias_u) 4096 / decay_u or the drive D itself: " in text
    assert max(len(line) for line in text.splitlines() if "──" in line) <= 118


def test_divergence_of_the_digits_equals_a_computation_of_its_own() -> None:
    inputs = np.load(DEMO / "digits_input.npz")["input"][:, :90]
    labels = np.load(DEMO / "digits_labels.npy")[:90]
    network = ne.read_nir(DEMO / "digits.nir")
    image = ne.compile(network, ne.load_chip("loihi1"), weight_bits=6)
    run = ne.run(image, inputs)
    found = ne.explain(network, image, inputs, labels, run=run)
    reference = ne.simulate(network, inputs)
    for one, depth in zip(found.divergences, (1, 2), strict=True):
        layer = run.layers[one.node]
        chip = {
            (int(p), int(t) - depth, int(i) - layer.id0)
            for p, t, i in zip(run.spikes.presentation, run.spikes.tick, run.spikes.neuron, strict=True)
            if layer.id0 <= i < layer.id0 + layer.n
        }
        floats = {tuple(map(int, where)) for where in np.argwhere(reference.spikes[one.node])}
        apart = chip ^ floats
        assert len(apart) > 100
        assert one.wrong == len(apart)
        assert one.bins == 90 * 20 * layer.n
        assert one.share == len(apart) / one.bins
        assert one.first == min(apart)
        assert one.chip_fired == (min(apart) in chip)
        assert one.rate_chip == pytest.approx(len(chip) / one.bins)
        assert one.rate_float == pytest.approx(len(floats) / one.bins)
        rates = np.zeros((2, layer.n))
        for side, spikes in enumerate((chip, floats)):
            for _, _, neuron in spikes:
                rates[side, neuron] += 1
        centred = rates - rates.mean(axis=1, keepdims=True)
        pearson = (centred[0] * centred[1]).sum() / np.sqrt((centred**2).sum(axis=1).prod())
        assert one.correlation == pytest.approx(pearson)
    assert found.accuracy_chip == run.accuracy(labels)
    assert found.accuracy_change == run.accuracy(labels) - reference.accuracy(labels)
    assert f"accuracy: {run.accuracy(labels):.2%} on the chip, {reference.accuracy(labels):.2%} in float" in str(found)


def test_a_verbatim_network_does_not_diverge() -> None:
    neuron = ne.IF(v_threshold=8.0)
    network = ne.Network(
        [ne.Population("in", 3, ne.HostInput()), ne.Population("out", 2, neuron)],
        [ne.Projection("in", "out", np.array([[3, 1], [2, -1], [4, 5]]))],
        outputs=["out"],
        conventions=ne.Conventions(gain="unit"),
    )
    inputs = (np.random.default_rng(1).random((40, 5, 3)) < 0.5).astype(int)
    found = ne.explain(network, ne.compile(network, ne.load_chip("generic45"), verbatim=True), inputs, engine="python")
    (only,) = found.divergences
    assert only.wrong == 0
    assert only.first is None
    assert only.rate_chip == only.rate_float > 0.1
    assert only.correlation == pytest.approx(1.0)
    assert "never" in str(found)
    assert found.accuracy_change is None


def test_a_read_out_is_compared_by_its_voltage() -> None:
    network = ne.Network(
        [ne.Population("in", 3, ne.HostInput()), ne.Population("out", 2, ne.LI(tau=1e-3))],
        [ne.Projection("in", "out", np.random.default_rng(2).normal(0, 1, (3, 2)))],
        outputs=["out"],
    )
    inputs = (np.random.default_rng(1).random((40, 5, 3)) < 0.5).astype(int)
    errors = []
    for bits in (4, 8):
        image = ne.compile(network, ne.load_chip("loihi1"), weight_bits=bits)
        (only,) = ne.explain(network, image, inputs, engine="python").divergences
        run, exact = ne.run(image, inputs, engine="python"), ne.simulate(network, inputs)
        error = run.readout["out"] / image.losses[0].scale - exact.readout["out"]
        assert only.readout_rms == pytest.approx(np.sqrt((error**2).mean()) / np.abs(exact.readout["out"]).max())
        assert only.wrong == 0
        errors.append(only.readout_rms)
    assert 0 < errors[1] < errors[0] < 0.2


def test_few_presentations_are_probed_where_registers_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["neuroemu.inspect.explain"], "PROBED", 27 * 6 * 3)
    network = handmade()
    found = ne.explain(
        network, ne.compile(network, ne.load_chip("loihi1")), np.repeat(always_on(), 5, axis=1), engine="python"
    )
    assert (found.n, found.n_probed) == (5, 3)
    assert "registers were looked at in the first 3 presentations only" in str(found)


def test_wrong_companions_are_one_sentence() -> None:
    network, other = handmade(), replace(handmade(), populations=handmade().populations[:2], projections=(), outputs=())
    image = ne.compile(network, ne.load_chip("loihi1"))
    with fails(
        ne.NetworkError,
        "the image has populations in (2), hidden (4), out (2), the network in (2), hidden (4); "
        "give the network that the image was compiled from",
    ):
        ne.explain(other, image, always_on(), engine="python")
    run = ne.run(image, always_on(10), engine="python")
    with fails(ne.RunError, "the run is not of this image on these inputs; leave it out, or run the image again"):
        ne.explain(network, image, always_on(), run=run)
    with fails(ne.RunError, "3 labels for 1 presentations; give one a presentation"):
        ne.explain(network, image, always_on(), [0, 1, 0], engine="python")


# ---- bounds
def drawn(seed: int) -> tuple[ne.Image, dict[str, Reach]]:
    rng = np.random.default_rng(seed)
    rule = {"reset": ["zero", "subtract"][seed % 2], "reset_timing": ["now", "next"][seed // 2 % 2]}
    conventions = ne.Conventions(gain="unit", spike_if=">" if seed % 3 else ">=", **rule)  # type: ignore[arg-type]
    models: tuple[Any, ...] = (
        ne.LIF(tau=rng.uniform(2e-4, 2e-3, 8), v_threshold=rng.uniform(1, 4, 8), bias=rng.normal(0, 0.2, 8)),
        ne.CubaLIF(tau_syn=2e-4, tau_mem=rng.uniform(2e-4, 1e-3, 8), v_threshold=rng.uniform(2, 9, 8), bias=rng.normal(0, 0.1, 8)),
        ne.IF(v_threshold=2.0, bias=rng.normal(-0.3, 0.3, 8)),
    )  # fmt: skip
    populations = [ne.Population("in", 5, ne.HostInput())]
    populations += [ne.Population(f"p{k}", 8, models[(seed + k) % 3]) for k in range(2)]
    network = ne.Network(
        populations,
        [
            ne.Projection("in", "p0", rng.normal(0, 0.5, (5, 8))),
            ne.Projection("p0", "p1", rng.normal(0, 0.4, (8, 8)), delay=rng.integers(0, 3, (8, 8))),
            ne.Projection("p1", "p1", rng.normal(0, 0.2, (8, 8))),
        ],
        outputs=["p1"],
        probes=[("p0", "v"), ("p1", "v")],
        conventions=conventions,
    )
    image = ne.compile(network, ne.load_chip("generic45"))
    return image, reach(image, {"in": (1, 1)})


def test_bounds_hold_whatever_the_input() -> None:
    never = moved = 0
    for seed in range(12):
        image, bounds = drawn(seed)
        chosen = np.random.default_rng(seed).random((40, 6, 5))
        inputs = (chosen < np.array([0.1, 0.5, 0.8, 1, 1, 1])[:, None]).astype(int)
        inputs[:, 4, ::2] = inputs[:, 5, 1::2] = 0
        run = ne.run(image, inputs, engine="python")
        moved += len(run.spikes)
        for name, age in (("p0", 1), ("p1", 2)):  # from a soma's first tick on
            v = run.probes[name, "v"][:, age : age + 40].reshape(-1, 8)
            assert np.all(v.max(axis=0) <= bounds[name].high["v"])
            assert np.all(v.min(axis=0) >= bounds[name].low["v"])
            assert not run.spike_counts(name)[:, bounds[name].never].any()
            never += int(bounds[name].never.sum())
    assert never > 5
    assert moved > 1000


def test_bounds_are_reached_by_the_worst_input() -> None:
    """A first-layer neuron that may fire does so when all that excites it comes in every tick."""
    fired = 0
    for seed in range(0, 12, 3):
        image, bounds = drawn(seed)
        part = image.projections[0].parts[0]
        worst = np.zeros((8, 5), int)
        np.maximum.at(worst, (part.post, part.pre), part.weight > 0)
        inputs = np.repeat(worst[None], 150, axis=0)  # one presentation for each neuron
        counts = ne.run(image, inputs, engine="python").spike_counts("p0")
        may = ~bounds["p0"].never
        assert np.array_equal(np.diag(counts) > 0, may)
        fired += int(may.sum())
    assert 10 < fired < 32


def test_payloads_and_wrapping_registers_widen_the_bounds() -> None:
    neuron = ne.LIF(tau=2e-4, v_threshold=10.0)
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 1, neuron)],
        [ne.Projection("in", "out", [[1.0]], routes={"input": [("drive", "weight*payload")]})],
        outputs=["out"],
        conventions=ne.Conventions(gain="unit"),
    )
    image = ne.compile(network, ne.load_chip("generic45"))
    assert reach(image, {"in": (1, 4)})["out"].never.all()
    assert not reach(image, {"in": (1, 6)})["out"].never.any()
    spikes = np.full((30, 1, 1), 6)
    assert ne.run(image, spikes, engine="python").spike_counts("out").sum() > 3
    wraps = ne.load_chip("loihi1")  # its port wraps at 22 bits: 300 inputs of the largest weight leave it
    wide = ne.Network(
        [ne.Population("in", 300, ne.HostInput()), ne.Population("out", 1, ne.LIF(tau=2e-4, v_threshold=500.0))],
        [ne.Projection("in", "out", np.ones((300, 1)))],
        outputs=["out"],
        conventions=ne.Conventions(gain="unit"),
    )
    bound = reach(ne.compile(wide, wraps), {})["out"]
    assert bound.high["drive"] == (1 << 21) - 1
    assert bound.low["drive"] == -(1 << 21)


def test_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["deploy", DEMO / "digits.nir", "--chip", "loihi1", "--weight-bits", 8, "--input", DEMO / "digits_input.npz",
             "--labels", DEMO / "digits_labels.npy", "--explain", "--json"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["neuroemu", *map(str, words)])
    main()
    answer = json.loads(capsys.readouterr().out)
    explained = answer["explanation"]
    assert explained["accuracy_chip"] == answer["accuracy"]
    assert [one["wrong"] > 0 for one in explained["divergence"]] == [True, True]
    assert explained["accuracy_float"] == pytest.approx(0.9611, abs=1e-4)
    monkeypatch.setattr(sys, "argv", sys.argv[:-1])
    main()
    shown = capsys.readouterr()
    assert "explanation: loihi1 against float, 360 presentations of 20 ticks" in shown.out
    assert "accuracy: 95.83% on the chip, 96.11% in float, -0.28 points" in shown.out
    assert shown.err == ""
