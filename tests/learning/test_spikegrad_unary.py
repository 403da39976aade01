"""SpikeGrad in unary mode: spike by spike, in any order, the counts, errors and weights of the integer network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import random_placement
from spikegrad_cases import N_NETS, SHAPES, SMALL, compiled, drawn, layers_of, network, random_net, same_weights, twin

import neuroemu as ne
from neuroemu.engines.run import ENGINES
from neuroemu.network.stimulus import Events

UNARY = "spikegrad_unary"
RULE = Path(__file__).parents[2] / "firmware" / "rules" / "spikegrad_unary.py"
PROGRAMS = ("hidden", "output")


def shuffled(rng: np.random.Generator, x: np.ndarray, target: np.ndarray, first: int, rows: int) -> ne.Stimulus:
    """One presentation whose input x, shape (inputs,), comes as unit packets of its sign, in random rows; a row has one packet an input."""
    neurons, at, signs = [], [], []
    for neuron, value in enumerate(x.tolist()):
        chosen = rng.choice(rows, abs(value), replace=False)
        neurons += [neuron] * chosen.size
        at += chosen.tolist()
        signs += [int(np.sign(value))] * chosen.size
    order = np.lexsort((neurons, at))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(np.array(at, int), minlength=rows))])[None]
    columns = [np.array(column, np.int32)[order] for column in (neurons, signs)]
    return ne.Stimulus(rows, 1, {"in": Events(indptr, *columns)}, {"out": target}, first)


def against_oracle(
    sizes: tuple[int, ...], nets: int, rule: str | Path = UNARY, engine: str = "python"
) -> dict[str, int]:
    """One presentation of each of many random nets: how many differ from the oracle, and in what."""
    net = network(sizes, rule)
    image, rng = compiled(net), np.random.default_rng([3, *sizes])
    ideal, names = twin(net, image, 4), layers_of(sizes)
    threshold = 1 << ideal.f
    seen = dict.fromkeys(("differ", "S", "gate", "E", "ties", "error_ties", "learned", "retracted", "packets"), 0)
    for number in range(nets):
        memory, ideal.weights, ideal.biases = random_net(rng, sizes, threshold)
        x = rng.integers(-9, 10, sizes[0])
        target = np.eye(sizes[-1], dtype=np.int64)[rng.integers(0, sizes[-1], 1)]
        events = shuffled(rng, x, target, number, 12)
        done = ne.run(image, events, engine=engine, plastic=True, seed=4, start=memory)
        before, ideal.commits = [w.copy() for w in ideal.weights], 0
        ideal.run(x[None], target)
        ideal.commit()
        state, last = done.state, ideal.last
        drive = [state[f"{p}.v"] + (threshold * state[f"{p}.s"] if p != "out" else 0) for p in names]
        right = {
            "I": all(np.array_equal(drive[n], last["I"][n][0]) for n in range(len(names))),
            "S": all(np.array_equal(state[f"{p}.s"], last["S"][n + 1][0]) for n, p in enumerate(names[:-1])),
            "gate": all(np.array_equal(state[f"{p}.gate"], last["gate"][n][0]) for n, p in enumerate(names[:-1])),
            "E": all(np.array_equal(state[f"{p}.e"], last["E"][n][0]) for n, p in enumerate(names)),
            "weights": same_weights(done, ideal, sizes),
        }
        seen["differ"] += not all(right.values())
        for name in ("S", "gate", "E"):
            seen[name] += not right[name]
        seen["ties"] += any(((i > 0) & (i % threshold == threshold // 2)).any() for i in last["I"][:-1])
        back = [last["E"][n + 1] @ before[n + 1].T for n in range(len(names) - 1)]
        seen["error_ties"] += any(((u < 0) & (-u % threshold == threshold // 2)).any() for u in back)
        seen["learned"] += any((a != b).any() for a, b in zip(before, ideal.weights, strict=True))
        seen["retracted"] += bool((done.spikes.payload[done.spikes.channel == 0] < 0).any())
        seen["packets"] += int((done.spikes.channel == 0).sum())
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_random_nets_equal_the_integer_network_whatever_the_order_of_events(sizes: tuple[int, ...]) -> None:
    """Ties, weights past the threshold (several packets an event) and signed inputs are among them."""
    seen = against_oracle(sizes, N_NETS, engine="cpu")
    assert seen["differ"] == 0, seen
    assert min(seen["ties"], seen["error_ties"], seen["learned"], seen["retracted"]) > N_NETS // 20, seen
    assert seen["packets"] > 20 * N_NETS


def test_a_few_on_the_interpreted_engine() -> None:
    seen = against_oracle(SHAPES[1], 12)
    assert seen["differ"] == 0, seen
    assert seen["retracted"] > 2


def test_it_learns_the_weights_of_graded_mode_with_more_packets() -> None:
    events, _, _ = drawn(np.random.default_rng(6), SMALL, 24)
    graded, unary = (
        ne.run(compiled(network(SMALL, rule)), events, engine="python", plastic=True, seed=3)
        for rule in ("spikegrad", UNARY)
    )
    moved = 0.0
    for name, weights in graded.weights.items():
        assert np.array_equal(weights, unary.weights[name]), name
        before = np.asarray(network(SMALL, UNARY).projection(name).weight)
        moved = max(moved, (weights != before.ravel()).mean())
    assert moved > 0.3
    for name in ("h1", "h2", "out"):
        assert np.array_equal(graded.state[f"{name}.bias"], unary.state[f"{name}.bias"])
    assert unary.counts["send_spike"] > 2 * graded.counts["send_spike"] > 0
    assert unary.counts["send_error"] > graded.counts["send_error"] > 0
    assert unary.lengths is not None
    assert len(set(unary.lengths.tolist())) > 3


def test_engines_workers_placement_and_a_cut_change_no_bit() -> None:
    events, _, _ = drawn(np.random.default_rng(7), SMALL, 24)
    image, rng = compiled(network(SMALL, UNARY)), np.random.default_rng(9)
    how = {"plastic": True, "commit_every": 4, "seed": 3}
    one = ne.run(image, events, engine="python", **how)
    assert (one.weights["in->h1"] != np.concatenate([p.weight for p in image.projections[0].parts])).mean() > 0.3
    for engine in ENGINES:
        assert one.differs(ne.run(image, events, engine=engine, workers=3, **how)) is None, engine
    other = compiled(network(SMALL, UNARY), random_placement(rng, image, 60))
    moved = ne.run(other, events, engine="event", **how)
    assert (moved.spikes, moved.memory.digest) == (one.spikes, one.memory.digest)
    first = ne.run(image, events.slice(0, 8), engine="cpu", **how)
    assert ne.run(image, events.slice(8, 24), start=first.memory, **how).memory.digest == one.memory.digest


def test_evaluation_is_the_forward_half() -> None:
    events, _, _ = drawn(np.random.default_rng(8), SMALL, 12)
    image = compiled(network(SMALL, UNARY))
    plastic = ne.run(image, events, engine="python", plastic=True, commit_every=12)
    silent = ne.run(image, events, engine="python")
    assert np.array_equal(plastic.probes["out", "v"][:, -1], silent.probes["out", "v"][:, -1])
    assert silent.counts["send_error"] == silent.counts["send_probe"] == 0
    assert len(silent.spikes) > 0


# ---- traps of the specification
def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the rule with these texts replaced."""
    text = RULE.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "trap.py"
    path.write_text(text)
    return path


def test_an_ungated_residual_spike_is_wrong(tmp_path: Path) -> None:
    """Trap 1: equation 4.26 as printed lets a neuron that sent nothing send -1."""
    old = "down = 1 if s > 0 and (v <= -full or (rounds and 2 * v < -full)) else 0"
    new = "down = 1 if (s > 0 and v <= -full) or (rounds and 2 * v < -full) else 0"
    seen = against_oracle(SHAPES[0], 40, changed(tmp_path, (old, new)))
    assert seen["S"] > 30


def test_one_packet_an_event_is_not_enough(tmp_path: Path) -> None:
    """Trap 2: a neuron that fires only when an event arrives keeps what a weight past the threshold left above it."""
    old = "up = 1 if v >= full or (rounds and 2 * v >= full) else 0"
    new = "up = 1 if (v >= full and (drive != 0 or tick == 0)) or (rounds and 2 * v >= full) else 0"
    assert against_oracle(SHAPES[0], 40, changed(tmp_path, (old, new)))["S"] > 5


def test_without_retraction_the_order_matters(tmp_path: Path) -> None:
    """A -1 takes back a +1 too many; without it counts depend on the order of events."""
    old = "down = 1 if s > 0 and (v <= -full or (rounds and 2 * v < -full)) else 0"
    assert against_oracle(SHAPES[0], 40, changed(tmp_path, (old, "down = 0")))["S"] > 5


def test_a_saturating_v_is_wrong_and_counted(tmp_path: Path) -> None:
    """Trap 6."""
    path = changed(tmp_path, ("        v: State, s:", "        v: State(10), s:"))
    assert against_oracle(SHAPES[0], 40, path)["differ"] > 10
    events, _, _ = drawn(np.random.default_rng(1), SHAPES[0], 10)
    done = ne.run(compiled(network(SHAPES[0], path)), events, engine="python", plastic=True)
    assert done.counts.by_owner("saturation")["h1.v"] > 0


def test_a_training_needs_no_ticks() -> None:
    """Input that waits for quiet comes in one row, with its values as payloads."""
    rng = np.random.default_rng(12)
    prototypes, labels = rng.integers(0, 9, (3, SMALL[0])), rng.integers(0, 3, 150)
    samples = prototypes[labels], labels
    unary, graded = (
        ne.train(compiled(network(SMALL, rule, k=2)), samples, engine="python") for rule in (UNARY, "spikegrad")
    )
    assert unary.history[0].train_accuracy == graded.history[0].train_accuracy > 0.45
    assert unary.memory.weights.keys() == graded.memory.weights.keys()
    assert all(np.array_equal(unary.memory.weights[name], graded.memory.weights[name]) for name in unary.memory.weights)
    assert unary.history[0].energy_fj > graded.history[0].energy_fj
