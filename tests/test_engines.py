"""Every case on every engine: spikes, payloads, registers, weights, probes and counts equal bit for bit, activity first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import CASES, Case, Rng, firmware, random_placement, show_activity, spikes

import neuroemu as ne
from neuroemu.engines.available import runnable

ORACLE = "python"
OTHERS = [engine for engine in runnable() if engine != ORACLE]


def run(case: Case, image: ne.Image, engine: str, **options: int) -> ne.Run:
    return ne.run(
        image,
        case.stimulus(),
        engine=engine,
        plastic=case.plastic,
        commit_every=case.commit_every,
        **({"seed": 7} | options),
    )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("engine", OTHERS)
def test_engines_agree(engine: str, name: str) -> None:
    for draw in range(3):
        rng: Rng = np.random.default_rng([draw, *name.encode()])
        case = CASES[name](rng)
        image = case.image(random_placement(rng, case.image(), 9 if case.chip == "generic45" else 40))
        oracle = run(case, image, ORACLE)
        show_activity(case, image, oracle)
        assert oracle.differs(run(case, image, engine)) is None


@pytest.mark.parametrize("name", CASES)
def test_event_engine_agrees_on_many_draws(name: str) -> None:
    for draw in range(3, 12):
        rng: Rng = np.random.default_rng([draw, *name.encode()])
        case = CASES[name](rng)
        image = case.image(random_placement(rng, case.image(), 30))
        oracle, event = run(case, image, ORACLE), run(case, image, "event")
        assert len(oracle.spikes) > 0
        assert oracle.differs(event) is None


def test_counts_of_a_spread_network_have_hops_and_no_zero() -> None:
    rng: Rng = np.random.default_rng(0)
    case = CASES["delayed"](rng)
    image = case.image({"a": [(0, 5), (63, 6)], "b": [(7, 8)]})
    counts = run(case, image, "event").counts
    for key in ("hop_x", "hop_y", "packet", "host_packet", "axon_in", "synop", "dropped"):
        assert counts[key] > 0, key
    assert sum(counts.by_core("synop").values()) == counts["synop"] == sum(counts.by_owner("synop").values())


def test_random_numbers_are_the_same_and_wrap() -> None:
    """The hash of ids and draws, on its own: Python's masked integers against compiled unsigned ones."""
    from neuroemu.language.isa import mix, tick_key, u64, unit_key

    big = unit_key(tick_key(3, 1 << 40, 5), (1 << 33) + 12345)
    assert big > 1 << 32
    assert ((big ^ (big >> 33)) * 0xFF51AFD7ED558CCD) > u64(-1)  # the product of the first step wraps
    assert mix(big) < 1 << 64
    rng: Rng = np.random.default_rng(1)
    case = CASES["graded"](rng)
    image = case.image()
    runs = [run(case, image, engine) for engine in runnable()]
    assert runs[0].counts["soma_random"] > 0
    assert runs[0].counts["rule_random"] > 0
    assert runs[0].differs(runs[1]) is None
    assert runs[0].differs(runs[2]) is None
    other = ne.run(image, case.stimulus(), engine="python", plastic=True, commit_every=2, seed=8)
    assert other.differs(runs[0]) is not None


@pytest.mark.parametrize("engine", runnable())
def test_evaluation_leaves_the_rules_alone(engine: str) -> None:
    """plastic=False: no learning hook runs, no weight moves, learning phases and modulators are skipped."""
    rng: Rng = np.random.default_rng(2)
    case = CASES["graded"](rng)
    image = case.image()
    run = ne.run(image, case.stimulus(), engine=engine, seed=3)
    assert len(run.spikes) > 0
    assert run.ticks == 12
    assert {key for key in run.counts.names if key.startswith("hook_")} == {"hook_soma"}
    assert run.counts["weight_update"] == 0
    stored = image.projections[0]
    order = np.argsort(np.concatenate([part.ids for part in stored.parts]))
    assert np.array_equal(run.weights["p"], np.concatenate([part.weight for part in stored.parts])[order])
    learned = ne.run(image, case.stimulus(), engine=engine, seed=3, plastic=True)
    assert not np.array_equal(learned.weights["p"], run.weights["p"])


def test_mirrored_weights_stay_the_transposed_copy() -> None:
    """Weight transport: both ends hold a copy and update it from local values with the same integers and the same draws."""
    rng: Rng = np.random.default_rng(4)
    weight = rng.integers(-20, 40, (7, 5))
    rule = {"rule": firmware("deferred_plain"), "params": {"rate": 3}}
    network = ne.Network(
        [ne.Population("in", 6, ne.HostInput())]
        + [
            ne.Population(name, n, ne.Firmware("lif", {"decay_v": 800, "threshold": 30}))
            for name, n in (("a", 7), ("b", 5))
        ],
        [
            ne.Projection("in", "a", rng.integers(0, 60, (6, 7))),
            ne.Projection("a", "b", weight, "up", **rule),
            ne.Projection("b", "a", weight.T, "down", mirror="up", **rule),
        ],
        outputs=["b"],
        phases=[ne.Phase(0, 40)],
    )
    inputs = spikes(rng, 9, 6, 6)
    for chip_placement in (None, {"a": [(3, 4), (1, 3)], "b": [(9, 2), (0, 3)]}):
        image = ne.compile(network, ne.load_chip("generic45"), placement=chip_placement)
        for engine in runnable():
            run = ne.run(image, inputs, engine=engine, plastic=True, commit_every=2)
            assert np.mean(run.weights["up"] != weight.ravel()) > 0.5
            assert np.array_equal(
                run.weights["up"], run.weights["down"]
            )  # both in the order of the synapse ids they share


CLASHING = '''
"""Registers and parameters called like names of a kernel's own."""
from neuroemu.isa import Param, Port, State


def soma(touched: State(16), total_drive: State(16), flag_spike: State(16), count_spike: State(16), list_spike: State(16), i: State(16),
         slices: Param, b: Param, n: Param, drive: Port):
    touched = touched + drive
    total_drive = total_drive + touched
    flag_spike = flag_spike + 1
    count_spike = count_spike + slices
    list_spike = list_spike + b
    i = i + n
    spike = 1 if total_drive > 40 else 0
    total_drive = 0 if spike else total_drive
    return touched, total_drive, flag_spike, count_spike, list_spike, i, spike
'''


def test_names_of_programs_never_meet_names_of_kernels(tmp_path: Path) -> None:
    (tmp_path / "clash.py").write_text(CLASHING)
    neuron = ne.Firmware(str(tmp_path / "clash.py"), {"slices": 2, "b": [3, 4], "n": 5})
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 2, neuron)],
        [ne.Projection("in", "out", [[3, 4], [5, 6]])],
        outputs=["out"],
    )
    image = ne.compile(network, ne.load_chip("generic45"))
    runs = [ne.run(image, np.ones((12, 2), int), engine=engine) for engine in runnable()]
    assert len(runs[0].spikes) > 4
    assert all(runs[0].differs(run) is None for run in runs)
    assert runs[0].state["out.count_spike"].tolist() == [24, 24]
