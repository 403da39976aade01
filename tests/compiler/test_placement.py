"""Where neurons sit, how presentations are split over lanes and workers, and in what order things were declared changes no bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import CASES, Rng, random_placement

import neuroemu as ne


def same(a: ne.Run, b: ne.Run) -> bool:
    """Equal in everything but what placement is about: counts by core and hops."""
    keep = [key for key in a.counts.names if key.startswith(("send_", "soma_active", "soma_idle")) or key == "synop"]
    counts = all(a.counts.by_owner(key) == b.counts.by_owner(key) for key in keep)
    state = all(np.array_equal(a.state[key], b.state[key]) for key in a.state)
    weights = all(np.array_equal(a.weights[key], b.weights[key]) for key in a.weights)
    return a.spikes == b.spikes and counts and state and weights


@pytest.mark.parametrize("name", CASES)
def test_placement_changes_no_bit(name: str) -> None:
    rng: Rng = np.random.default_rng([5, *name.encode()])
    case = CASES[name](rng)
    options = {"plastic": case.plastic, "commit_every": case.commit_every, "seed": 1}
    plain = ne.run(case.image(), case.stimulus(), engine="event", **options)
    assert len(plain.spikes) > 0
    hops = set()
    for _ in range(6):
        image = case.image(random_placement(rng, case.image(), 60))
        moved = ne.run(image, case.stimulus(), engine="event", **options)
        assert same(plain, moved)
        hops.add((moved.counts["hop_x"], moved.counts["hop_y"]))
    assert len(hops) > 1, "the placements were all alike"


@pytest.mark.parametrize("name", ["layered", "graded", "delayed"])
def test_workers_change_no_bit(name: str) -> None:
    rng: Rng = np.random.default_rng([6, *name.encode()])
    case = CASES[name](rng)
    image = case.image()
    options = {"plastic": case.plastic, "commit_every": 4 if case.plastic else 1, "seed": 1}
    one = ne.run(image, case.stimulus(), workers=1, **options)
    assert len(one.spikes) > 0
    for workers in (2, 3, 64):
        assert one.differs(ne.run(image, case.stimulus(), workers=workers, **options)) is None


def test_presentations_are_independent_and_numbered() -> None:
    """Running a slice of the stimulus gives that slice of the run: what a presentation does depends on its number only."""
    rng: Rng = np.random.default_rng(7)
    case = CASES["graded"](rng)
    image, stimulus = case.image(), case.stimulus()
    whole = ne.run(image, stimulus, engine="python", seed=5)
    part = ne.run(image, stimulus.slice(2, 4), engine="python", seed=5)
    chosen = (whole.spikes.presentation >= 2) & (whole.spikes.presentation < 4)
    assert chosen.sum() > 0
    assert np.array_equal(whole.spikes.payload[chosen], part.spikes.payload)
    assert np.array_equal(whole.spikes.tick[chosen], part.spikes.tick)
    renumbered = ne.run(image, replace(stimulus.slice(2, 4), first=0), engine="python", seed=5)
    assert renumbered.spikes != part.spikes  # the program draws, and draws depend on the number


def test_declaration_order_of_projections_changes_no_spike() -> None:
    rng: Rng = np.random.default_rng(8)
    case = CASES["delayed"](rng)
    plain = ne.run(case.image(), case.stimulus(), engine="python")
    turned = replace(case.network, projections=case.network.projections[::-1])
    assert turned.projections[0].label != case.network.projections[0].label
    other = ne.run(ne.compile(turned, ne.load_chip(case.chip)), case.stimulus(), engine="python")
    assert len(plain.spikes) > 0
    assert plain.spikes == other.spikes
