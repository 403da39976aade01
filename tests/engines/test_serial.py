"""Cores that do one thing at a time: the time of runs, in both network-on-chips, and by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from crossbars import looped, stimulus

import neuroemu as ne
from neuroemu.chip.chip import Chip, parse_chip

CYCLE = 10_000
"""ps"""


def open_chip(serial: int) -> Chip:
    """A chip whose open Verilog takes 259 + 3 spikes + 6 synapses cycles a tick: a cycle a soma, of 256, and three to end."""
    how = 'basis = "estimated", source = "choice" }\n'
    cycles = {"soma_active": 1, "soma_idle": 1, "packet": 3, "synop": 6, "barrier": 3}
    text = "[time]\n" + "".join(f'{key} = {{ value = {n * CYCLE}, unit = "ps", {how}' for key, n in cycles.items())
    chip = ne.load_chip("generic45").text.replace(
        "[core.programs]", f"serial = {{ value = {serial}, {how}\n[core.programs]"
    )
    return parse_chip(chip + text, "open.toml")


def test_a_serial_core_takes_the_cycles_that_an_open_chips_verilog_takes() -> None:
    """259 + 3 spikes + 6 synapses in every tick; side by side it comes out shorter."""
    rng = np.random.default_rng(8)
    recurrent = rng.integers(0, 9, (256, 256)) * (rng.random((256, 256)) < 0.1)
    recurrent[:, -30:] = 0  # the last somas are silent: no packet is still on its way when they are done
    inputs = rng.integers(0, 30, (10, 256)) * (np.arange(256) < 226)
    network = ne.Network(
        [ne.Population("in", 10, ne.HostInput()), ne.Population("a", 256, ne.Firmware("if", {"threshold": 60}))],
        [ne.Projection("in", "a", inputs), ne.Projection("a", "a", recurrent)],
    )
    x = rng.integers(0, 2, (12, 2, 10))
    image = ne.compile(network, open_chip(1), align=False)
    event, python = ne.run(image, x, engine="event"), ne.run(image, x, engine="python", timing="twin")
    assert event.timing is not None
    assert python.timing is not None
    assert event.timing.differs(python.timing) is None
    synapses, spikes = np.zeros((2, event.ticks), int), np.zeros((2, event.ticks), int)
    synapses[:, :12] = (x @ (inputs != 0).sum(axis=1)).T
    neuron = event.spikes.neuron - 10
    np.add.at(spikes, (event.spikes.presentation, event.spikes.tick), 1)
    np.add.at(synapses, (event.spikes.presentation, event.spikes.tick), (recurrent != 0).sum(axis=1)[neuron])
    assert spikes.sum() > 300
    assert np.array_equal(event.timing.tick_ps, (259 + 3 * spikes + 6 * synapses) * CYCLE)
    apart = ne.run(ne.compile(network, open_chip(0), align=False), x, engine="event").timing
    assert apart is not None
    assert apart.time_ps < 0.98 * event.timing.time_ps
    bounds = [
        ne.report(run).bound_ps
        for run in (event, ne.run(ne.compile(network, open_chip(0), align=False), x, engine="python"))
    ]
    assert [
        bound is not None and bound <= time
        for bound, time in zip(bounds, (event.timing.time_ps, apart.time_ps), strict=True)
    ] == [True] * 2


def test_odins_events_take_518_cycles_and_its_time_references_519() -> None:
    """At 75 MHz: what the host and the neurons send, and sends that only meet a row of zeros; the model's least is a ps a packet."""
    image = ne.compile(looped("odin"), ne.load_chip("odin"), align=False)
    x = stimulus(6)
    event, python = ne.run(image, x, engine="event"), ne.run(image, x, engine="python", timing="twin")
    assert event.timing is not None
    assert python.timing is not None
    assert event.differs(python) is None
    assert event.timing.differs(python.timing) is None
    total = np.zeros((3, event.ticks), np.int64)
    total[:, : len(x)] = (x @ looped("odin").projections[0].weight.any(axis=1)).T  # type: ignore[union-attr]
    np.add.at(total, (event.spikes.presentation, event.spikes.tick), 1)
    assert total.max() > 8
    own = event.timing.tick_ps - total * 6_906_667 - 6_920_000
    assert own.min() >= 0
    assert own.max() <= 5  # a push takes 1 ps
    assert event.timing.unknown == ("host_packet", "fifo", "inject_fifo", "eject_fifo", "flits_spike", "flits_payload")
    costs = ne.report(event)
    assert costs.bound_missing == ()
    assert costs.bound_ps == event.counts["reference"] * 6_920_000 + event.counts["axon_in"] * 6_906_667
    assert 0.5 * event.timing.time_ps < costs.bound_ps < event.timing.time_ps


def test_an_event_a_tick_takes_an_events_time() -> None:
    network = ne.Network(
        [ne.Population("in", 4, ne.HostInput()), ne.Population("p", 3, ne.Firmware("odin_event", {"threshold": 9}))],
        [ne.Projection("in", "p", np.full((4, 3), 5), routes={"input": [("exc", "weight")]})],
    )
    given, _ = ne.one_event_a_tick(ne.stimulus(stimulus(4), {"in": 4}), None)
    timing = ne.run(ne.compile(network, ne.load_chip("odin")), given, engine="event").timing
    assert timing is not None
    lengths = np.diff(given.events["in"].indptr, axis=1).sum(axis=1)
    assert all(a != b for a, b in pairwise(lengths))
    for ticks, n in zip(timing.tick_ps, lengths, strict=True):
        assert ticks[:n].tolist() == [6_906_668] * n  # the least a link takes is 1 ps
        assert not ticks[n:].any()
