"""The timing model read literally, in SimPy: a process for every source, router output and sink; clarity before speed.

Effects (an arrival, a link's release, a credit) happen at their instant in any order; a router decides when all effects of
the instant are in (priority LATE), and what it decides takes effect later than now. So the order of simultaneous events
cannot matter, and ShuffledEnvironment puts that to the test.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from neuroemu.engines.noc.noc import Latencies, Mesh, Traffic, stuck

Process = Generator[simpy.Event, Any, None]
LATE = 2
"""After SimPy's URGENT (0) and NORMAL (1)."""


class ShuffledEnvironment(simpy.Environment):
    """Events of the same time and priority in random order."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random, self.number = random.Random(seed), 0

    def schedule(self, event: simpy.Event, priority: int = 1, delay: int = 0) -> None:
        self.number += 1
        heapq.heappush(self._queue, (self._now + delay, priority, (self.random.random(), self.number), event))


@dataclass
class Packet:
    number: int
    target: int
    flits: int
    head_in: int = 0
    tail_in: int = 0


class Oracle:
    """One tick of a mesh."""

    def __init__(self, env: simpy.Environment, mesh: Mesh, latencies: Latencies, traffic: Traffic, blocked: int = -1):
        self.env, self.mesh, self.ps, self.traffic, self.blocked = env, mesh, latencies, traffic, blocked
        n, links, inputs = mesh.n_cores, range(mesh.n_links), range(mesh.n_links)
        self.fifo: list[deque[Packet]] = [deque() for _ in inputs]
        self.wire: list[deque[Packet]] = [deque() for _ in inputs]
        self.input_busy, self.input_free = [False for _ in inputs], [0 for _ in inputs]
        self.bell = [env.event() for _ in range(mesh.n_tiles)]
        into_core = {int(mesh.local[core]): core for core in range(n)}
        self.slots = [latencies.eject_fifo if link in into_core else latencies.fifo for link in links]
        depth = latencies.inject_fifo
        self.inject_slots = {int(i): simpy.Container(env, capacity=depth, init=depth) for i in mesh.local}
        self.mailbox = [simpy.Store(env) for _ in range(n)]
        self.link_n, self.busy, self.wait, self.stall, self.link_free = ([0 for _ in links] for _ in range(5))
        self.push, self.start, self.done = ([0] * traffic.target.size for _ in range(3))
        self.sent = [env.event() for _ in range(n + 1)]
        self.send_end, self.core_stall = [0] * (n + 1), [0] * (n + 1)
        self.sink_busy, self.sink_done, self.delivered = [0] * n, [0] * n, 0
        for source in range(n + 1):
            env.process(self.source(source))
        for link in links:
            if link in into_core or mesh.down[link] >= 0:
                env.process(self.output(link, into_core.get(link, -1)))
        for core in range(n):
            if core != blocked:
                env.process(self.sink(core))

    # ---- units
    def source(self, source: int) -> Process:
        for k in range(self.traffic.indptr[source], self.traffic.indptr[source + 1]):
            yield self.env.timeout(int(self.traffic.work[k]))
            ready, number = self.env.now, int(self.mesh.local[source])
            yield self.inject_slots[number].get(1)
            self.core_stall[source] += self.env.now - ready
            self.push[k] = self.env.now
            packet = Packet(k, int(self.traffic.target[k]), int(self.traffic.flits[k]))
            packet.head_in = packet.tail_in = self.env.now + self.ps.inject
            self.send(number, packet, self.ps.inject)
        yield self.env.timeout(int(self.traffic.tail[source]))
        self.send_end[source] = self.env.now
        self.sent[source].succeed()

    def output(self, link: int, core: int) -> Process:
        """Grant and hold the link; look again whenever something happened at the router."""
        n_ports = self.mesh.n_ports
        tile, last = link // n_ports, n_ports - 1
        while True:
            yield self.all_effects_in()
            inputs = [i for i in range(tile * n_ports, (tile + 1) * n_ports) if self.wants(i, link)]
            if not inputs or self.slots[link] == 0:
                yield self.bell[tile]
                continue
            first = tile * n_ports + last + 1
            chosen = min(inputs, key=lambda i: (i - first) % n_ports)
            last = chosen % n_ports
            self.stall[link] += self.env.now - max(self.link_free[link], min(map(self.eligible_from, inputs)))
            tail_out = self.grant(chosen, link, core)
            yield self.env.timeout(tail_out - self.env.now)
            self.input_busy[chosen], self.input_free[chosen], self.link_free[link] = False, tail_out, tail_out
            self.ring(tile)
            self.env.process(self.give_back(chosen))

    def sink(self, core: int) -> Process:
        link = int(self.mesh.local[core])
        if self.ps.serial:
            yield self.sent[core]
        while True:
            packet = yield self.mailbox[core].get()
            self.start[packet.number] = self.env.now
            if not self.ps.serial:
                self.env.process(self.give_back_sink(link))
            service = self.ps.axon_in + int(self.traffic.synapses[packet.number]) * self.ps.synop
            yield self.env.timeout(service)
            self.done[packet.number] = self.sink_done[core] = self.env.now
            self.sink_busy[core] += service
            self.delivered += 1

    # ---- what they do
    def all_effects_in(self) -> simpy.Event:
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, LATE)
        return event

    def wants(self, number: int, link: int) -> bool:
        """Whether the input's head of line may leave now, by this link."""
        if not self.fifo[number] or self.input_busy[number]:
            return False
        return bool(self.mesh.way[link // self.mesh.n_ports, self.fifo[number][0].target] == link)

    def eligible_from(self, number: int) -> int:
        return max(self.fifo[number][0].head_in, self.input_free[number])

    def grant(self, number: int, link: int, core: int) -> int:
        """Send an input's head of line on its way; the instant its tail has left."""
        now, packet, port = self.env.now, self.fifo[number].popleft(), link % self.mesh.n_ports
        flit = self.ps.eject_flit if core >= 0 else self.ps.flit
        hop = self.ps.eject if core >= 0 else self.ps.hop_x if port in (0, 1) else self.ps.hop_y
        tail_out = max(now + packet.flits * flit, packet.tail_in)
        self.input_busy[number] = True
        self.slots[link] -= 1
        self.link_n[link] += 1
        self.busy[link] += tail_out - now
        self.wait[link] += now - packet.head_in
        packet.head_in, packet.tail_in = now + hop, tail_out + hop
        if core >= 0:
            self.env.process(self.deliver(core, packet, tail_out + hop - now))
        else:
            self.send(int(self.mesh.down[link]), packet, hop)
        return tail_out

    def send(self, number: int, packet: Packet, delay: int) -> None:
        """Packets keep their order on the way to an input, even those pushed at the same instant."""
        self.wire[number].append(packet)
        self.env.process(self.arrive(number, delay))

    def arrive(self, number: int, delay: int) -> Process:
        yield self.env.timeout(delay)
        self.fifo[number].append(self.wire[number].popleft())
        self.ring(number // self.mesh.n_ports)

    def deliver(self, core: int, packet: Packet, delay: int) -> Process:
        yield self.env.timeout(delay)
        if self.ps.serial:  # there is room for all of them
            self.env.process(self.give_back_sink(int(self.mesh.local[core])))
        yield self.mailbox[core].put(packet)

    def give_back(self, number: int) -> Process:
        """The slot a packet left is free again for whoever feeds the input."""
        yield self.env.timeout(self.ps.credit)
        if number in self.inject_slots:
            yield self.inject_slots[number].put(1)
        else:
            self.free_slot(int(self.mesh.down[number]))

    def give_back_sink(self, link: int) -> Process:
        yield self.env.timeout(self.ps.credit)
        self.free_slot(link)

    def free_slot(self, link: int) -> None:
        self.slots[link] += 1
        self.ring(link // self.mesh.n_ports)

    def ring(self, tile: int) -> None:
        """Wake the outputs of a router that wait for something to happen."""
        self.bell[tile].succeed()
        self.bell[tile] = self.env.event()

    def fields(self) -> dict[str, list[int]]:
        """Run the tick to its end: every field of TickTiming but the holder, those of the links as ``links.n`` and so on."""
        self.env.run()
        n_packets = len(self.done)
        if self.delivered < n_packets:
            held = [len(box.items) for box in self.mailbox]
            inputs = [len(fifo) for fifo in self.fifo]
            raise stuck(self.mesh, self.ps, np.array(inputs), np.array(held), self.delivered, n_packets)
        work_ps = max(self.send_end + self.sink_done)
        return {
            "tick_ps": [work_ps + self.ps.barrier],
            "work_ps": [work_ps],
            "push": self.push,
            "start": self.start,
            "done": self.done,
            "send_end": self.send_end,
            "stall": self.core_stall,
            "sink_busy": self.sink_busy,
            "sink_done": self.sink_done,
            "links.n": self.link_n,
            "links.busy": self.busy,
            "links.wait": self.wait,
            "links.stall": self.stall,
        }
