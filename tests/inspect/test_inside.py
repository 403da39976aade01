"""Registers by name: what is there, as copies, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fails import fails
from insides import line, narrow, online

import neuroemu as ne


def test_registers_are_copies_of_what_is_there() -> None:
    image, inputs = online()
    session = ne.Session(image, plastic=True)
    session.load(inputs)
    session.run_until("sum(p.flag) * max(p.y) > 0")
    for name, shape in {"weight": (60,), "w": (60,), "x": (1, 10), "flag": (1, 10), "y": (6,)}.items():
        register = session.register("p", name)
        assert register.shape == shape
        assert register.dtype == np.int64
        assert np.any(register != 0), name
    assert np.array_equal(session.register("p", "weight"), session.weights["p"])
    assert np.array_equal(session.register("out", "v"), session.state["out.v"])
    assert session.register("p", "weight")[7] == session.inside.cell("p", "weight", [1, 1])()
    copy = session.register("out", "v")
    copy += 1000
    assert not np.array_equal(copy, session.register("out", "v"))


def test_a_port_is_what_came_in_the_last_tick() -> None:
    session = ne.Session(line())
    session.begin()
    session.inject("in", 0)
    session.inject("in", 1, tick=3)
    drives = []
    for _ in range(6):
        session.step()
        drives.append(session.register("a", "drive").tolist())
    assert drives == [[0, 0], [5, 0], [0, 0], [20, 0], [0, 7], [0, 0]]


def test_synapses_that_are_not_there() -> None:
    session = ne.Session(line())
    with fails(ne.RunError, "projection 'p' has synapses from 0 to 0 with delays 0, 2; say which: [0, 0, delay]"):
        session.follow_synapse("p", 0, 0)
    with fails(ne.RunError, "projection 'p' has no synapse from 1 to 0; choose one that it has"):
        session.follow_synapse("p", 1, 0)
    with fails(ne.RunError, "projection 'p' has no synapse from 0 to 0 with delay 1; there is 0, 2"):
        session.follow_synapse("p", 0, 0, delay=1)
    with fails(ne.RunError, "population 'in' has no neuron 2; its neurons are 0..1"):
        session.follow_synapse("p", 2, 0)
    with fails(ne.UnknownNameError, "no projection named 'a'; there are: p, q"):
        session.follow_synapse("a", 0, 0)
    assert session.follow_synapse("p", 0, 0, delay=2).name == "p: in[0] -> a[0], delay 2"


def test_registers_that_are_not_there(tmp_path: Path) -> None:
    image = narrow(tmp_path)
    session = ne.Session(image)
    with fails(ne.UnknownNameError, "no register of 'p' named 'x'; there are: weight"):
        session.register("p", "x")
    with fails(ne.UnknownNameError, "no population or projection named 'q'; there are: in, h, p, none"):
        session.register("q", "x")
    with fails(ne.UnknownNameError, "no register of 'in' named 'v'; there are: none"):
        session.register("in", "v")
    with fails(ne.RunError, "'max(none.weight)', column 1: none.weight holds no numbers; name a register that does"):
        session.break_when("max(none.weight)")
    with fails(
        ne.UnknownNameError,
        "'saturation in p.x', column 15: no register of 'p' that can saturate named 'x'; there are: none",
    ):
        session.break_when("saturation in p.x")
