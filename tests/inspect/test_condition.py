"""Conditions: what stops a session, and what is refused, with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from insides import drawn, line, narrow, online

import neuroemu as ne

STOPS = [
    ("out.v[3] > 60", "out.v[3] = 82"),
    ("max(out.v) >= 60 and not out.v[0] > 1000", "max(out.v) = 83, out.v[0] = 43"),
    ("spike of out", None),
    ("spike of out[2]", "out[2] sent payload 1"),
    ("input of 'in'[4]", "in[4] sent payload 1"),
    ("p.weight[0, 1] changes", "21 -> 51 by fire_synapse"),
    ("weight of p[0,1] changes", "21 -> 51 by fire_synapse"),
    ("weight of p[0,1] > 50", "p.weight[0, 1] = 51"),
    ("weight of p[0, 1, 0] != 21", "p.weight[0, 1, 0] = 51"),
    ("p.x[0] - 2 * p.y[1] < -100 or sum(p.flag) * 10 == 100", None),
    ("saturation in out.v", None),
    ("tick == 7", "'tick == 7' in tick 7"),
]


@pytest.mark.parametrize(("text", "found"), STOPS, ids=[text for text, _ in STOPS])
def test_conditions(text: str, found: str | None) -> None:
    image, inputs = online()
    session = ne.Session(image, plastic=True)
    session.load(inputs)
    stop = session.run_until(text)
    if text.startswith("saturation"):
        assert stop is None
        return
    assert stop is not None
    assert (stop.tick, stop.stage, stop.condition) == (session.tick - 1, "tick", text)
    assert found is None or found in f"{stop}"
    assert 0 < session.tick < 20


@pytest.mark.parametrize(
    ("text", "tick", "found"),
    [
        ("saturation in h.v", 3, "h.v[0] did not hold its value"),
        ("saturation in h", 3, "h.v[0] did not hold its value"),
        ("saturation in 'p'.x", 3, "p.x[0] did not hold its value"),
        ("saturation in p.left", 1, "p.left[0, 0] did not hold its value, p.left[0, 1] did not hold its value"),
    ],
)
def test_saturations_stop_it(tmp_path: Path, text: str, tick: int, found: str) -> None:
    session = ne.Session(narrow(tmp_path), plastic=True)
    session.load(np.array([[1, 0]] * 6))
    stop = session.run_until(text)
    assert stop is not None
    assert (stop.tick, stop.found) == (tick, found)


def test_a_change_names_the_hooks_that_made_it() -> None:
    """Each register is changed by the hooks that return it (the machine clears sums); what is closed listens no more."""
    case, image = drawn("graded")
    for text, hooks in {
        "p.elig[{pre}, {post}, {delay}]": {"arrive_synapse", "fire_synapse", "tick_synapse"},
        "p.x[{pre}, {delay}]": {"tick_pre", "arrive"},
        "p.y[{post}]": {"tick_post"},
        "p.moved[{pre}, {post}, {delay}]": {"end_synapse"},
        "p.weight[{pre}, {post}, {delay}]": {"commit_synapse"},
        "h.n[{post}]": {"soma"},
        "h.target[{post}]": {"modulate"},
    }.items():
        session, found = ne.Session(image, seed=7, plastic=True), set()
        pre, post, delay = session.inside.place("p", 0)
        session.break_when(text.format(pre=pre, post=post, delay=delay) + " changes")
        for presentation in range(5):
            session.load(case.stimulus(), presentation)
            stops = [session.step() for _ in range(session.ticks)]
            for stop in (*stops, session.end(), session.commit()):
                found |= set(stop.found.split(" by ")[1].split(", ")) if stop and " by " in stop.found else set()
        assert found == hooks, text
        taps = [bound.taps for synapses in session.inside.core.synapses.values() for bound in synapses.bound.values()]
        taps += [bound.taps for bound in session.inside.core.neurons[1].hooks.values()]
        assert any(taps)
        session.clear()
        assert not any(taps)


def test_a_change_by_a_rule_at_its_post_neuron(tmp_path: Path) -> None:
    session = ne.Session(narrow(tmp_path), plastic=True)
    session.load(np.array([[1, 1]] * 3))
    stop = session.run_until("h.seen[1] changes")
    assert stop is not None
    assert (stop.tick, stop.found) == (1, "0 -> 2 by arrive_synapse of p")


def test_values_of_expressions() -> None:
    session = ne.Session(line())
    session.begin()
    session.inject("in", 1)
    session.step(2)
    assert session.value('-a.v[1] + 2 * a.drive[1] - "b.x".v[0]') == 7
    assert session.value("a.v[0] < a.v[1] <= 7 and tick == 1 and not presentation") == 1
    assert session.value("a.v[0] or min(p.weight) != 5 or phase > 0") == 0
    assert session.value("p.weight[0, 0, 2] - p.weight[0, 0, 0]") == 15


HINT = "write for example out.v[3] > 100, spike of out[2], p.weight[2, 3] changes, saturation in h.v"
ODD = 'put a name that is no Python name in quotes, as "in".v[0]'
BAD = [
    ("out.v[3] >", f"'out.v[3] >', column 11: not understood; {HINT}; {ODD}"),
    ("in.v[0] > 3", f"'in.v[0] > 3', column 1: not understood; {HINT}; {ODD}"),
    ("1\0", f"'1\0', column 3: not understood; {HINT}; {ODD}"),
    ("", f"'', column 1: not understood; {HINT}; {ODD}"),
    ("out.q[3] > 1", "'out.q[3] > 1', column 1: no register of 'out' named 'q'; there are: v, drive"),
    ("1 < outt.v[3]", "'1 < outt.v[3]', column 5: no population or projection named 'outt'; did you mean 'out'? there are: in, out, p"),
    ("'in'.v[3] > 1", "''in'.v[3] > 1', column 1: no register of 'in' named 'v'; there are: none"),
    ("out.v[6]", "'out.v[6]', column 1: population 'out' has no neuron 6; its neurons are 0..5"),
    ("out.v[1, 2]", "'out.v[1, 2]', column 1: out.v is read as [neuron], not [1, 2]; give these numbers"),
    ("p.w[1]", "'p.w[1]', column 1: p.w is read as [pre, post] or [pre, post, delay], not [1]; give these numbers"),
    ("p.x[1, 0, 2]", "'p.x[1, 0, 2]', column 1: p.x is read as [pre] or [pre, delay], not [1, 0, 2]; give these numbers"),
    ("out.v[-1]", "'out.v[-1]', column 7: an index is made of whole numbers; write out.v[3] or p.weight[2, 3]"),
    ("out.v > 3", f"'out.v > 3', column 1: 'out.v' is not understood; {HINT}"),
    ("tick / 2", f"'tick / 2', column 1: 'tick / 2' is not understood; {HINT}"),
    ("tick is 2", f"'tick is 2', column 1: 'tick is 2' is not understood; {HINT}"),
    ("__import__('os')", f"'__import__('os')', column 1: '__import__('os')' is not understood; {HINT}"),
    ("3.5 > 2", f"'3.5 > 2', column 1: '3.5' is not understood; {HINT}"),
    ("max(out.v, 3)", "'max(out.v, 3)', column 1: 'max(out.v, 3)' is not understood; write max(out.v), of one register"),
    ("max(out.u)", "'max(out.u)', column 1: no register of 'out' named 'u'; there are: v, drive"),
    ("spike of outt", "'spike of outt', column 10: no population named 'outt'; did you mean 'out'? there are: in, out"),
    ("spike of out[9]", "'spike of out[9]', column 14: population 'out' has no neuron 9; its neurons are 0..5"),
    ("spike of out[x]", "'spike of out[x]', column 14: [x] is not the number of a neuron; write out[2]"),
    ("error of out[1]", "'error of out[1]', column 1: 'out' sends no error; it sends spike"),
    ("weight of p[1, 9] > 2", "'p.weight[1, 9] > 2', column 1: population 'out' has no neuron 9; its neurons are 0..5"),
    ("saturation in out.x", "'saturation in out.x', column 15: no register of 'out' that can saturate named 'x'; there are: v, drive"),
    ("saturation in q", "'saturation in q', column 15: no population or projection named 'q'; there are: in, out, p"),
    ("1 + " * 100 + "1", "a condition of 401 characters; 300 are the most"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text[:20] for text, _ in BAD])
def test_bad_conditions_are_refused_with_their_place(text: str, message: str) -> None:
    session = ne.Session(online()[0], plastic=True)
    session.begin()
    for ask in (session.break_when, session.run_until):
        with pytest.raises((ne.RunError, ne.UnknownNameError)) as caught:
            ask(text)
        assert str(caught.value) == message
    assert (session.tick, session.breaks) == (0, {})
