"""SFDFA and DFA: the rule fits, every engine agrees, the gradient and the feedback are what the thesis says they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import random_placement
from fails import fails
from sfdfa_cases import SMALL, first_spikes, image, network, small

import neuroemu as ne
from neuroemu.engines.run import ENGINES
from neuroemu.image.image import ImageProjection

RULE = Path(__file__).parents[2] / "firmware" / "rules" / "sfdfa.py"


def weights_of(projection: ImageProjection) -> np.ndarray:
    """Its weights in the order of their ids."""
    return np.concatenate([part.weight for part in projection.parts])


# ---- does it fit
def test_the_rule_fits_atlas_and_says_what_saturates() -> None:
    hooks = ne.check_file(RULE, ne.load_chip("atlas"), {})
    assert {hook.program for hook in hooks} == {"sfdfa.hidden", "sfdfa.output", "sfdfa.forward", "sfdfa.feedback"}
    assert next(hook for hook in hooks if hook.hook == "fire_synapse").bits == 32


def test_a_chip_without_rules_or_payloads_refuses_it() -> None:
    text = (
        f"{RULE}: loihi1 runs only the neuron programs lif, cuba_lif, if, li, cuba_li (davies2018); "
        "choose a chip that runs any, such as generic45"
    )
    with fails(ne.UnsupportedError, text):
        ne.check_file(RULE, ne.load_chip("loihi1"), {})


def test_what_wire_cannot_take_is_refused() -> None:
    with fails(ne.NetworkError, "rule sfdfa: mode is 'bp'; choose sfdfa or dfa"):
        network((12, 8, 4), mode="bp")
    chain = network((12, 8, 4))
    with fails(ne.NetworkError, "the layers end at population 'out', the output is 'h1'; make it 'out'"):
        ne.wire(chain, "sfdfa", projections=["w1", "w2"], output="h1")


# ---- the same bits
@pytest.mark.slow
def test_every_engine_learns_the_same_bits() -> None:
    built, (_, _, stimulus) = image((12, 8, 6, 4), **SMALL), small()
    runs = {engine: ne.run(built, stimulus, engine=engine, plastic=True) for engine in ENGINES}
    reference = runs["python"]
    for projection in built.projections:
        moved = np.mean(reference.weights[projection.name] != weights_of(projection))
        assert moved > 0.5, projection.name
    for engine, run in runs.items():
        assert reference.differs(run) is None, engine
        assert reference.counts.table == run.counts.table
        assert reference.memory.digest == run.memory.digest


@pytest.mark.slow
def test_neither_placement_nor_workers_nor_a_break_changes_a_bit() -> None:
    built, (_, _, stimulus) = image((12, 8, 6, 4), **SMALL), small()
    reference = ne.run(built, stimulus, plastic=True, workers=1)
    assert ne.run(built, stimulus, plastic=True, workers=3).memory.digest == reference.memory.digest
    first = ne.run(built, stimulus.slice(0, 13), plastic=True)
    rest = ne.run(built, stimulus.slice(13, stimulus.n), plastic=True, start=first.memory)
    assert rest.memory.digest == reference.memory.digest
    placement = random_placement(np.random.default_rng(2), built, 5)
    moved = ne.compile(network((12, 8, 6, 4), **SMALL), ne.load_chip("atlas"), align=False, placement=placement)
    assert moved.usage != built.usage
    again = ne.run(moved, stimulus, plastic=True)
    assert again.memory.digest == reference.memory.digest
    assert again.spikes == reference.spikes


@pytest.mark.slow
def test_batches_commit_alike_on_every_engine_and_any_workers() -> None:
    built, (_, _, stimulus) = image((12, 8, 6, 4), **SMALL), small()
    reference = ne.run(built, stimulus, engine="python", plastic=True, commit_every=5)
    for workers in (1, 3):
        run = ne.run(built, stimulus, plastic=True, commit_every=5, workers=workers)
        assert reference.differs(run) is None
        assert run.memory.digest == reference.memory.digest
    assert reference.memory.digest != ne.run(built, stimulus, engine="python", plastic=True).memory.digest


# ---- the gradient
def test_integer_gradient_is_within_two_lsb_of_a_float_twin_with_the_same_decays() -> None:
    """Local gradients of 8 fractional bits (stored with 12) after each presentation, from the spikes the chip made."""
    options = {"ticks": 60, "k": 6, "threshold": 0.4, "output_threshold": 0.5}
    built = image((20, 12, 4), **options)
    rng = np.random.default_rng(1)
    worst, largest = 0.0, 0.0
    for number in range(12):
        values = rng.integers(0, 17, (1, 20))
        stimulus = replace(first_spikes(16, 30, 60)(values, number), values={"out": np.array([[1, 0, 0, 0]])})
        run = ne.run(built, stimulus, engine="python", plastic=True)
        rows = run.spikes
        steps = built.phases[0].ticks
        trains = np.zeros((3, steps, 20))
        trains[0, :60] = dense(stimulus, 20)
        for layer, name in ((1, "h1"), (2, "out")):
            chosen = (rows.channel == 0) & (rows.neuron >= run.layers[name].id0)
            chosen &= rows.neuron < run.layers[name].id0 + built.population(name).n
            trains[layer, rows.tick[chosen], rows.neuron[chosen] - run.layers[name].id0] = 1
        for layer, (label, n_pre, n_post, c) in enumerate((("w1", 20, 12, 0.4), ("w2", 12, 4, 0.5))):
            w = weights_of(built.projections[layer]).reshape(n_pre, n_post) / 4096
            twin = float_gradient(trains[layer][:, :n_pre], trains[layer + 1][:, :n_post], w, c, 6)
            loc = run.state[f"{label}.loc"].reshape(n_pre, n_post) / 16
            worst, largest = max(worst, float(np.abs(loc - twin * 256).max())), max(largest, float(loc.max()))
    assert largest > 100
    assert worst <= 2


def dense(stimulus: ne.Stimulus, n: int) -> np.ndarray:
    """The first presentation's packets as an array (rows, n)."""
    events, rows = stimulus.events["in"], np.zeros((stimulus.rows, n))
    for row in range(stimulus.rows):
        rows[row, events.neuron[events.indptr[0, row] : events.indptr[0, row + 1]]] = 1
    return rows


def float_gradient(pre: np.ndarray, post: np.ndarray, w: np.ndarray, c: float, k: int) -> np.ndarray:
    """sum over own spikes of x_j / max(I_i, c), in float64, from given spikes; packets take a tick."""
    slow, fast = 1 - 2.0**-k, 1 - 2.0 ** -(k - 1)
    tm, tg = np.zeros(pre.shape[1]), np.zeros(pre.shape[1])
    current, loc = np.zeros(post.shape[1]), np.zeros(w.shape)
    for tick in range(len(pre)):
        arrived = pre[tick - 1] if tick else np.zeros(pre.shape[1])
        tm, tg = tm * slow + arrived, tg * fast + arrived
        current = current * fast + arrived @ w
        # the axon's x is that of tick_pre: packets of this tick join it in the next
        x = (tm - arrived) - (tg - arrived)
        loc += np.outer(x, post[tick] / np.maximum(current, c))
    return loc


# ---- the feedback
def test_directional_derivative_is_on_average_the_weight() -> None:
    """Frozen weights, first spikes all causal (every hidden neuron spikes before the outputs do): E[D p] = w within 4 sigma."""
    n_hidden, n = 6, 3000
    plain = network((4, n_hidden, 3), ticks=60, k=6, threshold=0.125, output_threshold=0.5, rate=24, output_rate=24)
    rng = np.random.default_rng(3)
    forward = np.rint(rng.uniform(0.6, 1.0, (n_hidden, 3)) * 4096)
    fixed = {"w1": np.full((4, n_hidden), 4000.0), "w2": forward}
    projections = tuple(replace(p, weight=fixed.get(p.label, p.weight)) for p in plain.projections)
    built = ne.compile(replace(plain, projections=projections, probes=(("out", "d"), ("h1", "p"), ("out", "n"))),
                       ne.load_chip("atlas"), align=False)  # fmt: skip
    stimulus = replace(first_spikes(16, 30, 60)(np.full((n, 4), 16), 0), values={"out": np.zeros((n, 3), np.int64)})
    run = ne.run(built, stimulus)
    assert (run.probes["out", "n"][:, -1] > 0).all()
    d, p = run.probes["out", "d"][:, -1] / 256, np.sign(run.probes["h1", "p"][:, -1])
    products = d[:, None, :] * p[:, :, None]
    mean, sigma = products.mean(axis=0), products.std(axis=0) / np.sqrt(n)
    assert np.abs((mean - forward / 4096) / sigma).max() < 4
    assert np.abs(mean).min() > 0.5


def test_dfa_is_the_same_with_frozen_feedback() -> None:
    built, (_, _, stimulus) = image((12, 8, 4), mode="dfa", **SMALL), small()
    run = ne.run(built, stimulus, engine="python", plastic=True)
    assert (run.weights["w1"] != weights_of(built.projections[0])).any()
    assert np.array_equal(run.weights["feedback->h1"], weights_of(built.projections[2]))
    assert set(run.memory.weights) == {"w1", "w2"}


# ---- evaluation
def test_evaluation_changes_nothing_and_labels_do_not_leak() -> None:
    built, (values, labels, stimulus) = image((12, 8, 4), **SMALL), small(96)
    told = ne.run(built, stimulus, engine="python", plastic=True)
    quiet = ne.run(built, first_spikes(16, 16, 24)(values, 0), engine="python", start=told.memory)
    assert quiet.memory.digest == told.memory.digest
    once = ne.run(built, stimulus.slice(0, 1), engine="python", plastic=True, start=told.memory)
    ticks = built.phases[0].ticks
    learning, inference = once.spikes.tick < ticks, quiet.spikes.presentation == 0
    assert learning.sum() > 10
    for field in ("tick", "channel", "neuron", "payload"):
        assert np.array_equal(getattr(once.spikes, field)[learning], getattr(quiet.spikes, field)[inference])
    encode, rng = first_spikes(16, 16, 24), np.random.default_rng(0)
    how = {"encode": encode, "readout": ("out", "n"), "memory": told.memory, "engine": "python"}
    shares = [ne.evaluate(built, (values, rng.permutation(labels)), **how) for _ in range(3)]
    assert abs(np.mean(shares) - 0.25) < 0.1


@pytest.mark.parametrize("mode", ["sfdfa", "dfa"])
def test_a_presentation_has_two_phases(mode: str) -> None:
    wired = network((12, 8, 6, 4), mode=mode)
    assert wired.phases == (ne.Phase(0, 103), ne.Phase(1, 2, learning=True))
    assert wired.modulators == (ne.Modulator("out", 103),)
    assert wired.probes == (("out", "n"),)
