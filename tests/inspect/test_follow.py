"""Following a synapse tick by tick, and a packet through the units."""

from __future__ import annotations

import itertools

import numpy as np
from insides import drawn, line, online

import neuroemu as ne
from neuroemu.inspect.follow import path
from neuroemu.results.tally import hops


def test_following_a_packet() -> None:
    session = ne.Session(line())
    session.begin()
    session.inject("in", 0)
    session.step()
    assert str(session.follow_packet(session.sent[0])) == (
        "tick 0: the host sends input of in[0], payload 1\n"
        "  routers (0, 0), 0 hops; core 0, axon-in 0\n"
        "    due in tick 1: p to a[0] w=5; drive += weight\n"
        "    due in tick 3 (delay 2): p to a[0] w=20; drive += weight"
    )
    assert session.follow_packet(session.packets[0]) == session.follow_packet(session.sent[0])
    session.step(3)
    found = session.follow_packet(session.sent[0])
    assert str(found).splitlines()[0] == "tick 3: core 0 sends spike of a[0], payload 1"
    assert [(leg.core, leg.hops, leg.tiles[0], leg.tiles[-1]) for leg in found.legs] == [(9, 2, (0, 0), (1, 1))]
    assert found.legs[0].served[0].weights == (4,)
    session.inject("b.x", 0, channel="spike")
    session.step()
    assert str(session.follow_packet(session.sent[-1])).splitlines()[1] == "  no core has synapses for it"


def test_a_path_has_the_hops_that_are_counted() -> None:
    image = online()[0]
    for source, target in [(-1, 45), (0, 99), (99, 0), (37, 62), (70, 7), (5, 5)]:
        x, y = hops(image, np.array([source]), np.array([target]))
        tiles = path(image, source, target)
        assert len(tiles) - 1 == x[0] + y[0]
        assert (tiles[0], tiles[-1]) == (image.chip.tile(max(source, 0)), image.chip.tile(target))
        assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in itertools.pairwise(tiles))


def test_following_a_synapse_shows_every_change() -> None:
    """The log's changes, put one after the other, lead from the first value of each register to the last."""
    image, inputs = online()
    session, told = ne.Session(image, plastic=True), []
    session.load(inputs)
    before = session.inside.cell("p", "w", [0, 1])()
    log = session.follow_synapse("p", 0, 1, tell=told.append)
    session.go()
    assert [row.tick for row in log] == list(range(20))
    assert told == log.rows
    changes = [change for row in log for change in row.changes]
    weight = [change for change in changes if change.register == "w"]
    assert {change.hook for change in weight} == {"arrive_synapse", "fire_synapse"}
    assert {change.hook for change in changes} == {
        "tick_pre",
        "arrive",
        "arrive_synapse",
        "tick_post",
        "fire_synapse",
        "fire_pre",
    }
    for register, start, stop in (("w", before, log.rows[-1].weight), ("x", 0, log.rows[-1].pre["x"])):
        values = [(change.old, change.new) for change in changes if change.register == register]
        assert [old for old, _ in values] == [start, *(new for _, new in values[:-1])]
        assert values[-1][1] == stop
    assert [len(row.arrivals) for row in log][1:18] == (inputs[:17, 0, 0] != 0).astype(int).tolist()
    assert sum(row.fired for row in log) == np.sum(session.spikes.neuron == 11) > 0
    assert log.rows[-1].neuron["v"] == session.register("out", "v")[1]
    session.unfollow(log)
    session.end()
    assert len(log) == 20


def test_following_a_synapse_through_end_and_commit() -> None:
    case, image = drawn("graded")
    session = ne.Session(image, seed=7, plastic=True)
    plain = ne.Session(image, seed=7, plastic=True)
    pre, post, delay = session.inside.place("p", 0)
    log, twin = (session.follow_synapse("p", pre, post, delay=delay) for _ in range(2))
    for one in (session, plain):
        for presentation in range(2):
            one.load(case.stimulus(), presentation)
            one.go()
            one.end()
        one.commit()
    assert [row.stage for row in log] == (["tick"] * 17 + ["end"]) * 2 + ["commit"]
    assert log.rows == twin.rows
    moved = [change for change in log.rows[-1].changes if change.hook == "commit_synapse"]
    assert moved[-1].new == log.rows[-1].weight
    assert str(log).splitlines()[0] == log.name == f"p: in[{pre}] -> h[{post}], delay {delay}"
    assert np.array_equal(session.weights["p"], plain.weights["p"])  # looking changes nothing


def test_a_row_as_text() -> None:
    image = line()
    session = ne.Session(image)
    log = session.follow_synapse("q", 0, 0)
    session.begin()
    session.inject("a", 0, channel="spike")
    session.step(2)
    assert str(log) == "q: a[0] -> b.x[0], delay 0\n  tick 0: in -; weight 4; v=0\n  tick 1: in spike 1; weight 4; v=0"
    session = ne.Session(online()[0], plastic=True)
    log = session.follow_synapse("p", 0, 1)
    session.begin()
    session.inject("in", 0)
    session.step(2)
    assert (
        str(log.rows[1])
        == "tick 1: in input 1; weight 21; x=256 flag=1 | y=0 | v=21; arrive: x 0 -> 256; arrive: flag 0 -> 1"
    )
