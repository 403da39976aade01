"""ODIN's own Verilog, recorded (tests/data/odin_rtl): every spike, every membrane, every learned weight, on every engine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.engines.run import ENGINES

DATA = Path(__file__).parent / "data" / "odin_rtl"
N = 256
SPIKES = {"one_event_a_tick": 141, "typical_8": 787, "dense_16": 3855, "threshold_0": 28677, "sdsp": 3361}
Arrays = dict[str, Any]


@cache
def recorded(name: str) -> Arrays:
    """The recording, its spikes unpacked to shape (events, 256)."""
    arrays = dict(np.load(DATA / f"{name}.npz"))
    return arrays | {"fired": np.unpackbits(arrays["spikes"], axis=1, count=N)}


def rows_of(data: Arrays, port: str) -> np.ndarray:
    """Rows of the crossbar whose sources feed the port; row 255 is the time reference's."""
    return np.flatnonzero(data["inhibitory"][: N - 1] == (port == "inh"))


def crossbar(data: Arrays, program: str, params: Arrays, **learning: Any) -> ne.Network:
    """An input for each sign of source, and one for time references."""
    populations = [ne.Population(port, rows_of(data, port).size, ne.HostInput()) for port in ("exc", "inh")]
    populations += [ne.Population("tref", 1, ne.HostInput()), ne.Population("out", N, ne.Firmware(program, params))]
    projections = [
        ne.Projection(
            port, "out", data["weight"][rows_of(data, port)], port, routes={"input": [(port, "weight")]}, **learning
        )
        for port in ("exc", "inh")
    ]
    every = ne.Projection("tref", "out", np.ones((1, N), int), "tref", routes={"input": [("tref", "weight")]})
    return ne.Network(populations, [*projections, every], outputs=["out"], probes=[("out", "v")])


def one_a_tick(data: Arrays) -> dict[str, np.ndarray]:
    """Every event in a tick of its own, and before them the time reference that came first."""
    events = np.concatenate([[-1], data["event"]])
    given = {port: (events[:, None] == rows_of(data, port)).astype(int) for port in ("exc", "inh")}
    return given | {"tref": (events == -1).astype(int)[:, None]}


def run(data: Arrays, image: ne.Image, engine: str, **options: Any) -> ne.Run:
    done = ne.run(image, one_a_tick(data), engine=engine, **options)
    n = data["event"].size
    assert np.array_equal(done.raster("out")[0, 1:], data["fired"])
    assert np.array_equal(
        done.probes["out", "v"][0, 2 : 2 + n], data["v"]
    )  # the host's packets take a tick, one came first
    assert done.notes == ()  # an event a tick
    assert ne.report(done).total_fj == (n + 1) * 256 * 12700  # an event visits all synapses of its row
    return done


def lif(data: Arrays) -> Arrays:
    return {"leak": data["leak"], "threshold": data["threshold"]}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["one_event_a_tick", "typical_8", "dense_16", "threshold_0"])
def test_spikes_and_membranes_are_the_chips(name: str, engine: str) -> None:
    data = recorded(name)
    assert data["fired"].sum() == SPIKES[name]
    assert len(np.unique(data["v"])) > 50 or name == "threshold_0"  # there all that comes in goes out at once
    run(data, ne.compile(crossbar(data, "odin_event", lif(data)), ne.load_chip("odin")), engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_learned_weights_are_the_chips(engine: str) -> None:
    data = recorded("sdsp")
    changed = data["final_weight"] != data["weight"]
    assert (data["fired"].sum(), changed.sum()) == (SPIKES["sdsp"], 16636)
    calcium = {"calcium": data["ca_enabled"], "thetamem": data["thetamem"], "caleak": data["caleak"]}
    params = lif(data) | calcium | {f"theta{k}": data[f"t{k}"] for k in (1, 2, 3)}
    network = crossbar(data, "odin_sdsp.neuron", params, rule="odin_sdsp.synapse")
    learned = run(data, ne.compile(network, ne.load_chip("odin")), engine, plastic=True).weights
    for port in ("exc", "inh"):
        rows = rows_of(data, port)
        assert np.array_equal(learned[port].reshape(rows.size, N), data["final_weight"][rows])


def ticks_of(data: Arrays) -> dict[str, np.ndarray]:
    """The recording's events as ticks that begin with a time reference: spikes of every tick, shape (ticks, rows), by port."""
    tick = np.cumsum(data["event"] == -1) - 1
    spikes = np.zeros((tick[-1] + 1, N), int)
    np.add.at(spikes, (tick[data["event"] >= 0], data["event"][data["event"] >= 0]), 1)
    return {port: spikes[:, rows_of(data, port)] for port in ("exc", "inh")}


def test_ticks_become_the_events_that_were_recorded() -> None:
    """Where a tick holds one spike, the helper makes the recording's own sequence; several come in the order of rows."""
    data = recorded("one_event_a_tick")
    image = ne.compile(crossbar(data, "odin_event", lif(data)), ne.load_chip("odin"))
    sizes = {port: rows_of(data, port).size for port in ("exc", "inh")}
    stimulus, tick = ne.one_event_a_tick(ne.stimulus(ticks_of(data), sizes))
    assert tick.tolist() == [[k // 2 for k in range(800)]]
    done = ne.run(image, stimulus, engine="python")
    assert np.array_equal(done.raster("out")[0], data["fired"])


def test_wire_makes_neurons_and_projections_learn_as_recorded() -> None:
    """All but the time references': the same network as by hand."""
    data = recorded("sdsp")
    options = {f"theta{k}": data[f"t{k}"] for k in (1, 2, 3)} | {"caleak": data["caleak"], "thetamem": data["thetamem"]}
    plain = crossbar(data, "odin_event", lif(data))
    network = ne.wire(plain, "odin_sdsp", calcium=data["ca_enabled"], **options)
    assert [p.rule for p in network.projections] == ["odin_sdsp.synapse", "odin_sdsp.synapse", None]
    learned = run(data, ne.compile(network, ne.load_chip("odin")), "python", plastic=True).weights
    rows = rows_of(data, "exc")
    assert np.array_equal(learned["exc"].reshape(rows.size, N), data["final_weight"][rows])


def test_wire_refuses_other_neurons() -> None:
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 1, ne.Firmware("odin", {"threshold": 7}))],
        [ne.Projection("in", "out", [[1]], routes={"input": [("exc", "weight")]})],
    )
    with fails(
        ne.NetworkError,
        "odin_sdsp learns at neurons 'odin_event', population 'out' has 'odin'; give it ne.Firmware('odin_event', ...)",
    ):
        ne.wire(network, "odin_sdsp")
    with fails(
        ne.NetworkError,
        "odin_sdsp learns on ports exc and inh, but of tref none ends there; name some that do",
    ):
        ne.wire(crossbar(recorded("sdsp"), "odin_event", lif(recorded("sdsp"))), "odin_sdsp", projections=["tref"])


def summed(data: Arrays) -> np.ndarray:
    """Spikes of every tick, shape (ticks, 256), if its time reference comes first, then all its excitation, then its inhibition."""
    ticks, weight, v = ticks_of(data), data["weight"].astype(int), np.zeros(N, int)
    fired = np.zeros((len(ticks["exc"]), N), int)
    for t in range(len(fired)):
        exc, inh = (ticks[port][t] @ weight[rows_of(data, port)] for port in ("exc", "inh"))
        v = np.maximum(np.minimum(np.maximum(v - data["leak"].astype(int), 0) + exc, 255) - inh, 0)
        fired[t] = v >= data["threshold"]
        v[fired[t] == 1] = 0
    return fired


def several(name: str, program: str) -> tuple[np.ndarray, ne.Run]:
    """Spikes of the chip by tick, and a run that takes a recording's ticks as they are."""
    data = recorded(name)
    tick = np.cumsum(data["event"] == -1) - 1
    chips = np.zeros((tick[-1] + 1, N), int)
    np.add.at(chips, tick, data["fired"])
    plain = crossbar(data, program, lif(data))
    populations = [p for p in plain.populations if p.name != "tref"]
    network = ne.Network(populations, [p for p in plain.projections if p.name != "tref"])
    return chips, ne.run(ne.compile(network, ne.load_chip("odin")), ticks_of(data), engine="python")


def test_a_tick_of_one_event_is_the_chips_with_odin_too() -> None:
    chips, done = several("one_event_a_tick", "odin")
    assert chips.sum() == 141
    assert np.array_equal(done.raster("out")[0], chips)
    assert done.notes == ()


def test_ticks_of_several_events_give_fewer_spikes_and_the_run_says_so() -> None:
    """No neuron fires more often than on the chip, and all together 6 and 80 % less."""
    data = recorded("typical_8")
    for name in ("typical_8", "dense_16"):
        chips, done = several(name, "odin")
        fired = summed(recorded(name))
        assert np.array_equal(done.raster("out")[0], fired)
        assert 0 < fired.sum() < 0.95 * SPIKES[name]
        assert (fired.sum(axis=0) <= chips.sum(axis=0)).all()
    reached = (data["weight"][data["event"][1:9]] > 0).sum(axis=0)
    note = (
        f"60 of 61 ticks hold more than 1 event (tick 1 of presentation 0: {reached.max()} for neuron {reached.argmax()} "
        "of population 'out'); odin takes one after the other (odin), this run adds a tick's up, so its spikes are not the chip's: "
        "give every event a tick of its own with ne.one_event_a_tick (where there are more, odin fires less, and at other ticks; "
        "odin_event is the neuron for an event a tick)"
    )
    done = several("typical_8", "odin")[1]
    assert done.notes == (note,)
    assert f"note: {note}" in " ".join(str(ne.report(done)).split())


def test_no_note_where_events_do_not_meet() -> None:
    """Two spikes that reach different neurons; and, through a loop, two that meet in one."""
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 3, ne.Firmware("odin", {"threshold": 7}))],
        [ne.Projection("in", "out", [[7, 0, 7], [0, 7, 0]], routes={"input": [("exc", "weight")]})],
    )
    apart = ne.run(ne.compile(network, ne.load_chip("odin")), np.ones((4, 2)), engine="python")
    assert (len(apart.spikes), apart.notes) == (12, ())
    closer = network.add(ne.Projection("out", "out", np.eye(3) * 7, "self", routes={"spike": [("exc", "weight")]}))
    run = ne.run(ne.compile(closer, ne.load_chip("odin")), np.ones((4, 2)), engine="python")
    assert run.notes[-1].startswith(
        "4 of 5 ticks hold more than 1 event (tick 2 of presentation 0: 2 for neuron 0 of population 'out'); "
    )
