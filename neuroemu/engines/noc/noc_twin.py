"""The network-on-chip's timing compiled: any number of recorded ticks, each on its own, on as many threads as there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.engines.compiled import Kernel, compiled, types_of
from neuroemu.engines.noc.noc import Latencies, LinkTiming, Measured, Mesh, TickTiming, Traffic, stuck

Records = NDArray[np.void]


def record(names: str) -> np.dtype[np.void]:
    """A record of 64-bit integers."""
    return np.dtype([(name, np.int64) for name in names.split()])


LINK = record("down core hop flit low_port low_slot high_slot free last slot wanting n busy wait stall")
"""Where it leads (input ``down`` or ``core``, -1 if not), latencies, first port and slots; then release, input granted last,
slot of the next grant, first of the inputs whose head of line wants it, statistics."""
INPUT = record("tile source up free eligible also first last slot")
"""``source`` or link ``up`` that feeds it (-1 if not); then release, when its head of line is eligible, next input that wants
the same link, first and last packet, slot its head of line holds."""
PACKET = record("target flits service work head tail behind push start done")
SOURCE = record("input next stop ready tail stall")


def kernel(values: Mapping[str, Any]) -> Kernel:
    """The kernel, compiled for a NocState of these values, and kept where all kernels are."""
    text = Path(__file__).with_name("noc_kernel.py").read_text(encoding="utf-8")
    return compiled(text, types_of(list(values.values())), lambda module: {"tick": (module.NocState(**values),)})


def run(
    mesh: Mesh, latencies: Latencies, ticks: Iterable[Traffic], workers: int = 1, blocked: int = -1
) -> list[TickTiming]:
    """Time every tick. ``blocked`` is a test's: a core whose sink takes nothing in."""
    twins: SimpleQueue[_Twin] = SimpleQueue()
    for _ in range(workers):
        twins.put(_Twin(mesh, latencies, blocked))

    def tick(traffic: Traffic) -> TickTiming:
        twin = twins.get()
        try:
            return twin.tick(traffic)
        finally:
            twins.put(twin)

    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(tick, ticks))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C only the ticks that have begun are waited for


class _Twin:
    """One thread's buffers."""

    def __init__(self, mesh: Mesh, latencies: Latencies, blocked: int) -> None:
        self.mesh, self.latencies, self.blocked = mesh, latencies, blocked
        self.links, self.inputs = np.zeros(mesh.n_links, LINK), np.zeros(mesh.n_links, INPUT)
        self.sources = np.zeros(mesh.n_sources, SOURCE)
        self.packets: Records = np.zeros(1, PACKET)
        self.wire()
        n_slots, n_links = int(self.links["high_slot"][-1]), mesh.n_links
        self.fixed = {
            "links": self.links,
            "inputs": self.inputs,
            "sources": self.sources,
            "sinks": np.zeros(mesh.n_cores, np.int64),
            "slots": np.zeros(n_slots, np.int64),
            "way": mesh.way,
            "queue": np.zeros(n_links + 1, np.int64),
            "place": np.zeros(n_links, np.int64),
            "shift": n_links.bit_length(),
            "n_ports": mesh.n_ports,
            "inject": latencies.inject,
            "inject_fifo": latencies.inject_fifo,
            "credit": latencies.credit,
            "blocked": blocked,
        }
        self.kernel = kernel({"packets": self.packets, **self.fixed})

    def wire(self) -> None:
        """The records' fixed parts."""
        mesh, numbers = self.mesh, np.arange(self.mesh.n_links)
        cores = mesh.local[:-1]
        self.links["hop"], self.links["flit"] = mesh.link_ps(self.latencies)
        self.links["down"], self.links["core"] = mesh.down, -1
        self.links["core"][cores] = np.arange(mesh.n_cores)
        self.links["low_port"] = numbers // mesh.n_ports * mesh.n_ports
        depth = np.where(self.links["core"] >= 0, self.latencies.eject_fifo, self.latencies.fifo)
        self.links["high_slot"] = np.cumsum(depth)
        self.links["low_slot"] = self.links["high_slot"] - depth
        self.inputs["tile"], self.inputs["up"], self.inputs["source"] = numbers // mesh.n_ports, mesh.down, -1
        self.inputs["source"][mesh.local] = np.arange(mesh.n_sources)
        self.sources["input"] = mesh.local

    def tick(self, traffic: Traffic) -> TickTiming:
        """Time one tick."""
        n = traffic.target.size
        if n > self.packets.size:
            self.packets = np.zeros(n, PACKET)
        packets, sources = self.packets[:n], self.sources
        packets["target"], packets["flits"], packets["work"] = traffic.target, traffic.flits, traffic.work
        packets["service"] = traffic.sink_ps(self.latencies)
        sources["next"], sources["stop"] = traffic.indptr[:-1], traffic.indptr[1:]
        sources["tail"] = traffic.tail
        delivered = self.kernel.tick(self.kernel.NocState(packets=self.packets, **self.fixed))
        if delivered < n:
            raise stuck(self.mesh, self.latencies, *self.held(), delivered, n)
        return Measured(
            push=packets["push"].copy(),
            start=packets["start"].copy(),
            done=packets["done"].copy(),
            send_end=sources["ready"].copy(),
            stall=sources["stall"].copy(),
            links=LinkTiming(*(self.links[name].copy() for name in ("n", "busy", "wait", "stall"))),
        ).timing(self.mesh, self.latencies, traffic)

    def held(self) -> tuple[Ints, Ints]:
        """Packets in each router's input, and in each core's ejection FIFO: all a blocked sink was sent, none elsewhere."""
        inputs, sinks = np.zeros(self.mesh.n_links, np.int64), np.zeros(self.mesh.n_cores, np.int64)
        for number, k in enumerate(self.inputs["first"]):
            while k >= 0:
                inputs[number] += 1
                k = self.packets["behind"][k]
        sinks[self.blocked] = self.links["n"][self.mesh.local[self.blocked]]
        return inputs, sinks
