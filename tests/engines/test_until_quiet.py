"""Phases that last until quiet: when they end, what is counted, and what happens if they never do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import patient
from fails import fails

import neuroemu as ne
from neuroemu.engines.available import runnable


def chain(delay: int = 2, cap: int = 30) -> ne.Network:
    """One input, one neuron that sends a packet for every 2 it gets, one that listens; phase 1 comes when phase 0 is quiet."""
    return ne.Network(
        [
            ne.Population("in", 1, ne.HostInput()),
            ne.Population("a", 1, ne.Firmware("if_ternary", {"threshold": 2}, {"relu": 0})),
            ne.Population("b", 1, ne.Firmware("if_ternary", {"threshold": 1}, {"relu": 0})),
        ],
        [
            ne.Projection("in", "a", [[1]], routes={"input": [("drive", "weight*payload")]}),
            ne.Projection("a", "b", [[1]], delay=delay),
        ],
        outputs=["b"],
        probes=[("b", "total")],
        phases=[ne.Phase(0, cap, until_quiet=True), ne.Phase(1, 2)],
    )


def compiled(network: ne.Network, chip: str = "generic45") -> ne.Image:
    return ne.compile(network, ne.load_chip(chip), align=False)


@pytest.mark.parametrize("engine", runnable())
def test_a_phase_ends_with_its_first_quiet_tick(engine: str) -> None:
    """Payload 5 in tick 0: a fires in ticks 1 and 2; b, 3 ticks later, in 4 and 5; tick 6 is quiet, then phase 1 lasts 2 ticks."""
    inputs = np.array([5, 0, 0])[None, :, None]
    run = ne.run(compiled(chain()), inputs, engine=engine)
    assert run.spikes.tick.tolist() == [1, 2, 4, 5]
    assert run.lengths is not None
    assert run.lengths.tolist() == [9, 3, 3]  # nothing at all: tick 0 is quiet
    assert run.ticks == 9
    assert run.probes["b", "total"][:, :, 0].tolist() == [[0, 0, 0, 0, 1, 2, 2, 2, 2], [0] * 9, [0] * 9]
    assert run.counts["soma_active"] + run.counts["soma_idle"] == 2 * (9 + 3 + 3)
    assert run.counts["barrier"] == 15


@pytest.mark.parametrize("engine", runnable())
def test_input_that_comes_later_is_waited_for(engine: str) -> None:
    inputs = np.zeros((8, 1, 1), int)
    inputs[[0, 7]] = 2
    run = ne.run(compiled(chain()), inputs, engine=engine)
    assert run.spikes.tick.tolist() == [1, 4, 8, 11]
    assert run.ticks == 13 + 2


@pytest.mark.parametrize("engine", runnable())
def test_a_phase_that_is_not_quiet_in_time_is_an_error(engine: str) -> None:
    text = (
        "presentation 1: phase 0 was not quiet within its cap of 6 ticks; "
        "state a larger cap, or look for neurons that never stop sending"
    )
    with fails(ne.RunError, text):
        ne.run(compiled(chain(cap=6)), np.array([0, 5, 5])[None, :, None], engine=engine)
    assert ne.run(compiled(chain(cap=7)), np.array([0, 5])[None, :, None], engine=engine).ticks == 9


def test_workers_change_nothing_and_the_lowest_failure_is_told() -> None:
    image = compiled(chain())
    inputs = np.arange(12)[None, :, None] % 7
    one = ne.run(image, inputs, engine="python")
    assert len(set(one.lengths.tolist())) > 2  # type: ignore[union-attr]
    assert one.differs(ne.run(image, inputs, workers=3)) is None
    shorter = compiled(chain(cap=8))
    assert len(ne.run(shorter, inputs[:, :7] % 5, workers=3).spikes) > 0
    with fails(
        ne.RunError,
        "presentation 4: phase 0 was not quiet within its cap of 6 ticks; "
        "state a larger cap, or look for neurons that never stop sending",
    ):
        ne.run(compiled(chain(cap=6)), inputs, workers=3)


def test_time_and_files_know_the_length_of_every_presentation(tmp_path: Path) -> None:
    inputs = np.array([5, 0, 3])[None, :, None]
    image = compiled(chain(), "atlas")
    event = ne.run(image, inputs, engine="event")
    twin = ne.run(image, inputs, timing="twin")
    assert event.timing is not None
    assert event.timing.time_ps > 0
    assert event.differs(twin) is None
    assert event.timing.tick_ps.shape == (3, 9)
    told = str(ne.report(event))
    assert "tick on the network-on-chip" in told
    assert "note: phases last until quiet: presentations took 3 to 9 ticks, 6.7 in the mean" in told
    event.save(tmp_path / "run")
    again = ne.load_run(tmp_path / "run")
    assert event.differs(again) is None
    assert again.lengths is not None
    other = replace(again, lengths=again.lengths + np.array([0, 1, 0]))
    assert event.differs(other) == "presentation 1 lasts 3 ticks against 4"


def test_a_recording_is_replayed(tmp_path: Path) -> None:
    case = patient(np.random.default_rng(3))
    image = case.image()
    run = ne.run(image, case.stimulus(), plastic=True, commit_every=2, engine="python", record=tmp_path / "a.aer")
    assert len(run.spikes) > 20
    assert ne.replay(tmp_path / "a.aer", image, engine="cpu").difference is None


def test_a_session_stops_with_the_presentation() -> None:
    case = patient(np.random.default_rng(4))
    image, events = case.image(), case.stimulus()
    run = ne.run(image, events, plastic=True, engine="python")
    session = ne.Session(image, plastic=True)
    assert run.lengths is not None
    for number, length in enumerate(run.lengths.tolist()):
        session.load(events, number)
        assert session.ticks == 400 + 2 + 70 + 3 + 4
        session.go()
        assert (session.tick, session.left) == (length, 0)
        session.end()
        session.commit()
    assert session.spikes == run.spikes
    session.begin()
    session.inject("in", 0, 3, tick=20)  # what is to be injected is waited for
    session.step(1)
    assert session.left > 100
    session.go()
    assert session.tick > 21


def test_an_image_file_keeps_the_phases(tmp_path: Path) -> None:
    image = compiled(chain())
    image.save(tmp_path / "a.image")
    again = ne.load_image(tmp_path / "a.image")
    assert again.phases == image.phases == (ne.Phase(0, 30, until_quiet=True), ne.Phase(1, 2))
    assert again.digest == image.digest
