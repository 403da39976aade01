"""Learning's share of every count: what evaluation does not do, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import CASES, patient
from spikegrad_cases import SMALL, compiled, drawn, network

import neuroemu as ne
from neuroemu.engines.run import ENGINES
from neuroemu.results.counts import LEARNING


def parts(run: ne.Run) -> tuple[dict[object, int], dict[object, int]]:
    """Counts of inference and of learning, by key, core and owner."""
    table = run.counts.table
    learning = {
        (key.removeprefix(LEARNING), core, owner): n
        for (key, core, owner), n in table.items()
        if key.startswith(LEARNING)
    }
    whole = {where: n for where, n in table.items() if not where[0].startswith(LEARNING)}
    return {where: n - learning.get(where, 0) for where, n in whole.items() if n != learning.get(where, 0)}, learning


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_left_is_what_evaluation_counts(engine: str) -> None:
    """Weights change after the last presentation only, and the network is quiet when learning begins."""
    events, _, _ = drawn(np.random.default_rng(6), SMALL, 9)
    image = compiled(network(SMALL))
    plastic = ne.run(image, events, engine=engine, plastic=True, commit_every=9)
    silent = ne.run(image, replace(events, values={}), engine=engine)
    inference, learning = parts(plastic)
    assert inference == dict(silent.counts.table)
    assert {"host_packet", "packet", "axon_in", "synop", "soma_active", "send_error", "send_probe", "rule_add", "weight_update",
            "synapse_write", "soma_read", "barrier"} <= {key for key, _, _ in learning}  # fmt: skip
    report, evaluated = ne.report(plastic), ne.report(silent)
    assert report.by_part["inference"] == evaluated.total_fj > 0
    assert report.by_part["learning"] == report.total_fj - evaluated.total_fj > 0
    assert evaluated.by_part == {"inference": evaluated.total_fj, "learning": 0}


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name](np.random.default_rng(0)).plastic])
def test_learning_is_a_share_of_every_count(name: str) -> None:
    case = CASES[name](np.random.default_rng(5))
    done = ne.run(case.image(), case.stimulus(), engine="python", plastic=True, commit_every=case.commit_every)
    inference, learning = parts(done)
    assert learning
    assert min(inference.values()) > 0
    assert all(n <= done.counts.table[where] for where, n in learning.items())
    hooks = {key for key, _, _ in learning if key.startswith("hook_")}
    assert not {key for key, _, _ in inference if key.startswith("hook_")} - {"hook_soma", "hook_settle"}
    assert hooks


def test_a_session_counts_alike() -> None:
    case = patient(np.random.default_rng(4))
    image, events = case.image(), case.stimulus()
    run = ne.run(image, events, plastic=True, engine="cpu")
    session = ne.Session(image, plastic=True)
    for number in range(events.n):
        session.load(events, number)
        session.go()
        session.end()
        session.commit()
    assert session.counts.table == run.counts.table
    assert run.counts["learning.barrier"] > 0
