"""SpikeGrad on the chip is the integer network of the specification, bit for bit, on every engine; its traps are traps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spikegrad_oracle as oracle
from cases import random_placement
from fails import fails
from spikegrad_cases import (
    N_NETS,
    RULE,
    SHAPES,
    SMALL,
    compiled,
    drawn,
    layers_of,
    network,
    random_net,
    same_weights,
    told,
    twin,
)

import neuroemu as ne
from neuroemu.language.check import check_program
from neuroemu.language.isa import shift_away, site_key, tick_key, unit_key
from neuroemu.language.isa import uniform as uniform_of_isa
from neuroemu.language.machine import COMMIT_TICK, site
from neuroemu.language.program import load_program

PROGRAMS = ("hidden", "output", "norm", "largest", "forward", "backward", "forward_momentum", "backward_momentum")


# ---- the rule and chips
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_is_proved_to_fit_atlas(name: str) -> None:
    program = load_program(f"spikegrad.{name}")
    assert set(check_program(program, ne.load_chip("atlas")).hooks) == set(program.hooks)


REFUSED = {
    "hidden": (
        "s: State(16)",
        "loihi1 has no register 's'; add state to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    "output": (
        "target: State(2)",
        "loihi1 has no register 'target'; add state to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    "norm": (
        "top: State(",
        "loihi1 has no register 'top'; add state to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    "synapse": ("sent: Pre(16)", "'sent' asks for 16 bits, loihi1 has 7; ask for 7 or fewer"),
    "backward": ("sent: Pre(16)", "'sent' asks for 16 bits, loihi1 has 7; ask for 7 or fewer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_loihi1_is_refused(name: str) -> None:
    """By register and line."""
    at, text = REFUSED[name]
    before = RULE.read_text().split(at)[0]
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    program = load_program(f"spikegrad.{name}")
    with fails(ne.FirmwareError, f"{program.path}:{place}: {text}"):
        check_program(program, ne.load_chip("loihi1"))


def test_a_network_for_loihi1_is_refused() -> None:
    text = (
        "projection 'in->h1': route multiplies by the payload, no source states a graded payload for loihi1; route the weight alone, "
        "or choose a chip that has all this needs (atlas, generic45)"
    )
    with fails(ne.UnsupportedError, text):
        ne.compile(network(SMALL, f=4), ne.load_chip("loihi1"), align=False)


def test_what_wire_cannot_take_is_refused() -> None:
    text = "SpikeGrad learns through hidden layers, 'in->out' alone has none; put a population between"
    with fails(ne.NetworkError, text):
        network((4, 3))
    text = (
        "f is 30, initial 'he', rows 1, momentum 0, fine 0; use 0 <= f <= 20, 'he' or 'given', "
        "rows >= 1, 0 <= momentum <= 12, 0 <= fine <= 14"
    )
    with fails(ne.NetworkError, text):
        network(SMALL, f=30)


def test_wire_lays_out_phases_and_initial_weights() -> None:
    net = network(SMALL, rows=2, f=12)
    assert [(p.ticks, p.learning) for p in net.phases] == [(2, False)] + 3 * [(1, False)] + 7 * [(1, True)]
    assert net.probes == (("out", "v"),)
    assert [(m.population, m.tick) for m in net.modulators] == [("out", 5)]
    wide = np.asarray(network((400, 50, 2), f=12).projection("in->h1").weight)
    assert abs(wide.std() / 4096 / np.sqrt(2 / 400) - 1) < 0.02
    assert np.array_equal(np.asarray(net.projection("h1->h2").weight).T, net.projection("h1->h2.back").weight)


def test_delays_are_refused_and_sparse_layers_stay_sparse() -> None:
    populations = [ne.Population(name, 4, ne.Firmware("if")) for name in ("in", "h1", "out")]
    populations[0] = ne.Population("in", 4, ne.HostInput())
    ring = ne.Sparse([0, 0, 1, 2, 3], [1, 3, 0, 2, 3], np.zeros(5))
    chain = [ne.Projection("in", "h1", ring), ne.Projection("h1", "out", ring)]
    net = ne.wire(ne.Network(populations, chain, outputs=["out"]), "spikegrad", f=8, k=4)
    first = net.projection("in->h1").weight
    assert isinstance(first, ne.Sparse)
    assert len(np.asarray(first.weight)) == 5
    events, _ = told(np.random.default_rng(0).integers(0, 9, (1, 40, 4)), np.arange(40) % 4, 4)
    done = ne.run(compiled(net), events, engine="python", plastic=True)
    assert np.array_equal(done.weights["h1->out"], done.weights["h1->out.back"])
    second = net.projection("h1->out").weight
    assert isinstance(second, ne.Sparse)
    assert (done.weights["h1->out"] != np.asarray(second.weight)).mean() > 0.5  # a neuron may be dead
    with fails(ne.NetworkError, "projection 'h1->out' has delays; a layer's counts come in one tick, use none"):
        late = [chain[0], ne.Projection("h1", "out", np.zeros((4, 4)), delay=2)]
        ne.wire(ne.Network(populations, late, outputs=["out"]), "spikegrad")


# ---- the oracle itself
def test_the_oracle_draws_and_rounds_as_the_firmware_does() -> None:
    ids = np.array([0, 1, 7, 1 << 20])
    for hook, bits in (("commit_synapse", 6), ("commit", 1), ("commit_synapse", 0)):
        base = site_key(tick_key(5, 9, COMMIT_TICK), site(hook))
        expected = [uniform_of_isa(unit_key(base, int(i)), 0, bits) for i in ids]
        assert oracle.uniform(5, 9, hook, ids, bits).tolist() == expected
    x = np.arange(-50, 50)
    assert oracle.rha(x, 8).tolist() == [shift_away(int(v), 3) for v in x]


def test_the_error_is_that_of_a_softmax() -> None:
    rng = np.random.default_rng(3)
    v = rng.normal(0, 2 * 4096, (500, 10)).astype(np.int64)
    target = np.eye(10, dtype=np.int64)[rng.integers(0, 10, 500)]
    p = np.exp((v - v.max(axis=1, keepdims=True)) / 4096)
    exact = 64 * (p / p.sum(axis=1, keepdims=True) - target)
    assert np.abs(oracle.softmax_error(v, target, 12, 64) - exact).max() < 2


# ---- equality with the integer network
def against_oracle(
    sizes: tuple[int, ...], nets: int, rule: str | Path = "spikegrad", rows: int = 3, **options: object
) -> dict[str, int]:
    """One presentation of each of many random nets: how many differ, and how many had ties, saturation, errors.

    Each input comes in parts, signed and in random order, over ``rows`` ticks.
    """
    net = network(sizes, rule, rows=rows, **options)
    image, rng = compiled(net), np.random.default_rng([2, *sizes])
    ideal, names = twin(net, image, 4), layers_of(sizes)
    threshold = 1 << ideal.f
    seen = dict.fromkeys(("differ", "S", "gate", "ties", "error_ties", "learned", "capped", "negative"), 0)
    for number in range(nets):
        memory, ideal.weights, ideal.biases = random_net(rng, sizes, threshold)
        parts = rng.integers(-9, 10, (rows, 1, sizes[0]))
        events, target = told(parts, rng.integers(0, sizes[-1], 1), sizes[-1], first=number)
        done = ne.run(image, events, engine="python", plastic=True, seed=4, start=memory)
        before, ideal.commits = [w.copy() for w in ideal.weights], 0
        ideal.run(parts.sum(axis=0), target)
        ideal.commit()
        state, last = done.state, ideal.last
        right = {
            "v": all(np.array_equal(state[f"{p}.v"], last["I"][n][0]) for n, p in enumerate(names)),
            "S": all(np.array_equal(state[f"{p}.s"], last["S"][n + 1][0]) for n, p in enumerate(names[:-1])),
            "gate": all(np.array_equal(state[f"{p}.gate"], last["gate"][n][0]) for n, p in enumerate(names[:-1])),
            "E": all(np.array_equal(state[f"{p}.e"], last["E"][n][0]) for n, p in enumerate(names)),
            "weights": same_weights(done, ideal, sizes),
        }
        seen["differ"] += not all(right.values())
        seen["S"] += not right["S"]
        seen["gate"] += not right["gate"]
        seen["ties"] += any(((i > 0) & (i % threshold == threshold // 2)).any() for i in last["I"][:-1])
        back = [last["E"][n + 1] @ before[n + 1].T for n in range(len(names) - 1)]
        seen["error_ties"] += any(((u < 0) & (-u % threshold == threshold // 2)).any() for u in back)
        seen["learned"] += any((a != b).any() for a, b in zip(before[:1], ideal.weights[:1], strict=True))
        seen["capped"] += any((s == ideal.s_max).any() for s in last["S"][1:-1])
        seen["negative"] += bool((parts.sum(axis=0) < 0).any())
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_random_nets_equal_the_oracle_whatever_the_order_of_input(sizes: tuple[int, ...]) -> None:
    seen = against_oracle(sizes, N_NETS)
    assert seen["differ"] == 0
    assert min(seen["ties"], seen["error_ties"], seen["learned"], seen["negative"]) > N_NETS // 20, seen


def test_counts_saturate_at_s_max_and_teach_no_more() -> None:
    seen = against_oracle(SHAPES[0], 60, s_max=3)
    assert seen["differ"] == 0
    assert seen["capped"] > 20


@pytest.mark.parametrize(("sizes", "commit_every"), [((6, 5, 3), 1), (SMALL, 3), ((4, 3, 3, 3, 2), 7)], ids=str)
def test_many_presentations_equal_the_oracle(sizes: tuple[int, ...], commit_every: int) -> None:
    net = network(sizes)
    image = compiled(net)
    events, x, target = drawn(np.random.default_rng(1), sizes, 210)
    done = ne.run(image, events, engine="python", plastic=True, commit_every=commit_every, seed=5)
    ideal = twin(net, image, 5)
    started = [w.copy() for w in ideal.weights]
    tops = ideal.train(x, target, commit_every)
    assert np.array_equal(done.probes["out", "v"][:, -1], tops)
    assert same_weights(done, ideal, sizes)
    assert all((a != b).mean() > 0.3 for a, b in zip(started, ideal.weights, strict=True))
    assert not [key for key in done.counts.names if key.startswith("saturation")]


@pytest.mark.parametrize("engine", ["python", "cpu"])
def test_masters_behind_eight_bit_weights_equal_the_oracle(engine: str) -> None:
    """Stored weights have 6 more bits than the datapath takes: most updates change no spike at once, and none is lost."""
    net = network(SMALL, f=6, k=1, fine=6)
    image = compiled(net)
    events, x, target = drawn(np.random.default_rng(1), SMALL, 150)
    done = ne.run(image, events, engine=engine, plastic=True, commit_every=3, seed=5)
    ideal = twin(net, image, 5)
    started, seen = [w.copy() for w in ideal.weights], ideal.seen()
    assert np.array_equal(done.probes["out", "v"][:, -1], ideal.train(x, target, 3))
    assert same_weights(done, ideal, SMALL)
    assert all((a != b).mean() > 0.3 for a, b in zip(started, ideal.weights, strict=True))
    assert all(abs(w).max() <= 128 for w in ideal.seen())
    assert any((a != b).any() for a, b in zip(seen, ideal.seen(), strict=True))


@pytest.mark.parametrize("commit_every", [1, 4])
def test_momentum_equals_the_oracle_and_survives_a_cut(commit_every: int) -> None:
    net = network(SMALL, momentum=3)
    image = compiled(net)
    events, x, target = drawn(np.random.default_rng(4), SMALL, 120)
    how = {"engine": "python", "plastic": True, "commit_every": commit_every, "seed": 5}
    done = ne.run(image, events, **how)
    ideal = twin(net, image, 5, momentum=3)
    assert np.array_equal(done.probes["out", "v"][:, -1], ideal.train(x, target, commit_every))
    assert same_weights(done, ideal, SMALL)
    for label, trace in zip(("in->h1", "h1->h2", "h2->out"), ideal.traces, strict=True):
        assert np.array_equal(done.memory.registers[f"{label}.trace"].ravel(), trace.ravel())
    first = ne.run(image, events.slice(0, 40), **how)
    assert ne.run(image, events.slice(40, 120), start=first.memory, **how).memory.digest == done.memory.digest


@pytest.mark.slow
def test_1600_online_samples_on_the_compiled_engine_equal_the_oracle() -> None:
    net = network(SMALL)
    image = compiled(net)
    events, x, target = drawn(np.random.default_rng(8), SMALL, 1600)
    done = ne.run(image, events, engine="cpu", plastic=True, seed=2)
    ideal = twin(net, image, 2)
    tops = ideal.train(x, target)
    assert np.array_equal(done.probes["out", "v"][:, -1], tops)
    assert same_weights(done, ideal, SMALL)
    assert done.memory.commits == 1600


# ---- traps of the specification, each a change of the shipped file
S_RULE = "s = (min(shift_round(v, f), s_max) if v > 0 else 0) if fires else s"
GATE_RULE = "gate = (1 if v > 0 and s < s_max else 0) if fires else gate"
UNGATED = (
    "s = (min(shift_round(v, f), s_max) if v > 0 else (-1 if 2 * v <= 0 - shift_left(1, f) else 0)) if fires else s"
)
UNGATED_GATE = "gate = (1 if v - shift_left(s, f) > 0 or s > 0 else 0) if fires else gate"


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the rule with these texts replaced."""
    text = RULE.read_text()
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    path = folder / "trap.py"
    path.write_text(text)
    return path


def test_a_copy_of_the_rule_works_as_the_rule(tmp_path: Path) -> None:
    assert against_oracle(SHAPES[0], 20, changed(tmp_path))["differ"] == 0


def test_an_ungated_residual_spike_is_wrong(tmp_path: Path) -> None:
    """Trap 1: equation 4.26 as printed makes silent neurons send -1, and some of them teach."""
    seen = against_oracle(SHAPES[0], 60, changed(tmp_path, (S_RULE, UNGATED), (GATE_RULE, UNGATED_GATE)))
    assert seen["S"] > 50
    assert seen["gate"] > 10


def test_the_derivative_is_of_the_drive_not_of_the_count(tmp_path: Path) -> None:
    """0 < I < threshold / 2 gives S = 0 but S' = 1."""
    seen = against_oracle(SHAPES[0], 60, changed(tmp_path, (GATE_RULE, GATE_RULE.replace("v > 0", "s > 0"))))
    assert seen["S"] == 0
    assert seen["gate"] > 10
    assert seen["differ"] >= seen["gate"]


def test_a_neuron_no_packet_reaches_fires_all_the_same(tmp_path: Path) -> None:
    """Trap 3: a bias alone can pass the threshold; testing only when drive is not zero forgets it."""
    tested = ("fires = 1 if phase == fire_phase else 0", "fires = 1 if phase == fire_phase and drive != 0 else 0")
    seen = against_oracle(SHAPES[2], 60, changed(tmp_path, tested))
    assert seen["differ"] >= seen["S"] > 5


def test_a_saturating_v_depends_on_the_order(tmp_path: Path) -> None:
    """Trap 6: V of 10 bits, thresholds of 8; and the run counts it."""
    path = changed(tmp_path, ("        v: State, s:", "        v: State(10), s:"))
    assert against_oracle(SHAPES[0], 60, path)["differ"] > 30
    events, _, _ = drawn(np.random.default_rng(1), SHAPES[0], 10)
    done = ne.run(compiled(network(SHAPES[0], path)), events, engine="python", plastic=True)
    assert done.counts.by_owner("saturation")["h1.v"] > 0


# ---- the same bits everywhere
def learned(image: ne.Image, **how: object) -> ne.Run:
    events, _, _ = drawn(np.random.default_rng(6), SMALL, 36)
    return ne.run(image, events, plastic=True, seed=3, **how)


def test_engines_and_workers_agree() -> None:
    net = network(SMALL)
    image = compiled(net)
    one = learned(image, engine="python", commit_every=6)
    for p in net.projections:
        if p.rule and ".forward" in p.rule:
            assert (one.weights[p.label] != np.asarray(p.weight).ravel()).mean() > 0.3
    assert one.differs(learned(image, engine="event", commit_every=6)) is None
    for workers in (1, 4):
        assert one.differs(learned(image, engine="cpu", commit_every=6, workers=workers)) is None


def test_placement_changes_no_bit_and_the_copies_stay_equal() -> None:
    net, rng = network(SMALL), np.random.default_rng(9)
    plain = learned(compiled(net), engine="python")
    for _ in range(3):
        image = compiled(net, random_placement(rng, compiled(net), 60))
        moved = learned(image, engine="event")
        assert moved.spikes == plain.spikes
        assert moved.memory.digest == plain.memory.digest
        for label in ("h1->h2", "h2->out"):
            assert np.array_equal(moved.weights[label], moved.weights[f"{label}.back"])


@pytest.mark.parametrize("engine", ["python", "cpu"])
def test_a_cut_run_goes_on_with_the_same_bits(engine: str) -> None:
    image = compiled(network(SMALL))
    events, _, _ = drawn(np.random.default_rng(6), SMALL, 36)
    how = {"engine": engine, "plastic": True, "commit_every": 6, "seed": 3}
    first = ne.run(image, events.slice(0, 12), **how)
    rest = ne.run(image, events.slice(12, 36), start=first.memory, **how)
    assert rest.memory.digest == learned(image, engine="python", commit_every=6).memory.digest


# ---- evaluation
def test_evaluation_changes_nothing_and_gives_the_same_v() -> None:
    image = compiled(network(SMALL))
    events, x, target = drawn(np.random.default_rng(6), SMALL, 36)
    plastic = ne.run(image, events, engine="python", plastic=True, commit_every=36)
    silent = ne.run(image, ne.stimulus({"in": x[None]}, {"in": SMALL[0]}), engine="python")
    assert np.array_equal(plastic.probes["out", "v"][:, -1], silent.probes["out", "v"][:, -1])
    assert silent.ticks == len(SMALL)
    assert silent.counts["send_probe"] == silent.counts["send_error"] == silent.counts["hook_end"] == 0
    again = ne.run(image, events, engine="cpu", start=plastic.memory)
    assert again.memory.digest == plastic.memory.digest
    told_other = ne.run(image, told(x[None], 2 - target.argmax(axis=1), 3)[0], engine="cpu", start=plastic.memory)
    assert again.spikes == told_other.spikes
    assert np.array_equal(again.probes["out", "v"], told_other.probes["out", "v"])


def encode(values: np.ndarray, first: int) -> ne.Stimulus:
    return ne.stimulus({"in": values[None]}, {"in": values.shape[1]}, first=first)


def test_it_learns_and_shuffled_labels_give_chance() -> None:
    rng = np.random.default_rng(12)
    prototypes = rng.integers(0, 9, (3, 12))
    labels = rng.integers(0, 3, 900)
    x = np.maximum(prototypes[labels] + rng.integers(-2, 3, (900, 12)), 0)
    common = {"encode": encode, "readout": ("out", "v"), "engine": "python"}
    image = compiled(network((12, 10, 3), k=2))
    done = ne.train(image, (x[:300], labels[:300]), output="out", test=(x[300:], labels[300:]), **common)
    assert (done.history[-1].test_accuracy or 0) > 0.95
    assert done.history[-1].learning_fj > 0
    other = ne.evaluate(done.image, (x[300:], rng.permutation(labels[300:])), **common)
    assert abs(other - 1 / 3) < 0.08
