"""Sessions: the same bits as a run, stops, and what a session cannot do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, Case
from fails import fails
from insides import drawn, line, narrow, online

import neuroemu as ne


def played(case: Case, image: ne.Image, *, odd: bool = False) -> ne.Session:
    """A whole run in a session, tick by tick; ``odd`` looks at everything on the way."""
    session, stimulus = ne.Session(image, seed=7, plastic=case.plastic), case.stimulus()
    for presentation in range(stimulus.n):
        session.load(stimulus, presentation)
        while session.tick < session.ticks:
            session.step()
            if odd:
                assert session.counts.table[("barrier", -1, "")] == sum(session.counts.by_owner("barrier").values()) > 0
                assert len(session.packets) >= 0
                assert len(session.state) > 0
        session.end()
        if case.plastic and ((presentation + 1) % case.commit_every == 0 or presentation + 1 == stimulus.n):
            session.commit()
    return session


@pytest.mark.parametrize("name", CASES)
def test_a_session_is_a_run(name: str) -> None:
    for draw in range(2):
        case, image = drawn(name, draw)
        run = ne.run(
            image, case.stimulus(), engine="python", seed=7, plastic=case.plastic, commit_every=case.commit_every
        )
        assert len(run.spikes) > 10
        session = played(case, image, odd=draw == 1)
        assert session.spikes == run.spikes
        assert run.counts.differs(session.counts) is None
        for mine, theirs in ((session.state, run.state), (session.weights, run.weights)):
            assert mine.keys() == theirs.keys()
            for key in mine:
                assert np.array_equal(mine[key], theirs[key]), key
        for key in case.must_move:
            image_weight = np.concatenate([part.weight for p in image.projections if p.name == key for part in p.parts])
            assert not np.array_equal(np.sort(session.weights[key]), np.sort(image_weight))


def test_counts_on_the_way_add_up() -> None:
    """Each tick serves what waited for it: synops grow by the waiting packets' targets, and nothing is dropped before the end."""
    case, image = drawn("delayed")
    session, synops, dropped = ne.Session(image), 0, 0
    for presentation in range(2):
        session.load(case.stimulus(), presentation)
        while session.tick < session.ticks:
            synops += sum(len(p.targets) for p in session.packets if p.due == session.tick)
            session.step()
            assert session.counts["synop"] == synops
            assert session.counts["dropped"] == dropped
        dropped += len(session.packets)
        session.end()
        assert session.counts["dropped"] == dropped > 0
    assert synops > 100


def test_a_session_begun_and_injected_is_the_same_as_loaded() -> None:
    case, image = drawn("delayed")
    array = case.inputs[:, 0]
    session = ne.Session(image)
    session.begin(rows=len(array))
    for row, neuron in zip(*np.nonzero(array), strict=True):
        session.inject("in", int(neuron), int(array[row, neuron]), tick=int(row))
    assert session.go() is None
    session.end()
    run = ne.run(image, array, engine="python")
    assert len(run.spikes) > 5
    assert session.spikes == run.spikes
    assert run.counts.differs(session.counts) is None


def test_counts_asked_for_twice_count_saturations_once(tmp_path: Path) -> None:
    image, inputs = narrow(tmp_path), np.array([[1, 0], [1, 1]] * 6)
    session = ne.Session(image, plastic=True)
    session.load(inputs)
    while session.tick < session.ticks:
        session.step()
        before = session.counts
        assert session.counts == before
    session.end()
    session.commit()
    run = ne.run(image, inputs, engine="python", plastic=True)
    assert set(run.counts.by_owner("saturation")) == {"h.v", "p.x", "p.left"}
    assert run.counts.differs(session.counts) is None


def test_where_it_is() -> None:
    case, image = drawn("graded")
    session = ne.Session(image, plastic=True)
    assert (session.running, session.presentation, session.tick, session.ticks) == (False, -1, 0, 0)
    session.load(case.stimulus(), 3)
    assert (session.running, session.presentation, session.tick, session.ticks, session.phase) == (True, 3, 0, 17, 0)
    session.step(13)
    assert (session.tick, session.phase) == (13, 3)
    session.end()
    assert (session.running, session.tick) == (False, 13)
    assert session.packets == ()
    assert session.commit() is None
    session.load(case.stimulus(), 0)
    session.load(case.stimulus(), 2)
    assert session.presentation == 2
    with pytest.raises(ne.StimulusError):
        session.load(case.inputs)  # no values: what was loaded stays
    assert (session.running, session.presentation) == (True, 2)
    session.go()
    assert set(session.spikes.presentation.tolist()) == {0, 1}


def test_packets_wait_at_their_core_until_they_are_due() -> None:
    session = ne.Session(line())
    session.begin()
    session.inject("in", 0)
    session.step()
    sent = session.sent
    assert [str(packet) for packet in sent] == ["input of in[0], payload 1"]
    assert [(p.due, p.core, p.projection, p.delay, p.targets) for p in session.packets] == [
        (1, 0, "p", 0, (0,)),
        (3, 0, "p", 2, (0,)),
    ]
    assert {p.sent for p in session.packets} == set(sent)
    assert str(session.packets[1]) == "due in tick 3 on core 0: input of in[0], payload 1, for p -> [0]"
    session.step(3)
    assert [(p.population, p.neuron, p.core, p.channel, p.payload) for p in session.sent] == [("a", 0, 0, "spike", 1)]
    assert [(p.due, p.core, p.sent.core) for p in session.packets] == [(4, 9, 0)]


def test_a_packet_injected_in_a_neurons_name() -> None:
    session = ne.Session(line())
    session.begin()
    session.inject("a", 1, channel="spike", tick=1)
    session.step(3)
    assert session.register("b.x", "drive").tolist() == [6]
    assert session.spikes.neuron.tolist() == [3]
    assert session.counts["send_spike"] == session.counts["hop_x"] == session.counts["hop_y"] == 1
    assert session.spikes.tick.tolist() == [1]


def test_a_break_stops_when_it_comes_true_and_not_while_it_stays() -> None:
    image, inputs = online()
    session = ne.Session(image, plastic=True)
    session.load(inputs)
    first, second = session.break_when("out.v[3] > 60"), session.break_when("spike of out[3]")
    assert session.breaks == {first: "out.v[3] > 60", second: "spike of out[3]"}
    seen, stops = [], []
    while session.tick < session.ticks:
        stops.append(session.go())
        seen.append(session.tick - 1)
    free = ne.Session(image, plastic=True)
    free.load(inputs)
    expected, before = [], False
    for tick in range(20):
        free.step()
        now, spike = free.value("out.v[3]") > 60, any(p.neuron == 3 and p.population == "out" for p in free.sent)
        if (now and not before) or spike:
            expected.append(tick)
        before = now
    assert seen == ([*expected, 19] if expected[-1] < 19 else expected)
    assert len(expected) > 3
    assert {stop.condition for stop in stops if stop} == set(session.breaks.values())
    session.clear(first)
    assert session.breaks == {second: "spike of out[3]"}
    session.clear()
    assert session.breaks == {}


def test_breaks_see_ends_and_commits_and_no_resets() -> None:
    case, image = drawn("graded")
    session = ne.Session(image, seed=7, plastic=True)
    session.break_when("sum(p.moved) changes")
    session.break_when("sum(p.weight) changes")
    session.break_when("sum(p.elig) changes")
    session.load(case.stimulus())
    session.clear(3)
    assert session.go() is None
    stop = session.end()
    assert stop is not None
    assert (stop.stage, stop.condition, stop.tick) == ("end", "sum(p.moved) changes", 16)
    assert str(stop).startswith("'sum(p.moved) changes' in the end after tick 16 of presentation 0: 0 -> ")
    session.clear(1)
    stop = session.commit()
    assert stop is not None
    assert (stop.stage, stop.condition) == ("commit", "sum(p.weight) changes")
    session.break_when("sum(h.n) changes")
    session.load(case.stimulus(), 1)  # registers are reset: that is no change that anyone asked for
    assert session.tick == 0


def test_a_break_stops_run_until_and_a_limit_does() -> None:
    session = ne.Session(line())
    session.begin()
    session.inject("in", 0)
    session.break_when("tick == 2")
    stop = session.run_until("spike of a")
    assert stop is not None
    assert (stop.condition, stop.tick) == ("tick == 2", 2)
    stop = session.run_until("spike of a")
    assert stop is not None
    assert (stop.condition, stop.tick) == ("spike of a", 3)
    assert session.run_until("spike of a", limit=5) is None
    assert session.tick == 9


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_a_session_is_not_copied(way: Callable[[ne.Session], object]) -> None:
    """Its hooks are bound to its registers, so a copy that steps would change the session it was made of."""
    session = ne.Session(line())
    text = "a session is not copied; make another with ne.Session(image), and load and step it as this one was"
    with fails(ne.RunError, text):
        way(session)


def test_what_a_session_cannot_do() -> None:
    image = line()
    with fails(ne.RunError, f"seed is {1 << 63}; use one from -2**63 to 2**63 - 1"):
        ne.Session(image, seed=1 << 63)
    session = ne.Session(image)
    idle = "no presentation is running; load a stimulus or begin one"
    for ask in (session.step, session.go, session.end, lambda: session.inject("in", 0), lambda: session.run_until("1")):
        with fails(ne.RunError, idle):
            ask()
    with fails(ne.RunError, "the session is not plastic, there is nothing to commit; make it with plastic=True"):
        session.commit()
    for rows in (0, (1 << 20) + 1):
        with fails(ne.RunError, f"rows is {rows}; begin with 1 to 1048576"):
            session.begin(rows)
    inputs = np.ones((4, 3, 2), int)
    with fails(ne.RunError, "the stimulus has presentations 0..2, not 3; choose one of these"):
        session.load(inputs, 3)
    with fails(
        ne.StimulusError,
        "input 'in' has shape (4, 3), its population has 2 neurons; give (rows, neurons) or (rows, presentations, neurons)",
    ):
        session.load(np.ones((4, 3), int))
    session.load(inputs, 1)
    ticks = session.ticks
    session.step(2)
    for ask in (session.begin, lambda: session.load(inputs)):
        with fails(ne.RunError, f"presentation 1 is running, 2 of {ticks} ticks done; end it before another begins"):
            ask()
    for n in (0, ticks):
        with fails(
            ne.RunError,
            f"{n} ticks asked for, presentation 1 has {ticks - 2} of {ticks} left; ask for 1 to {ticks - 2}",
        ):
            session.step(n)
    with fails(ne.RunError, "limit is 0; run for at least 1 tick"):
        session.run_until("1", limit=0)
    session.go()
    for ask in (session.step, session.go, lambda: session.run_until("1")):
        with fails(ne.RunError, f"presentation 1 has no tick left of {ticks}; end it and begin another"):
            ask()
    with fails(ne.UnknownNameError, "no break named '1'; there are: none"):
        session.clear(1)


def test_what_cannot_be_injected() -> None:
    session = ne.Session(line())
    session.load(np.array([[1, 0], [0, 0], [0, 1]]))
    ticks = session.ticks
    with fails(ne.UnknownNameError, "no population named 'i'; did you mean 'in'? there are: in, a, b.x"):
        session.inject("i", 0)
    with fails(ne.RunError, "population 'in' has no neuron 2; its neurons are 0..1"):
        session.inject("in", 2)
    with fails(ne.UnknownNameError, "no channel of population 'a' named 'input'; there are: spike"):
        session.inject("a", 0)
    with fails(ne.RunError, "payload 2147483648 does not fit; a payload has 32 bits"):
        session.inject("in", 0, 1 << 31, tick=1)
    with fails(
        ne.StimulusError,
        "input 'in' carries payload 3, projection 'p' takes every packet as one spike; give 0 and 1, "
        "or route the input as 'weight*payload' on a chip with graded payloads",
    ):
        session.inject("in", 0, 3, tick=1)
    with fails(ne.RunError, f"tick {ticks} is not one of those that come: 0..{ticks - 1}; inject in one of them"):
        session.inject("in", 0, tick=ticks)
    session.inject("in", 0, tick=1)
    for neuron, tick in ((0, 0), (1, 2), (0, 1)):
        with fails(
            ne.RunError,
            f"in[{neuron}] already sends on channel input in tick {tick}; a neuron sends one packet a channel and tick",
        ):
            session.inject("in", neuron, tick=tick)


def test_commits_and_values_that_are_missing() -> None:
    case, image = drawn("graded")
    session = ne.Session(image, plastic=True)
    with fails(ne.RunError, "no presentation has ended since the last commit; end one first"):
        session.commit()
    session.begin()
    with fails(ne.RunError, "presentation 0 is running; end it before a commit"):
        session.commit()
    session.step(9)
    with fails(
        ne.RunError, "population 'h' is modulated in tick 9 and there are no values for it; load a stimulus with values"
    ):
        session.step()
    assert session.tick == 9
    session.end()
    with pytest.raises(ne.StimulusError):
        session.load(case.inputs)
    assert session.commit() is None
