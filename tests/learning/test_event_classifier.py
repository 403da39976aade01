"""The event-based supervised classifier: against its own event loop, on every engine, on what it is for, and dead where it must be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fails import fails
from test_rule_refuses import place, rule_file

import neuroemu as ne
from neuroemu.image.image import SYNAPSE_ID0
from neuroemu.language.isa import site_key, tick_key, uniform, unit_key
from neuroemu.language.machine import site
from neuroemu.language.program import load_program, python_hooks

ROOT = Path(__file__).parents[2]
ATLAS = ne.load_chip("atlas")
N_IN, N, ROWS, PRESENTATIONS, SEED = 8, 3, 30, 40, 5
ETA, MOMENTUM = 0.01, 0.5


def plain() -> ne.Network:
    return ne.Network(
        [ne.Population("in", N_IN, ne.HostInput()), ne.Population("out", N, ne.Firmware("if", {"threshold": 1}))],
        [ne.Projection("in", "out", np.zeros((N_IN, N)), "c")],
        outputs=["out"],
    )


def wired(**options: float) -> ne.Network:
    return ne.wire(
        plain(), "event_classifier", **{"eta": ETA, "momentum": MOMENTUM, "mean": 0.3, "spread": 0.1, **options}
    )


@cache
def image(**options: float) -> ne.Image:
    return ne.compile(wired(**options), ATLAS)


def labels(n: int = PRESENTATIONS) -> np.ndarray:
    return np.arange(n) * 7 % N


@cache
def stimulus() -> ne.Stimulus:
    """Feature k speaks mostly in presentations of class k % N; several at once, so that classes reach theta in the same tick."""
    rng = np.random.default_rng(3)
    likely = np.where(np.arange(N_IN)[None, :] % N == labels()[:, None], 0.5, 0.15)
    dense = (rng.random((ROWS, PRESENTATIONS, N_IN)) < likely).astype(np.int64)
    right = (labels()[:, None] == np.arange(N)).astype(np.int64)
    return ne.stimulus(dense, {"in": N_IN}, values={"out": right})


@cache
def learned(engine: str = "python", **options: float) -> ne.Run:
    return ne.run(image(**options), stimulus(), engine=engine, plastic=True, seed=SEED)


def start(**options: float) -> np.ndarray:
    return np.array(wired(**options).projection("c").weight)


def answers(run: ne.Run) -> np.ndarray:
    return run.probes["out", "score"][:, -1].argmax(axis=1)


# ---- equations 3.5-3.7
def arrivals() -> list[list[list[int]]]:
    """Features whose packets come in every tick of every presentation: row t arrives in tick t + 1."""
    events = stimulus().events["in"]
    edges = [row.tolist() for row in events.indptr]
    return [[[], *(events.neuron[a:b].tolist() for a, b in pairwise(e))] for e in edges]


def draw(presentation: int, tick: int, synapse: int) -> int:
    base = site_key(tick_key(SEED, presentation, tick), site("arrive_synapse", "input"))
    return uniform(unit_key(base, SYNAPSE_ID0 + synapse), 0, 16)


def test_the_classifier_is_an_integer_event_loop() -> None:
    run, w, together = learned(), start(), 0
    eta, scores, sent = round(ETA * 2**20), np.zeros((PRESENTATIONS, N), int), np.zeros((PRESENTATIONS, N), int)
    for presentation, ticks in enumerate(arrivals()):
        v, error = np.zeros(N, int), np.zeros(N, int)
        for tick, features in enumerate(ticks):
            for j in features:
                v += w[j]
                for i in np.flatnonzero(error).tolist():
                    moved = w[j, i] + (eta * int(error[i]) + draw(presentation, tick, j * N + i) >> 16)
                    w[j, i] = min(max(moved, -4096), 4096)
            over = np.flatnonzero(v >= 4096)
            together += over.size > 1
            if over.size:
                winner = int(over[v[over].argmax()])
                v[winner] = 0
                sent[presentation, winner] += 1
                error = np.sign(error) * (np.abs(error) * 128 >> 8)
                error[labels()[presentation]] += 256
                error[winner] -= 256
        scores[presentation] = sent[presentation] * 65536 + v
    assert np.array_equal(run.weights["c"], w.ravel())
    assert np.array_equal(run.probes["out", "score"][:, -1], scores)
    assert np.array_equal(run.spike_counts("out"), sent)
    assert np.array_equal(run.state["out.error"], error)
    assert (w != start()).all()
    assert np.abs(w - start()).max() > 500
    assert together > 50
    assert sent.sum() > 400


def test_one_step_by_hand() -> None:
    """E <- m E + R - [fired] with 8 bits of fraction, for the class that spiked and for one that did not; w <- w + eta E."""
    settle = python_hooks(load_program("event_classifier.neuron"))["settle"]
    arguments = load_program("event_classifier.neuron").hooks["settle"].arguments

    def after(**given: int) -> tuple[int, ...]:
        return settle(*(given[argument.name] for argument in arguments))

    state = {"v": 5000, "n": 2, "score": 0, "right": 0, "momentum": 128}
    assert after(**state, error=-100, spike_won=1) == (0, 3, 3 << 16, -50 - 256)
    assert after(**(state | {"right": 1}), error=101, spike_won=0) == (5000, 2, (2 << 16) + 5000, 50 + 256)
    synapse = python_hooks(load_program("event_classifier.synapse"))["arrive_synapse"]
    means = [np.mean([synapse(400, -256, unit_key(7, k), eta, 4096)[0] for k in range(4000)]) for eta in (1049, 105)]
    assert means == pytest.approx([400 - 1049 / 256, 400 - 105 / 256], abs=0.05)


# ---- what it is for
def test_it_learns_classes_and_evaluation_tells_nothing_of_labels() -> None:
    run = learned("cpu")
    before = ne.run(image(), stimulus(), seed=SEED)
    assert (answers(before) == labels()).mean() < 0.6
    after = ne.run(image(), stimulus(), seed=SEED, start=run.memory)
    assert (answers(after) == labels()).mean() >= 0.95
    lies = replace(stimulus(), values={"out": stimulus().values["out"][:, ::-1].copy()})
    told = ne.run(image(), lies, seed=SEED, start=run.memory)
    assert np.array_equal(told.probes["out", "score"], after.probes["out", "score"])
    assert np.array_equal(told.weights["c"], run.weights["c"])
    assert told.memory.digest == run.memory.digest


def test_it_is_priced_on_atlas() -> None:
    run = learned("cpu")
    report, updates = ne.report(run), run.counts["weight_update"]
    assert updates > 1000
    assert report.unknown == ()
    learning = {row.event: row.learning * (row.price_fj or 0) for row in report.rows}
    assert report.by_part["learning"] == sum(learning.values())
    rule = {row.event: row.energy_fj for row in report.rows if row.unit == "rule"}
    assert rule
    assert all(learning[event] == energy for event, energy in rule.items() if energy is not None)
    assert learning["synapse_write"] > 0
    assert learning["host_packet"] == N * PRESENTATIONS * 128_000  # the host tells every class
    # of every update: 3 add, 1 multiply, 2 compare, 1 shift, 1 random, two words read and one written
    assert learning["rule_random"] == updates * 28_000
    assert learning["rule_multiply"] == updates * 3_100
    assert learning["rule_add"] == updates * 300
    assert report.by_part["learning"] < report.by_part["inference"]


# ---- the same bits
@pytest.mark.parametrize("engine", ["event", "cpu"])
def test_every_engine_learns_the_same_bits(engine: str) -> None:
    reference, run = learned(), learned(engine)
    assert (reference.weights["c"] != start().ravel()).all()
    assert run.differs(reference) is None
    assert run.memory.digest == reference.memory.digest
    assert run.counts.table == reference.counts.table


def test_neither_placement_nor_a_cut_changes_a_bit() -> None:
    reference = learned()
    moved = ne.compile(wired(), ATLAS, placement={"out": [(7, N)]})
    assert ne.run(moved, stimulus(), engine="event", plastic=True, seed=SEED).memory.digest == reference.memory.digest
    first = ne.run(image(), stimulus().slice(0, 13), engine="python", plastic=True, seed=SEED)
    rest = stimulus().slice(13, PRESENTATIONS)
    resumed = ne.run(image(), rest, engine="python", plastic=True, seed=SEED, start=first.memory)
    assert first.memory.digest != resumed.memory.digest == reference.memory.digest


# ---- trap 11: it dies without a word, or forgets as fast as it learns
@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.0), (-0.3, 0.05)])
def test_a_silent_classifier_never_learns(mean: float, spread: float) -> None:
    run = learned("cpu", mean=mean, spread=spread)
    assert len(run.spikes) == 0
    assert run.counts["synop"] > 1000
    assert run.counts["weight_update"] == 0
    assert np.array_equal(run.weights["c"], start(mean=mean, spread=spread).ravel())
    assert not run.state["out.error"].any()


def test_a_large_eta_unlearns() -> None:
    right = {}
    for eta in (ETA, 0.2):
        built, memory = image(eta=eta, momentum=0.9), ne.Memory()
        for _ in range(3):
            memory = ne.run(built, stimulus(), plastic=True, seed=SEED, start=memory).memory
        right[eta] = (answers(ne.run(built, stimulus(), seed=SEED, start=memory)) == labels()).mean()
    assert right[ETA] >= 0.95
    assert right[0.2] < 0.6


# ---- what it cannot take
@pytest.mark.parametrize(
    ("projections", "output", "named"), [(["c", "d"], "out", "c, d"), (["d"], "out", "d"), ([], "out", "none"), (["c"], "layer", "c")]
)  # fmt: skip
def test_wiring_refuses_what_does_not_end_there(projections: Sequence[str], output: str, named: str) -> None:
    network = plain().add(
        ne.Population("layer", N, ne.Firmware("if", {"threshold": 1})), ne.Projection("in", "layer", np.ones((N_IN, N)), "d")
    )  # fmt: skip
    text = (
        f"event_classifier learns projections into output '{output}'; it was given {named}: name those that end there"
    )
    with fails(ne.NetworkError, text):
        ne.wire(network, "event_classifier", projections=projections, output=output)
    kept = ne.wire(network, "event_classifier", projections=["c"], mean=None)
    assert np.array_equal(kept.projection("c").weight, network.projection("c").weight)
    assert kept.projection("d").rule is None


def test_loihi1_runs_no_such_neuron() -> None:
    at = place(rule_file("event_classifier"), "class neuron", "def modulate")
    text = (
        f"population 'out': {at}: modulate of 'event_classifier.neuron' takes a value "
        "from the host, no source states modulation by the host for loihi1; choose a chip that has all this needs (atlas, generic45)"
    )
    with fails(ne.UnsupportedError, text):
        ne.compile(wired(), ne.load_chip("loihi1"))


# ---- digits
@pytest.mark.slow
def test_digits_are_classified_on_top_of_the_layer() -> None:
    command = [sys.executable, str(ROOT / "tools" / "train_wta.py"), "--readout", "classifier", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    (run,) = json.loads(done.stdout)["runs"]
    assert run["accuracy"] >= 0.9
    assert run["spikes"] > 5
