"""The network-on-chip's timing: oracle, SimPy network and Numba twin agree to the picosecond, and with what theory says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import simpy
from noc_oracle import Oracle, ShuffledEnvironment
from noc_traffic import LATENCIES, W4, grouped, random_case, random_traffic, send_work

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.engines.noc import noc_event, noc_twin
from neuroemu.engines.noc.noc import EAST, Holder, Latencies, Mesh, TickTiming, Traffic

CHUNKS, CASES = 10, 100
Run = Callable[[Mesh, Latencies, Sequence[Traffic]], list[TickTiming]]
PLAIN = replace(LATENCIES, inject=10, hop_x=40, hop_y=60, eject=20, flit=100, eject_flit=70, credit=5, barrier=1000)
"""Short numbers for what is worked out by hand."""


def named(timing: TickTiming) -> dict[str, list[int]]:
    """Fields of a tick's timing by the names the oracle uses."""
    fields = {f"links.{name}": value for name, value in vars(timing.links).items()}
    fields |= {name: value for name, value in vars(timing).items() if name not in ("links", "held_by")}
    return {name: np.atleast_1d(value).tolist() for name, value in fields.items()}


def traffic(mesh: Mesh, packets: Sequence[tuple[int, int, int]], flits: int = 1, synapses: int = 0) -> Traffic:
    """Packets of (source, work, target), by source."""
    source, work, target = np.array(packets, np.int64).reshape(-1, 3).T
    constant = np.ones_like(target)
    indptr = grouped(source, mesh.n_sources)
    return Traffic(indptr, target, constant * flits, constant * synapses, work, np.zeros(mesh.n_sources, np.int64))


@pytest.fixture(params=["event", "twin"])
def run(request: pytest.FixtureRequest) -> Run:
    return noc_event.run if request.param == "event" else noc_twin.run


# ---- the three agree
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_oracle_event_and_twin_agree_to_the_picosecond(chunk: int) -> None:
    """Ties shuffled in both SimPy versions; the event network has a tick behind it in every other case."""
    waited = stalled = held = 0
    for seed in range(chunk * CASES, (chunk + 1) * CASES):
        mesh, latencies, tick = random_case(seed)
        expected = Oracle(ShuffledEnvironment(seed), mesh, latencies, tick).fields()
        waited += sum(expected["links.wait"]) > 0
        stalled += sum(expected["links.stall"]) > 0
        held += sum(expected["stall"]) > 0
        event = noc_event.run(mesh, latencies, [tick] * (1 + seed % 2), ShuffledEnvironment(-seed))[-1]
        (twin,) = noc_twin.run(mesh, latencies, [tick])
        for timing in (event, twin):
            found = named(timing)
            assert found.keys() == expected.keys()
            assert [name for name in expected if found[name] != expected[name]] == [], f"seed {seed}"
        assert event.held_by == twin.held_by
    assert waited > 0.8 * CASES  # the cases contended, or equality says little
    assert stalled > 0.4 * CASES
    assert held > 0.4 * CASES


def test_ticks_of_a_large_network_agree() -> None:
    w4 = W4()
    ticks = w4.ticks(2, seed=7)
    event, twin = noc_event.run(w4.mesh, LATENCIES, ticks), noc_twin.run(w4.mesh, LATENCIES, ticks)
    assert [named(timing) for timing in event] == [named(timing) for timing in twin]
    assert all(timing.links.wait.sum() > timing.links.n.sum() for timing in twin)


def test_ticks_are_independent_of_order_and_threads(run: Run) -> None:
    mesh, latencies, _ = random_case(4)
    ticks = [random_traffic(mesh, latencies, np.random.default_rng(seed), 100) for seed in range(6)]
    forward, backward = run(mesh, latencies, ticks), run(mesh, latencies, ticks[::-1])[::-1]
    threads = noc_twin.run(mesh, latencies, ticks, workers=2)
    assert len({timing.tick_ps for timing in forward}) > 1
    assert [named(t) for t in forward] == [named(t) for t in backward] == [named(t) for t in threads]


def test_cores_take_in_what_the_routers_brought_them() -> None:
    mesh, latencies, tick = random_case(8)
    env = simpy.Environment()
    network = noc_event.Noc(env, mesh, latencies)
    process = env.process(network.tick(tick))
    env.run()
    assert env.now == process.value.tick_ps
    assert sum(len(taken) for taken in network.taken) == tick.target.size > 0
    for core, taken in enumerate(network.taken):
        assert sorted(taken) == np.flatnonzero(tick.target == core).tolist()
        assert (np.diff(process.value.start[taken]) >= 0).all()


# ---- worked out by hand
def test_uncontended_flight_is_the_sum_of_latencies_and_one_serialisation(run: Run) -> None:
    mesh, hops = Mesh(4, 3, 2, host_tile=5), (40, 60)
    for flits, flit, eject_flit in ((1, 100, 70), (3, 100, 70), (2, 30, 70)):
        latencies = replace(PLAIN, flit=flit, eject_flit=eject_flit)
        for source in range(0, mesh.n_sources, 3):
            pairs = [(source, 10**6, target) for target in range(mesh.n_cores)]
            (timing,) = run(mesh, latencies, [traffic(mesh, pairs, flits)])
            a, b = mesh.tile_of(source), np.arange(mesh.n_cores) // mesh.cores_per_tile
            dx, dy = np.abs(b % 4 - a % 4), np.abs(b // 4 - a // 4)
            slowest = flits * np.where(a == b, eject_flit, max(flit, eject_flit))
            expected = 10 + hops[0] * dx + hops[1] * dy + 20 + slowest
            assert (timing.start - timing.push).tolist() == expected.tolist()
            assert timing.links.wait.sum() == timing.links.stall.sum() == timing.stall.sum() == 0


def test_oracle_has_the_uncontended_flight_too() -> None:
    mesh = Mesh(4, 3, 2, host_tile=5)
    tick = traffic(mesh, [(mesh.n_cores, 10**6, target) for target in range(mesh.n_cores)])
    fields = Oracle(simpy.Environment(), mesh, PLAIN, tick).fields()
    flights = [mesh.flight_ps(PLAIN, mesh.n_cores, target, 1) for target in range(mesh.n_cores)]
    assert np.subtract(fields["start"], fields["push"]).tolist() == flights


def test_simultaneous_packets_take_turns_on_a_link(run: Run) -> None:
    """Three cores of tile 0 push at 1 for tile 1: head in at 11, granted in port order, 100 apart."""
    mesh = Mesh(2, 1, 3)
    packets = [(0, 1, 3), (0, 1, 3), (1, 1, 4), (2, 1, 5)]
    (timing,) = run(mesh, replace(PLAIN, axon_in=200), [traffic(mesh, packets)])
    assert timing.push.tolist() == [1, 2, 1, 1]
    # granted at 11, 311, 111 and 211; whole at the sink 40 + 20 and one flit of the link later
    assert timing.start.tolist() == [171, 471, 271, 371]
    assert timing.links.n[EAST] == 4
    assert timing.links.busy[EAST] == 400
    assert timing.links.wait[EAST] == 0 + (311 - 12) + 100 + 200
    assert timing.links.stall[EAST] == 0
    # with a slow sink core 0's second packet waits for its first
    (slow,) = run(mesh, replace(PLAIN, axon_in=1000), [traffic(mesh, packets)])
    assert slow.start.tolist() == [171, 1171, 271, 371]
    assert (slow.sink_busy[3], slow.sink_done[3], slow.work_ps) == (2000, 2171, 2171)


def test_depth_one_makes_packets_wait_for_credits(run: Run) -> None:
    """One slot each: the source pushes when its slot is free at tail_out + credit, the link when the one beyond is."""
    mesh, latencies = Mesh(2, 1, 1), replace(PLAIN, fifo=1, inject_fifo=1, eject_fifo=1, axon_in=0)
    (timing,) = run(mesh, latencies, [traffic(mesh, [(0, 1, 1), (0, 1, 1)])])
    # first: east at 11, tail out 111; ejected at 51, tail out max(51 + 70, 151) = 151, at the sink 171
    # second: pushed at 111 + 5, head in 126; the slot at tile 1 is free at 151 + 5; tail out 256, 256 + 40 + 20 at the sink
    assert timing.push.tolist() == [1, 116]
    assert timing.stall.tolist() == [116 - 2, 0, 0]
    assert timing.start.tolist() == [171, 316]
    assert timing.links.wait[EAST] == 156 - 126
    assert timing.links.stall[EAST] == 156 - 126
    assert timing.send_end.tolist() == [116, 0, 0]
    assert (timing.work_ps, timing.tick_ps) == (316, 1316)


def test_work_is_the_somas_passed_and_the_axon_out() -> None:
    latencies = replace(PLAIN, soma_active=7, soma_idle=5, spike=100, axon_out=1000, rule_operation=10_000)
    active, slot = np.array([False, True, True, False, True]), np.array([1, 1, 3])
    work, tail = send_work(latencies, active, slot, np.array([True, False, True]), rule_operations=2)
    assert work.tolist() == [5 + 7 + 100 + 1000, 1000, 7 + 5 + 100 + 1000]
    assert tail == 7 + 20_000
    assert send_work(latencies, active, slot[:0], active[:0])[1] == 3 * 7 + 2 * 5


def test_a_tick_without_packets_lasts_as_long_as_its_somas(run: Run) -> None:
    mesh = Mesh(1, 1, 2)
    empty = replace(traffic(mesh, []), tail=np.array([30, 70, 0]))
    (timing,) = run(mesh, PLAIN, [empty])
    assert (timing.work_ps, timing.tick_ps, timing.held_by) == (70, 1070, Holder("source", 1))


def test_barrier_is_held_by_source_sink_or_link(run: Run) -> None:
    mesh = Mesh(3, 1, 2)
    slow_sink = replace(PLAIN, axon_in=5000)
    lone = traffic(mesh, [(0, 1, 5)])
    assert run(mesh, PLAIN, [lone])[0].held_by == Holder("source", 0)
    assert run(mesh, slow_sink, [traffic(mesh, [(0, 1, 5), (3, 1, 5)])])[0].held_by == Holder("sink", 5)
    crossing = traffic(mesh, [(0, 1, 4), (1, 1, 5)])
    assert run(mesh, PLAIN, [crossing])[0].held_by == Holder("link", EAST)
    busy = replace(lone, tail=np.array([0, 0, 0, 10**6, 0, 0, 0]))
    assert run(mesh, PLAIN, [busy])[0].held_by == Holder("source", 3)


# ---- theory
@pytest.mark.parametrize(("load", "n"), [(0.3, 100_000), (0.5, 100_000), (0.7, 200_000), (0.9, 500_000)])
def test_mean_wait_of_one_link_is_that_of_an_m_d_1_queue(load: float, n: int) -> None:
    """Poisson arrivals, n from each of 8 sources, service S: W = load S / 2 (1 - load) (Pollaczek, Khinchine)."""
    service, n_sources = 100_000, 8
    mesh = Mesh(2, 1, n_sources)
    latencies = replace(PLAIN, hop_x=1, eject=0, flit=service, eject_flit=1, credit=0, fifo=64, inject_fifo=4096)
    rng = np.random.default_rng(1)
    source = np.repeat(np.arange(n_sources), n)
    work = np.rint(rng.exponential(service * n_sources / load, source.size)).astype(np.int64) + 1
    tick = traffic(mesh, np.stack([source, work, n_sources + rng.integers(0, n_sources, source.size)], 1))
    (timing,) = noc_twin.run(mesh, replace(latencies, axon_in=0), [tick])
    assert timing.stall.sum() == timing.links.stall.sum() == 0
    mean = timing.links.wait[EAST] / timing.links.n[EAST]
    assert mean == pytest.approx(load * service / (2 * (1 - load)), rel=0.02)
    assert timing.links.wait.sum() == (timing.start - timing.push).sum() - source.size * (PLAIN.inject + 1 + service)


def test_statistics_of_links_are_conserved(run: Run) -> None:
    """Every packet is ejected once and crosses |dx| + |dy| links; a link is held for a packet's flits, or longer if starved."""
    for seed in range(20):
        mesh, latencies, tick = random_case(seed)
        latencies = replace(latencies, flit=latencies.eject_flit)
        (timing,) = run(mesh, latencies, [tick])
        ejections = timing.links.n[mesh.local[:-1]]
        assert ejections.tolist() == np.bincount(tick.target, minlength=mesh.n_cores).tolist()
        paths = [mesh.path(int(s), int(t)) for s, t in zip(tick.source, tick.target, strict=True)]
        crossed = np.concatenate(paths)
        assert timing.links.n.tolist() == np.bincount(crossed, minlength=mesh.n_links).tolist()
        flits = np.repeat(tick.flits, [len(path) for path in paths])
        held: Ints = np.zeros(mesh.n_links, np.int64)
        np.add.at(held, crossed, flits * latencies.flit)
        assert timing.links.busy.tolist() == held.tolist()
        assert timing.sink_busy.sum() == (timing.done - timing.start).sum()


# ---- it always ends
def test_saturated_meshes_drain_at_depth_one() -> None:
    for seed in range(50):
        rng, mesh = np.random.default_rng(seed), Mesh(5, 4, 1 + seed % 3)
        latencies = replace(PLAIN, axon_out=1, fifo=1, inject_fifo=1, eject_fifo=1, axon_in=int(rng.integers(0, 3000)))
        tick = replace(random_traffic(mesh, latencies, rng, 3000), tail=np.zeros(mesh.n_sources, np.int64))
        tick = replace(tick, work=rng.integers(1, 10, tick.target.size))
        (timing,) = noc_twin.run(mesh, latencies, [tick])
        assert (timing.done > 0).all()
        assert timing.links.stall.sum() > 0
        assert (timing.stall > 0).sum() > mesh.n_cores // 2


def oracle(mesh: Mesh, latencies: Latencies, ticks: Sequence[Traffic], blocked: int = -1) -> None:
    for tick in ticks:
        Oracle(simpy.Environment(), mesh, latencies, tick, blocked).fields()


@pytest.mark.parametrize("implementation", [oracle, noc_event.run, noc_twin.run])
def test_watchdog_names_the_fifos_a_blocked_sink_fills(implementation: Callable[..., object]) -> None:
    mesh, latencies = Mesh(2, 1, 1, host_tile=0), replace(PLAIN, fifo=2, inject_fifo=3, eject_fifo=1)
    packets = [(0, 1, 1)] * 5 + [(1, 1, 1), (1, 1, 0), (2, 1, 1), (2, 1, 0), (2, 1, 1)]
    text = (
        "network-on-chip: 8 of 10 packets are undelivered and nothing is left to happen, stuck are "
        "core 1 eject 1 of 1, tile (0, 0) input local0 3 of 3, tile (0, 0) input host 1 of 3, "
        "tile (1, 0) input W 2 of 2; let every core take its packets in"
    )
    with pytest.raises(RunError, match=f"^{re.escape(text)}$"):
        implementation(mesh, latencies, [traffic(mesh, packets)], blocked=1)
    implementation(mesh, latencies, [traffic(mesh, packets)])


def test_watchdog_counts_what_it_does_not_name(run: Run) -> None:
    mesh = Mesh(1, 1, 10)
    packets = [(source, 1, 0) for source in range(mesh.n_sources) for _ in range(9)]
    with pytest.raises(RunError, match=r", tile \(0, 0\) input local6 8 of 8 and 4 more; let every core take its"):
        run(mesh, PLAIN, [traffic(mesh, packets)], blocked=0)  # type: ignore[call-arg]


# ---- serial cores
def test_serial_cores_agree_to_the_picosecond() -> None:
    """Oracle, network and twin, where what a core took in waits for its own work."""
    longer = waited = 0
    for seed in range(2 * CASES):
        mesh, latencies, tick = random_case(seed)
        serial = replace(latencies, serial=1)
        expected = Oracle(ShuffledEnvironment(seed), mesh, serial, tick).fields()
        event = noc_event.run(mesh, serial, [tick] * (1 + seed % 2), ShuffledEnvironment(-seed))[-1]
        (twin,) = noc_twin.run(mesh, serial, [tick])
        for timing in (event, twin):
            found = named(timing)
            assert [name for name in expected if found[name] != expected[name]] == [], f"seed {seed}"
        assert event.held_by == twin.held_by
        waited += bool((twin.start == twin.send_end[tick.target]).any())
        longer += twin.tick_ps > noc_twin.run(mesh, latencies, [tick])[0].tick_ps
    assert waited > 0.5 * 2 * CASES
    assert longer > 0.25 * 2 * CASES


def test_a_serial_core_by_hand(run: Run) -> None:
    """Core 0 sends to itself at 100 and 300 and works on until 1000; then it takes in, 250 a packet. Core 1 has sent long since."""
    mesh = Mesh(1, 1, 2)
    serial = replace(PLAIN, axon_in=200, synop=50, serial=1)
    packets = replace(traffic(mesh, [(0, 100, 0), (0, 200, 0), (1, 50, 1)], synapses=1), tail=np.array([700, 0, 0]))
    (timing,) = run(mesh, serial, [packets])
    assert timing.send_end.tolist() == [1000, 50, 0]
    assert timing.start.tolist() == [1000, 1250, 50 + 10 + 20 + 70]
    assert timing.done.tolist() == [1250, 1500, 400]
    assert (timing.work_ps, timing.held_by) == (1500, Holder("sink", 0))
    assert run(mesh, replace(serial, serial=0), [packets])[0].work_ps == 1000


def test_serial_cores_never_block_the_network() -> None:
    """Every core sends much to every other through FIFOs of one packet, and takes nothing in before it has sent."""
    mesh = Mesh(3, 2, 2)
    serial = replace(PLAIN, fifo=1, inject_fifo=1, eject_fifo=1, axon_in=5000, serial=1)
    pairs = [(a, 1, b) for a in range(mesh.n_cores) for _ in range(3) for b in range(mesh.n_cores)]
    for timing in (each(mesh, serial, [traffic(mesh, pairs)])[0] for each in (noc_event.run, noc_twin.run)):
        assert (timing.sink_busy == 5000 * 3 * mesh.n_cores).all()
        assert all(timing.start[k] >= timing.send_end[b] for k, (_, _, b) in enumerate(pairs))
