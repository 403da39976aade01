"""A run's time: the event engine's network and the twin that replays packets agree on every tick, link and core."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, Case, random_placement
from fails import fails

import neuroemu as ne
from neuroemu.chip.chip import parse_chip

PS = {
    "inject": 300, "hop_x": 410, "hop_y": 650, "eject": 210, "flit": 90, "eject_flit": 70, "credit": 50, "axon_in": 160,
    "synop": 35, "soma_active": 840, "soma_idle": 530, "send": 300, "packet": 110, "host_packet": 100,
}  # fmt: skip


def timed(depth: int = 1, **times: int) -> ne.Chip:
    """generic45 with a time for everything, shallow FIFOs and packets of one and three flits, the host at tile 9."""
    how = 'basis = "estimated", source = "choice" }\n'
    text = "[time]\n" + "".join(f'{key} = {{ value = {ps}, unit = "ps", {how}' for key, ps in {**PS, **times}.items())
    text += f'barrier = {{ value = 5, unit = "ns", {how}[noc]\nhost_tile = 9\n'
    sizes = {"fifo": depth, "inject_fifo": depth, "eject_fifo": depth, "flits_spike": 1, "flits_payload": 3}
    text += "".join(f'{key} = {{ value = {n}, unit = "", {how}' for key, n in sizes.items())
    return parse_chip(ne.load_chip("generic45").text + text, "timed.toml")


def run(case: Case, image: ne.Image, engine: str, **how: str) -> ne.Run:
    return ne.run(image, case.stimulus(), engine=engine, plastic=case.plastic, commit_every=case.commit_every, **how)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("depth", [1, 3])
def test_the_event_engine_and_the_twin_agree_to_the_picosecond(name: str, depth: int) -> None:
    rng = np.random.default_rng(20261123 + depth)
    case = CASES[name](rng)
    chip = timed(depth)
    whole = ne.compile(case.network, chip)
    image = ne.compile(case.network, chip, placement=random_placement(rng, whole, 24))
    event, python = run(case, image, "event"), run(case, image, "python", timing="twin")
    assert event.timing is not None
    assert event.timing.packets > 200
    assert event.timing.unknown == ("rule_operation",)
    assert sum(link.wait_ps for link in event.timing.links.values()) > 0
    assert event.differs(python) is None
    assert python.timing is not None
    assert event.timing.differs(python.timing) is None


def test_a_tick_by_hand() -> None:
    """One spike from core 0 of tile 0 to tile 2: no contention, so every part of the way can be added up."""
    network = ne.Network(
        [
            ne.Population("in", 1, ne.HostInput()),
            ne.Population("a", 1, ne.Firmware("if", {"threshold": 1})),
            ne.Population("b", 2, ne.Firmware("if", {"threshold": 1})),
        ],
        [ne.Projection("in", "a", [[2]]), ne.Projection("a", "b", [[2, 2]])],
        outputs=["b"],
    )
    chip = timed()
    far = 2 * chip.sheet.mesh.cores_per_tile
    image = ne.compile(network, chip, placement={"a": [(0, 1)], "b": [(far, 2)]})
    timing = ne.run(image, [[1]], engine="event").timing
    assert timing is not None
    host = 300 + (410 * (9 % 8) + 650 * (9 // 8)) + 210 + 90 + 160 + 35  # inject, hops, eject, flit, axon-in, synop
    spike = 840 + 300 + 110  # soma, send, axon-out
    assert timing.tick_ps[0, 0] == host + 5000
    assert timing.tick_ps[0, 1] == spike + 300 + 2 * 410 + 210 + 90 + 160 + 2 * 35 + 5000
    assert timing.tick_ps[0, 2] == 2 * 840 + 2 * 300 + 5000 - 2 * 300  # b's spikes have no routing entry
    assert timing.held_by == {"host sending": 1, "core 0 sending": 1, f"core {far} sending": 1}
    assert timing.latency_ps == {
        50: 300 + 2 * 410 + 210 + 90,
        **dict.fromkeys((90, 99, 100), 300 + 410 + 650 + 210 + 90),
    }


def test_time_is_the_same_for_any_number_of_workers_and_saved(tmp_path: object) -> None:
    case = CASES["delayed"](np.random.default_rng(3))
    image = ne.compile(case.network, timed())
    one, two = (ne.run(image, case.stimulus(), engine="python", timing="twin", workers=n) for n in (1, 2))
    assert one.time_ps == two.time_ps
    assert one.time_ps is not None
    assert one.time_ps > 10**6
    assert one.differs(two) is None
    one.save(f"{tmp_path}/run")
    again = ne.load_run(f"{tmp_path}/run")
    assert again.timing is not None
    assert one.timing is not None
    assert one.timing.differs(again.timing) is None
    text = str(ne.report(again))
    assert "on the network-on-chip's timing model: at least" in text
    assert "times the datasheet lacks, taken as the least the model allows: rule_operation" in text


def test_timings_that_differ_are_told_apart() -> None:
    case = CASES["delayed"](np.random.default_rng(3))
    slow, fast = (
        ne.run(ne.compile(case.network, timed(**times)), case.stimulus(), engine="python", timing="twin").timing
        for times in ({}, {"synop": 34})
    )
    assert slow is not None
    assert fast is not None
    found = slow.differs(fast)
    assert found is not None
    assert found.startswith("time of tick ")


def test_deeper_fifos_never_change_a_bit_and_rarely_slow_down() -> None:
    case = CASES["delayed"](np.random.default_rng(4))
    placement = random_placement(np.random.default_rng(5), case.image(), 24)
    runs = [
        ne.run(ne.compile(case.network, timed(depth), placement=placement), case.stimulus(), engine="event")
        for depth in (1, 8)
    ]
    assert runs[0].spikes == runs[1].spikes
    assert runs[0].time_ps is not None
    assert runs[1].time_ps is not None
    assert runs[0].time_ps > runs[1].time_ps


def test_rules_that_take_time_are_for_the_event_engine() -> None:
    case = CASES["online"](np.random.default_rng(1))
    image = ne.compile(case.network, timed(rule_operation=100))
    text = (
        "generic45 states how long a rule operation takes, and a record of packets does not hold how many there were; "
        "use engine='event'"
    )
    with fails(ne.RunError, text):
        run(case, image, "python", timing="twin")
    slow, none = run(case, image, "event"), run(case, ne.compile(case.network, timed()), "event")
    assert slow.time_ps is not None
    assert none.time_ps is not None
    assert slow.time_ps > none.time_ps
    assert slow.timing is not None
    assert slow.timing.unknown == ()


def test_an_unknown_timing_is_refused() -> None:
    case = CASES["online"](np.random.default_rng(1))
    with fails(ne.UnknownNameError, "no timing named 'twins'; did you mean 'twin'? there are: twin"):
        ne.run(case.image(), case.stimulus(), timing="twins")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("host_tile = 9", "host_tile = 64", "timed.toml: noc.host_tile: 64, the mesh has tiles 0..63; name one of them"),
        ("fifo = { value = 1", "fifo = { value = 0", "timed.toml: noc.fifo: 0; a packet takes a slot and a flit, state at least 1"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_is_refused(old: str, new: str, text: str) -> None:
    with fails(ne.DatasheetError, text):
        parse_chip(timed().text.replace(old, new, 1), "timed.toml")
