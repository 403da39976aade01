"""The STDP family: pair STDP against an event loop and the textbook, the winner-take-all rule against its own, on every engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import random_placement, spikes
from fails import fails
from test_rule_refuses import place

import neuroemu as ne
from neuroemu.chip.chip import parse_chip
from neuroemu.engines.job import Job, silent
from neuroemu.image.image import SYNAPSE_ID0
from neuroemu.language.isa import site_key, tick_key, uniform, unit_key
from neuroemu.language.machine import site
from neuroemu.language.program import load_program, python_hooks

ROOT = Path(__file__).parents[2]
RULES = ROOT / "firmware" / "rules"
ATLAS = ne.load_chip("atlas")
N_IN, N, ROWS, PRESENTATIONS, SEED = 9, 6, 24, 36, 5
KINDS = ("all_to_all", "nearest", "wta")
PAIR = {"a_plus": 4, "a_minus": 10, "k_plus": 3, "k_minus": 2, "shift": 8}


def plain(rng: np.random.Generator, weight: np.ndarray | None = None) -> ne.Network:
    """A layer of leaky neurons; what no rule is wired into."""
    drawn = rng.integers(20, 120, (N_IN, N)) if weight is None else weight
    return ne.Network(
        [
            ne.Population("in", N_IN, ne.HostInput()),
            ne.Population("out", N, ne.Firmware("lif", {"decay_v": 512, "threshold": 320})),
        ],
        [ne.Projection("in", "out", drawn, "p")],
        outputs=["out"],
    )


def wired(kind: str, **options: float) -> ne.Network:
    network = plain(np.random.default_rng(2))
    if kind == "wta":
        return ne.wire(network, "wta_stdp", **{"theta": 4.0, "alpha": 0.2, "seed": 3, **options})
    return ne.wire(network, "stdp", nearest=kind == "nearest", **{**PAIR, **options})


@cache
def image(kind: str) -> ne.Image:
    return ne.compile(wired(kind), ATLAS)


def inputs() -> np.ndarray:
    """Half of the inputs, others in every presentation."""
    rng = np.random.default_rng(4)
    return spikes(rng, ROWS, PRESENTATIONS, N_IN, 0.5) * (rng.random((PRESENTATIONS, N_IN)) < 0.5)


@cache
def learned(kind: str, engine: str = "python") -> ne.Run:
    return ne.run(image(kind), inputs(), engine=engine, plastic=True, seed=SEED)


def draw(hook: str, channel: str | None, presentation: int, tick: int, synapse: int, bits: int) -> int:
    """The random number of a synapse hook's first draw."""
    base = site_key(tick_key(SEED, presentation, tick), site(hook, channel))
    return uniform(unit_key(base, SYNAPSE_ID0 + synapse), 0, bits)


def start(kind: str) -> np.ndarray:
    return np.array(wired(kind).projection("p").weight)


# ---- pair STDP
LATE = {False: np.zeros((N_IN, N), int), True: np.random.default_rng(6).integers(0, 4, (N_IN, N))}
"""Delays of the synapses: none, and 0 to 3 ticks."""
PAIRS = [(kind, late) for kind in ("all_to_all", "nearest") for late in (False, True)]


def delayed(network: ne.Network, late: bool) -> ne.Network:
    (projection,) = network.projections
    return replace(network, projections=(replace(projection, delay=LATE[late]),)) if late else network


@cache
def paired(kind: str, late: bool, engine: str = "python") -> ne.Run:
    if not late:
        return learned(kind, engine)
    return ne.run(ne.compile(delayed(wired(kind), late), ATLAS), inputs(), engine=engine, plastic=True, seed=SEED)


def pair_events(run: ne.Run, presentation: int) -> list[tuple[int, np.ndarray, list[int]]]:
    """(tick, which inputs of every tick arrive without delay, neurons that fire): input of row t arrives in tick t + 1."""
    arrives, fires = inputs()[:, presentation] != 0, run.raster("out")[presentation]
    first = run.layers["out"].age
    known = np.zeros((run.ticks, N_IN), bool)
    known[1 : ROWS + 1] = arrives[: run.ticks - 1]
    return [
        (tick, known, np.flatnonzero(fires[tick - first]).tolist() if first <= tick < first + ROWS else [])
        for tick in range(run.ticks)
    ]


def arriving(known: np.ndarray, tick: int, late: bool) -> list[tuple[int, int]]:
    """Synapses that a packet reaches in this tick."""
    return [(i, j) for i, j in np.ndindex(N_IN, N) if tick >= LATE[late][i, j] and known[tick - LATE[late][i, j], i]]


@pytest.mark.parametrize(("kind", "late"), PAIRS)
def test_pair_stdp_is_an_integer_event_loop(kind: str, late: bool) -> None:
    run, w, coincident = paired(kind, late), start(kind), 0
    for presentation in range(PRESENTATIONS):
        x, y = np.zeros((N_IN, N), int), [0] * N
        for tick, known, firing in pair_events(run, presentation):
            x = x * 7 // 8
            arrived = arriving(known, tick, late)
            for i, j in arrived:
                x[i, j] = 256 + (x[i, j] if kind == "all_to_all" else 0)
                coincident += j in firing
                if y[j]:
                    noise = draw("arrive_synapse", "input", presentation, tick, i * N + j, 8)
                    w[i, j] = min(max(w[i, j] - (10 * y[j] + noise) // 256, 0), 255)
            for j in firing:
                y[j] = 256 + (y[j] if kind == "all_to_all" else 0)
            y = [v * 3 // 4 for v in y]
            for i, j in np.ndindex(N_IN, N):
                if j in firing and x[i, j]:
                    noise = draw("fire_synapse", None, presentation, tick, i * N + j, 8)
                    w[i, j] = min(max(w[i, j] + (4 * int(x[i, j]) + noise) // 256, 0), 255)
    assert np.array_equal(w.ravel(), run.weights["p"])
    assert (w != start(kind)).mean() > 0.9
    assert len(np.unique(w)) > 15
    assert coincident > 200
    assert np.array_equal(run.weights["p"], learned(kind).weights["p"]) != late


@pytest.mark.parametrize("engine", ["event", "cpu"])
def test_delayed_pairs_are_the_same_bits_on_every_engine(engine: str) -> None:
    assert len(np.unique(LATE[True])) == 4
    assert paired("all_to_all", True, engine).differs(paired("all_to_all", True)) is None


@pytest.mark.parametrize(("kind", "late"), PAIRS)
def test_pair_stdp_is_the_textbook_rule_within_twelve_lsb(kind: str, late: bool) -> None:
    """dw = A exp(-|dt| / tau) over pairs, with exp(-1 / tau) = 1 - 2^-k, w from 0 to 32767. Weights of about 16000 change by more than
    1000 on average; floors of the traces and the noise of rounding leave them within 12 LSB, 4 on average."""
    options = {"a_plus": 20, "a_minus": 25, "k_plus": 4, "k_minus": 4, "step": 4096, "shift": 9, "high": 32767}
    network = plain(np.random.default_rng(2), np.random.default_rng(3).integers(14000, 18000, (N_IN, N)))
    lif = ne.Firmware("lif", {"decay_v": 512, "threshold": 50000})
    network = replace(network, populations=(network.populations[0], ne.Population("out", N, lif)))
    network = delayed(ne.wire(network, "stdp", nearest=kind == "nearest", **options), late)
    run = ne.run(ne.compile(network, ATLAS), inputs()[:, :6], engine="python", plastic=True, seed=SEED)
    before = np.array(network.projection("p").weight, float)
    w = before.copy()
    for presentation in range(6):
        pre: dict[tuple[int, int], list[int]] = {synapse: [] for synapse in np.ndindex(N_IN, N)}
        post: list[list[int]] = [[] for _ in range(N)]
        for tick, known, firing in pair_events(run, presentation):
            for i, j in arriving(known, tick, late):
                pre[i, j].append(tick)
                w[i, j] -= 25 * 4096 / 512 * sum(kernel(tick - t) for t in chosen(post[j], kind))
            for i, j in np.ndindex(N_IN, N):
                if j in firing:
                    w[i, j] += 20 * 4096 / 512 * sum(kernel(tick - t) for t in chosen(pre[i, j], kind))
            for j in firing:
                post[j].append(tick)
    error = np.abs(run.weights["p"].reshape(N_IN, N) - w)
    assert np.abs(w - before).mean() > 1000
    assert error.max() <= 12
    assert error.mean() <= 4


def kernel(ticks: int) -> float:
    return float((1 - 1 / 16) ** ticks)


def chosen(times: Sequence[int], kind: str) -> Sequence[int]:
    return times if kind == "all_to_all" else times[-1:]


def test_traces_decay_to_nothing_and_saturate_where_the_chip_ends() -> None:
    hooks = python_hooks(load_program("stdp.all_to_all"))
    x = 63
    for _ in range(40):
        (x,) = hooks["tick_pre"](x, 3)
    assert x == 0


# ---- loihi1
def pairs_on_loihi1() -> ne.Network:
    """Seven-bit traces, so that a spike adds 32; a threshold in units of 64, as loihi1 shifts weights."""
    lif = ne.Firmware("lif", {"decay_v": 512, "threshold": 320 * 64})
    network = plain(np.random.default_rng(2))
    network = replace(network, populations=(network.populations[0], ne.Population("out", N, lif)))
    return ne.wire(network, "stdp", step=32, k_plus=3, k_minus=3, a_plus=40, a_minus=30, shift=8)


def test_pair_stdp_learns_on_loihi1_at_the_published_price() -> None:
    """Davies 2018: traces of 7 bits on both sides, weights of 9, 120 pJ a pairwise STDP update."""
    network, chip = pairs_on_loihi1(), ne.load_chip("loihi1")
    run = ne.run(ne.compile(network, chip), inputs(), engine="python", plastic=True)
    moved = run.weights["p"] != np.array(network.projection("p").weight).ravel()
    assert moved.mean() > 0.9
    assert 32 <= abs(run.state["p.x"]).max() <= 63
    assert 0 < abs(run.state["p.y"]).max() <= 63
    updates = run.counts["weight_update"]
    assert updates > 1000
    report = ne.report(run)
    assert report.by_part["learning"] == updates * 120_000
    (row,) = (row for row in report.rows if row.event == "weight_update")
    assert (row.basis, row.source) == ("simulated", "davies2018")
    assert set(report.by_basis) == {"simulated"}
    assert {"rule_add", "rule_read", "synapse_write"} <= set(report.unknown)
    fitted = ne.report(ne.run(ne.compile(network, ne.load_chip("loihi1_fit")), inputs(), engine="python", plastic=True))
    assert fitted.by_part["learning"] == 0
    assert "weight_update" in fitted.unknown


@pytest.mark.parametrize(
    ("pre", "post", "updates", "change"), [([2], [5], 1, 10), ([5], [2], 1, -10), ([2, 5], [5], 1, 26), ([], [5], 0, 0)]
)
def test_a_pair_is_one_update(pre: list[int], post: list[int], updates: int, change: int) -> None:
    """One input and a neuron that another input drives: 120 pJ for every pair of loihi1, before-after or after-before, none without."""
    network = ne.Network(
        [
            ne.Population("in", 1, ne.HostInput()),
            ne.Population("drive", 1, ne.HostInput()),
            ne.Population("out", 1, ne.Firmware("if", {"threshold": 64 * 99})),
        ],
        [ne.Projection("in", "out", [[0]], "p"), ne.Projection("drive", "out", [[100]], "q")],
        outputs=["out"],
    )
    how = {"k_plus": 3, "k_minus": 3, "shift": 0, "a_plus": 1, "a_minus": 1, "low": -255}
    network = ne.wire(network, "stdp", projections=["p"], step=16, **how)
    rows = {"in": np.zeros((9, 1), int), "drive": np.zeros((9, 1), int)}
    rows["in"][pre], rows["drive"][post] = 1, 1
    run = ne.run(ne.compile(network, ne.load_chip("loihi1")), rows, engine="python", plastic=True)
    assert np.flatnonzero(run.raster("out")[0, :, 0]).tolist() == post
    assert run.counts["weight_update"] == updates
    assert run.weights["p"].tolist() == [change]
    assert ne.report(run).by_part["learning"] == updates * 120_000


# ---- winner-take-all
def test_the_winner_take_all_rule_is_an_integer_event_loop() -> None:
    run = learned("wta")
    w, params = start("wta"), wired("wta").projection("p").params
    rise, fall = (np.asarray(params[name]).tolist() for name in ("rise", "fall"))
    v_learn, v_prop, flags = np.zeros(N, int), np.zeros(N, int), np.zeros(N_IN, bool)
    learners: list[int] = []
    sent = np.zeros((PRESENTATIONS, N), int)
    for presentation in range(PRESENTATIONS):
        for tick in range(1, ROWS + 1):
            arriving = inputs()[tick - 1, presentation] != 0
            v_learn, v_prop = v_learn + w[arriving].sum(0), v_prop + w[arriving].sum(0)
            flags |= arriving
            if v_prop.max() >= 4 * 255:
                sent[presentation, int(v_prop.argmax())] += 1
                v_prop[:] = 0
            if v_learn.max() >= 4 * 255:
                j = int(v_learn.argmax())
                learners.append(j)
                v_learn[:] = 0
                for i in range(N_IN):
                    change = rise[w[i, j] >> 3] if flags[i] else -fall[w[i, j] >> 3]
                    noise = draw("fire_synapse", None, presentation, tick, i * N + j, 8)
                    w[i, j] = min(max(w[i, j] + (change + noise >> 8), 0), 255)
                flags[:] = False
    assert np.array_equal(run.weights["p"], w.ravel())
    assert np.array_equal(run.spike_counts("out"), sent)
    assert np.array_equal(run.state["out.v_learn"].reshape(-1, N)[-1], v_learn)
    assert len(learners) > 100
    assert len(set(learners)) == N
    assert (w != start("wta")).mean() > 0.9


def test_only_the_winners_row_changes_and_every_flag_is_cleared() -> None:
    session = ne.Session(image("wta"), seed=SEED, plastic=True)
    changes = flagged = 0
    for presentation in range(12):
        session.load(inputs(), presentation)
        for _ in range(session.ticks):
            before = session.weights["p"].reshape(N_IN, N).copy()
            flagged += int(session.register("p", "flag").any())
            session.step()
            moved = (session.weights["p"].reshape(N_IN, N) != before).any(axis=0)
            assert moved.sum() <= 1
            if moved.any():
                changes += 1
                assert not session.register("p", "flag").any()
                assert not session.register("out", "v_learn").any()
        session.end()
    assert changes > 30
    assert flagged > 60


def test_flags_and_accumulators_outlive_a_presentation_and_evaluation_leaves_them() -> None:
    run = learned("wta")
    assert {"out.v_learn", "out.v_prop", "p.flag"} <= run.memory.registers.keys()
    before = run.memory.digest
    done = ne.run(image("wta"), inputs(), engine="python", start=run.memory)
    assert np.array_equal(done.weights["p"], run.weights["p"])
    assert run.memory.digest == before
    assert len(done.spikes) > 50


def test_evaluation_starts_every_presentation_afresh_on_every_engine() -> None:
    """Accumulators that outlive a presentation while learning do not in evaluation: any number of threads, the same spikes."""
    memory = learned("wta").memory
    assert any(memory.registers["out.v_prop"])
    reference = ne.run(image("wta"), inputs(), engine="python", seed=SEED, start=memory)
    assert len(reference.spikes) > 20
    for engine, workers in (("event", 1), ("cpu", 1), ("cpu", 3)):
        run = ne.run(image("wta"), inputs(), engine=engine, workers=workers, seed=SEED, start=memory)
        assert reference.differs(run) is None, (engine, workers)
        assert run.memory.digest == memory.digest
    events = ne.stimulus(inputs(), {"in": N_IN})
    last = ne.run(image("wta"), events.slice(PRESENTATIONS - 1, PRESENTATIONS), seed=SEED, start=memory)
    assert np.array_equal(last.raster("out")[0], reference.raster("out")[-1])


def test_a_weight_at_even_odds_settles_where_rise_and_fall_balance() -> None:
    """w* = ln(ratio) / beta_plus = ln 8 / 3 = 0.693 (equation 3.4 balanced)."""
    params = wired("wta", alpha=0.04).projection("p").params
    rise, fall = np.asarray(params["rise"]).tolist(), np.asarray(params["fall"]).tolist()
    hook = python_hooks(load_program("wta_stdp.synapse"))["fire_synapse"]
    rng = np.random.default_rng(1)
    w, seen = 40, []
    for n in range(12000):
        (w,) = hook(w, int(rng.random() < 0.5), unit_key(7, n), rise, fall)
        seen.append(w)
    assert abs(np.mean(seen[2000:]) / 255 - np.log(8) / 3) < 0.02


def test_only_the_order_of_events_matters_not_their_time() -> None:
    """Tables of whole weight steps leave nothing to chance: silence between the rows changes no bit of what is learned and sent."""
    network = wired("wta")
    tables = {name: np.asarray(table) // 256 * 256 for name, table in network.projection("p").params.items()}
    network = replace(network, projections=(replace(network.projection("p"), params=tables),))
    compiled, runs = ne.compile(network, ATLAS), []
    for stretch in (1, 4):
        slow = np.zeros((stretch * ROWS, 10, N_IN), np.int64)
        slow[::stretch] = inputs()[:, :10]
        runs.append(ne.run(compiled, slow, engine="python", plastic=True, seed=stretch))
    assert runs[0].memory.digest == runs[1].memory.digest
    assert np.array_equal(runs[0].spike_counts("out"), runs[1].spike_counts("out"))
    assert (runs[0].weights["p"] != start("wta").ravel()).mean() > 0.8


# ---- the same bits
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["event", "cpu"])
def test_every_engine_learns_the_same_bits(kind: str, engine: str) -> None:
    reference, run = learned(kind), learned(kind, engine)
    assert (reference.weights["p"] != start(kind).ravel()).mean() > 0.9
    assert run.memory.digest == reference.memory.digest
    assert run.spikes == reference.spikes
    for name, values in reference.state.items():
        assert np.array_equal(run.state[name], values), name
    assert run.counts.table == reference.counts.table


@pytest.mark.parametrize("kind", KINDS)
def test_placement_changes_no_bit(kind: str) -> None:
    reference, rng = learned(kind), np.random.default_rng(8)
    for _ in range(3):
        placement = random_placement(rng, image(kind), 12)
        if kind == "wta":  # a group and its flags stay on one core
            placement = {"out": [(int(rng.integers(12)), N)]}
        run = ne.run(
            ne.compile(wired(kind), ATLAS, placement=placement), inputs(), engine="python", plastic=True, seed=SEED
        )
        assert run.memory.digest == reference.memory.digest
        assert run.spikes == reference.spikes


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_cut_in_two_ends_with_the_same_bits(kind: str) -> None:
    events = ne.stimulus(inputs(), {"in": N_IN})
    first = ne.run(image(kind), events.slice(0, 13), engine="python", plastic=True, seed=SEED)
    rest = ne.run(
        image(kind), events.slice(13, PRESENTATIONS), engine="python", plastic=True, seed=SEED, start=first.memory
    )
    assert rest.memory.digest == learned(kind).memory.digest
    assert first.memory.digest != rest.memory.digest


@pytest.mark.parametrize("kind", KINDS)
def test_presentations_of_an_online_rule_are_sequential(kind: str) -> None:
    events = ne.stimulus(inputs(), {"in": N_IN})
    for plastic in (True, False):
        assert Job(image(kind), events, SEED, plastic, 1, 4, silent).sequential is plastic


# ---- what does not fit
def refused(network: ne.Network, chip: str, error: type[Exception], text: str) -> None:
    with fails(error, text):
        ne.compile(network, ne.load_chip(chip))


def test_a_post_trace_is_missing_where_no_source_states_one() -> None:
    text = "\n".join(line for line in ne.load_chip("loihi1").text.splitlines() if not line.startswith("post_state"))
    chip = parse_chip(text.replace('name = "loihi1"', 'name = "bare"'), "bare.toml")
    with fails(
        ne.FirmwareError,
        f"{place(RULES / 'stdp.py', 'class synapse', 'y: PostState')}: bare has no register 'y'; add post_state to [core.registers] of "
        "its datasheet, or choose a chip that has it, such as generic45",
    ):
        ne.compile(wired("all_to_all"), chip)


def test_a_trace_is_wider_than_loihis(tmp_path: Path) -> None:
    path = tmp_path / "wide.py"
    path.write_text((RULES / "stdp.py").read_text().replace("def tick_pre(x: Pre,", "def tick_pre(x: Pre(16),"))
    network = wired("all_to_all")
    rule = replace(network.projection("p"), rule=f"{path}.all_to_all")
    text = f"{place(path, 'class synapse', 'x: Pre(16)')}: 'x' asks for 16 bits, loihi1 has 7; ask for 7 or fewer"
    refused(replace(network, projections=(rule,)), "loihi1", ne.FirmwareError, text)


def test_the_winner_take_all_rule_does_not_fit_loihi1() -> None:
    text = (
        "population 'out': competes, no source states a winner unit for loihi1; "
        "choose a chip that has all this needs (atlas, generic45)"
    )
    refused(wired("wta"), "loihi1", ne.UnsupportedError, text)
    network = plain(np.random.default_rng(1))
    rule = replace(network.projection("p"), rule="wta_stdp.synapse", params=wired("wta").projection("p").params)
    at = place(RULES / "wta_stdp.py", "class synapse", "flag: PreKeep")
    text = (
        f"{at}: loihi1 has no register 'flag'; add pre_keep to [core.registers] of its datasheet, or choose a chip that has it, such as "
        "generic45"
    )
    refused(replace(network, projections=(rule,)), "loihi1", ne.FirmwareError, text)


def test_a_rule_of_payloads_does_not_fit_loihi1() -> None:
    network = plain(np.random.default_rng(1))
    graded = replace(network.projection("p"), routes={"input": [("drive", "weight*payload")]})
    text = (
        "projection 'p': route multiplies by the payload, no source states a graded payload for loihi1; "
        "route the weight alone, or choose a chip that has all this needs (atlas, generic45, loihi2), "
        "or vouch for the chip with assume='graded_payload'"
    )
    refused(replace(network, projections=(graded,)), "loihi1", ne.UnsupportedError, text)


RULE = """from neuroemu.isa import Input, Post, Pre, State, Table, Weight

ONLINE = True


def arrive(x: Pre({bits})):
    x = 1
    return x


def fire_synapse({arguments}):
    {statement}
    return {returns}
"""

MISFITS = [
    ("loihi1", "w: Weight, e: State(9), x: Pre(7)", "e = e + x", "e", ne.FirmwareError,
     ":11:29: loihi1 has no register 'e'; add state to [core.registers] of its datasheet, or choose a chip that has it, such as generic45"),
    ("atlas", "w: Weight, x: Pre(7), t: Table(256)", "w = t[w]", "w", ne.FirmwareError,
     ":12:9: index of 't' can be -32768..32767, the table has entries 0..255; clamp the index"),
    ("atlas", "w: Weight(24), x: Pre(7)", "w = w + x", "w", ne.FirmwareError,
     ":11:18: 'w' asks for 24 bits, atlas has 16; ask for 16 or fewer"),
    ("atlas", "w: Weight, x: Pre(32)", "w = w * x * x", "w", ne.FirmwareError,
     ":12:9: `w * x * x` can reach -151115727451828646838272..151115727381459902660608, past 64 bits on atlas; "
     "narrow an operand with fit or clamp, or shift it first"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("chip", "arguments", "statement", "returns", "error", "text"), MISFITS, ids=[m[1] for m in MISFITS]
)
def test_a_rule_that_does_not_fit_says_register_bound_and_line(
    tmp_path: Path, chip: str, arguments: str, statement: str, returns: str, error: type[Exception], text: str
) -> None:
    path = tmp_path / "mine.py"
    bits = arguments.partition("Pre(")[2].partition(")")[0]
    path.write_text(RULE.format(arguments=arguments, statement=statement, returns=returns, bits=bits))
    network = plain(np.random.default_rng(1))
    params = {"t": np.arange(256)} if "Table" in arguments else {}
    rule = replace(network.projection("p"), rule=str(path), params=params)
    refused(replace(network, projections=(rule,)), chip, error, f"{path}{text}")


def test_a_destination_without_the_register_a_rule_reads(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        RULE.format(
            arguments="w: Weight, x: Pre(7), reward: Post(8)", statement="w = w + x * reward", returns="w", bits=7
        )
    )
    network = plain(np.random.default_rng(1))
    rule = replace(network.projection("p"), rule=str(path))
    text = "no register of population 'out' (rule of projection 'p') named 'reward'; there are: v"
    refused(replace(network, projections=(rule,)), "atlas", ne.UnknownNameError, text)


def test_a_competitive_population_is_not_cut() -> None:
    text = "placement cuts population 'out' at neuron 3, inside a group that needs one core; cut between groups"
    with fails(ne.CapacityError, text):
        ne.compile(wired("wta"), ATLAS, placement={"out": [(0, 3), (1, 3)]})


def test_wiring_refuses_what_it_cannot_learn() -> None:
    network = plain(np.random.default_rng(1)).add(ne.Projection("in", "out", np.ones((N_IN, N)), "q"))
    text = "wta_stdp learns one projection, into output 'out'; it was given p, q: name that one"
    with fails(ne.NetworkError, text):
        ne.wire(network, "wta_stdp")
    kept = ne.wire(network, "wta_stdp", projections=["p"], mean=None)
    assert np.array_equal(kept.projection("p").weight, network.projection("p").weight)
    assert kept.projection("q").rule is None


# ---- digits
@pytest.mark.slow
def test_digits_are_learned_without_labels() -> None:
    command = [sys.executable, str(ROOT / "tools" / "train_wta.py"), "--epochs", "5", "--seeds", "0", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    (run,) = json.loads(done.stdout)["runs"]
    assert run["accuracy"] >= 0.87
    assert run["labelled"] >= 85
