"""The network-on-chip in SimPy: packets travel from FIFO to FIFO; one event for each router output, armed again and again.

What an output waits for (its link's release, a slot beyond, an eligible head of line) is known ahead, as every decision
takes effect later than it is made: an output sleeps until it can grant, and arrivals, credits and sinks need no event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any

import numpy as np
import simpy

from neuroemu.base.arrays import Ints
from neuroemu.engines.noc.noc import Latencies, LinkTiming, Measured, Mesh, TickTiming, Traffic, stuck

FAR = 1 << 62
"""An instant not known yet."""
NORMAL = 1
"""SimPy's priority of every wake-up: simultaneous ones may come in any order."""


def run(
    mesh: Mesh,
    latencies: Latencies,
    ticks: Iterable[Traffic],
    env: simpy.Environment | None = None,
    blocked: int = -1,
) -> list[TickTiming]:
    """Time ticks one after the other. ``blocked`` is a test's: a core whose sink takes nothing in."""
    env = env or simpy.Environment()
    network = Noc(env, mesh, latencies, blocked)
    timings: list[TickTiming] = []

    def chip() -> Generator[simpy.Event, Any, None]:
        for traffic in ticks:
            timings.append((yield from network.tick(traffic)))

    env.process(chip())
    env.run()
    return timings


class _Packet:
    """A packet under way. Head and tail are when they are in the FIFO, or at the sink, it goes to or waits in."""

    __slots__ = ("done", "flits", "head", "number", "push", "service", "start", "tail", "target", "work")

    def __init__(self, number: int, target: int, flits: int, service: int, work: int) -> None:
        self.number, self.target, self.flits, self.service, self.work = number, target, flits, service, work
        self.push = self.head = self.tail = self.start = self.done = 0


class _Source:
    """The sending side of a core, or the host."""

    __slots__ = ("fifo", "inject", "ready", "stall", "tail", "waiting")

    def __init__(self, fifo: _Input, inject: int) -> None:
        self.fifo, self.inject = fifo, inject

    def begin(self, now: int, packets: list[_Packet], tail: int, n_slots: int) -> None:
        """Push what finds a slot; the rest follows as slots come back."""
        self.waiting, self.tail, self.stall = deque(packets), tail, 0
        self.ready = now + (packets[0].work if packets else tail)
        for _ in range(min(n_slots, len(packets))):
            self.slot_back(now, now)

    def slot_back(self, free: int, now: int) -> None:
        """A slot of the injection FIFO is free from then on: push the next packet as soon as it is ready."""
        waiting = self.waiting
        if waiting:
            packet = waiting.popleft()
            push = free if free > self.ready else self.ready
            self.stall += push - self.ready
            packet.push = push
            packet.head = packet.tail = push + self.inject
            self.ready = push + (waiting[0].work if waiting else self.tail)
            self.fifo.enter(packet, now)


class _Input:
    """A router's input FIFO. ``feeder``, a source or an output, sends into it; ``way`` leads on by target core."""

    __slots__ = ("credit", "eligible", "feeder", "free", "packets", "port", "way")

    def __init__(self, port: int, way: list[_Output], credit: int) -> None:
        self.port, self.way, self.credit = port, way, credit
        self.feeder: _Source | _Output
        self.packets: deque[_Packet] = deque()

    def begin(self, now: int) -> None:
        self.free = now

    def enter(self, packet: _Packet, now: int) -> None:
        """A packet is on its way here."""
        self.packets.append(packet)
        if len(self.packets) == 1:
            self.offer(now)

    def offer(self, now: int) -> None:
        """There is a new head of line."""
        packet = self.packets[0]
        wake = packet.head
        if wake < self.free:
            wake = self.free
        self.eligible = wake
        output = self.way[packet.target]
        output.requests.append(self)
        slots = output.slots
        if slots:  # as arm() does: this is the innermost loop
            if wake < slots[0]:
                wake = slots[0]
            if wake < output.free:
                wake = output.free
            if wake < output.wake:
                output.wake = wake
                output.network.armed += 1
                output.schedule(output.event, NORMAL, wake - now)


class _Sink:
    """A core's axon-in and synapse unit; ``slots`` are its output's, ``taken`` the packets it served, in order."""

    __slots__ = ("blocked", "credit", "done", "held", "slots", "taken")

    def __init__(self, slots: deque[int], credit: int, blocked: bool) -> None:
        self.slots, self.credit, self.blocked = slots, credit, blocked

    def begin(self, now: int) -> None:
        self.done, self.held = now, 0
        self.taken: list[int] = []

    def enter(self, packet: _Packet, now: int) -> None:  # noqa: ARG002  (an input's signature)
        """Serve a packet when it is there whole and the one before is done."""
        if self.blocked:
            self.held += 1
            return
        start = packet.tail if packet.tail > self.done else self.done
        packet.start = start
        packet.done = self.done = start + packet.service
        self.slots.append(start + self.credit)
        self.taken.append(packet.number)


class _Output:
    """A router's output and its link to an input or a sink."""

    __slots__ = (
        *("beyond", "event", "fires", "flit", "hop", "n_ports", "network", "schedule", "slots"),
        *("busy", "free", "last", "n", "requests", "stall", "wait", "wake"),
    )

    def __init__(self, network: Noc, hop: int, flit: int) -> None:
        self.network, self.hop, self.flit = network, hop, flit
        self.schedule, self.n_ports = network.env.schedule, network.mesh.n_ports
        self.beyond: _Input | _Sink
        self.requests: list[_Input] = []
        self.slots: deque[int] = deque()
        self.fires = [self.fire]
        self.event = network.env.event()
        self.event._ok, self.event._value = True, None  # succeed() would schedule it for now, and once only
        self.event.callbacks = self.fires

    def begin(self, now: int, depth: int) -> None:
        self.slots.clear()
        self.slots.extend([now] * depth)
        self.requests.clear()
        self.free, self.last, self.wake = now, -1, FAR
        self.n = self.busy = self.wait = self.stall = 0

    def slot_back(self, free: int, now: int) -> None:
        """A slot beyond is free from then on; if there was none, the output slept for want of it."""
        self.slots.append(free)
        if len(self.slots) == 1 and self.requests:
            self.arm(min([fifo.eligible for fifo in self.requests]), now)

    def arm(self, eligible: int, now: int) -> None:
        """A head of line is eligible from then on: wake when the output can grant, unless it wakes earlier anyhow."""
        if self.slots:
            wake = self.slots[0]
            if wake < self.free:
                wake = self.free
            if wake < eligible:
                wake = eligible
            if wake < self.wake:
                self.wake = wake
                self.network.armed += 1
                self.schedule(self.event, NORMAL, wake - now)

    def fire(self, event: simpy.Event) -> None:
        """A wake-up, or one that an earlier one has replaced."""
        network = self.network
        event.callbacks = self.fires
        network.armed -= 1
        now = network.env.now
        if now == self.wake:
            self.wake = FAR
            self.grant(now)
        if not network.armed:
            network.quiet.succeed()

    def grant(self, now: int) -> None:
        """Send a head of line on."""
        requests = self.requests
        if len(requests) == 1:
            fifo = requests.pop()
            earliest = fifo.eligible
        else:
            fifo, earliest = self.choose(now)
        packet = fifo.packets.popleft()
        tail_out = now + packet.flits * self.flit
        if tail_out < packet.tail:
            tail_out = packet.tail
        self.n += 1
        self.busy += tail_out - now
        self.wait += now - packet.head
        self.stall += now - (earliest if earliest > self.free else self.free)
        self.free, self.last = tail_out, fifo.port
        self.slots.popleft()
        packet.head, packet.tail = now + self.hop, tail_out + self.hop
        fifo.free = tail_out
        if fifo.packets:
            fifo.offer(now)
        fifo.feeder.slot_back(tail_out + fifo.credit, now)
        self.beyond.enter(packet, now)
        if requests:
            self.arm(min([fifo.eligible for fifo in requests]), now)

    def choose(self, now: int) -> tuple[_Input, int]:
        """Round robin: the first eligible input after the one granted last, and when the first of all was eligible."""
        after, n_ports, least = self.last + 1, self.n_ports, self.n_ports
        for fifo in self.requests:
            turn = (fifo.port - after) % n_ports
            if turn < least and fifo.eligible <= now:
                chosen, least = fifo, turn
        earliest = min([fifo.eligible for fifo in self.requests])
        self.requests.remove(chosen)
        return chosen, earliest


class Noc:
    """A mesh of routers with its sources and sinks, for one tick after the other."""

    def __init__(self, env: simpy.Environment, mesh: Mesh, latencies: Latencies, blocked: int = -1) -> None:
        self.env, self.mesh, self.latencies = env, mesh, latencies
        self.armed = 0
        """Wake-ups under way."""
        self.quiet = env.event()
        """Nothing is left to happen in the tick."""
        hop, flit = mesh.link_ps(latencies)
        self.outputs = [_Output(self, h, f) for h, f in zip(hop.tolist(), flit.tolist(), strict=True)]
        ways = [[self.outputs[link] for link in row] for row in mesh.way.tolist()]
        self.inputs = [
            _Input(number % mesh.n_ports, ways[number // mesh.n_ports], latencies.credit)
            for number in range(mesh.n_links)
        ]
        for number, link in enumerate(mesh.down.tolist()):
            if link >= 0:
                self.outputs[number].beyond = self.inputs[link]
                self.inputs[link].feeder = self.outputs[number]
        self.sources = [_Source(self.inputs[number], latencies.inject) for number in mesh.local]
        self.sinks = []
        for core, number in enumerate(mesh.local[:-1]):
            sink = _Sink(self.outputs[number].slots, latencies.credit, core == blocked)
            self.outputs[number].beyond = sink
            self.sinks.append(sink)
        for source in self.sources:
            source.fifo.feeder = source

    @property
    def taken(self) -> list[list[int]]:
        """Packets each core took in during the last tick, by number, in order."""
        return [sink.taken for sink in self.sinks]

    def tick(self, traffic: Traffic) -> Generator[simpy.Event, Any, TickTiming]:
        """Carry a tick's packets and wait for the barrier. Raises RunError if packets are stuck."""
        begin = self.env.now
        packets = self.begin(begin, traffic)
        if self.armed:
            self.quiet = self.env.event()
            yield self.quiet
        delivered = sum(len(sink.taken) for sink in self.sinks)
        if delivered < len(packets):
            inputs, sinks = [len(fifo.packets) for fifo in self.inputs], [sink.held for sink in self.sinks]
            raise stuck(self.mesh, self.latencies, np.array(inputs), np.array(sinks), delivered, len(packets))
        timing = self.measured(begin, packets).timing(self.mesh, self.latencies, traffic)
        yield self.env.timeout(begin + timing.tick_ps - self.env.now)
        return timing

    def begin(self, now: int, traffic: Traffic) -> list[_Packet]:
        """Everything initial, round-robin pointers included; then the sources start."""
        depths = np.full(self.mesh.n_links, self.latencies.fifo)
        depths[self.mesh.local[:-1]] = self.latencies.eject_fifo
        for output, depth in zip(self.outputs, depths.tolist(), strict=True):
            output.begin(now, depth)
        for fifo in self.inputs:
            fifo.begin(now)
        for sink in self.sinks:
            sink.begin(now)
        columns = (traffic.target, traffic.flits, traffic.sink_ps(self.latencies), traffic.work)
        packets = [_Packet(k, *row) for k, row in enumerate(zip(*(c.tolist() for c in columns), strict=True))]
        bounds = traffic.indptr.tolist()
        for number, (source, tail) in enumerate(zip(self.sources, traffic.tail.tolist(), strict=True)):
            source.begin(now, packets[bounds[number] : bounds[number + 1]], tail, self.latencies.inject_fifo)
        return packets

    def measured(self, begin: int, packets: list[_Packet]) -> Measured:
        """What the parts noted, from the tick's start."""

        def since(times: list[int]) -> Ints:
            return np.array(times, np.int64) - begin

        outputs = self.outputs
        return Measured(
            push=since([packet.push for packet in packets]),
            start=since([packet.start for packet in packets]),
            done=since([packet.done for packet in packets]),
            send_end=since([source.ready for source in self.sources]),
            stall=np.array([source.stall for source in self.sources], np.int64),
            links=LinkTiming(
                *(np.array([getattr(o, name) for o in outputs], np.int64) for name in ("n", "busy", "wait", "stall"))
            ),
        )
