"""Traffic for the timing's tests: random small meshes, and ticks of the shape of workload W4."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.engines.noc.noc import Latencies, Mesh, Traffic


def send_work(
    latencies: Latencies, active: np.ndarray, slot: Ints, first: np.ndarray, rule_operations: int = 0
) -> tuple[Ints, int]:
    """A core's ps of work before each packet, (n_packets,), and after the last one: remaining somas, then rules.

    active: (n_slots,) somas active in the tick; slot: (n_packets,) ascending; first: (n_packets,) first of its spike.
    ``work_k`` = somas since the last packet + spike if first + axon-out.
    """
    somas = np.cumsum(np.where(active, latencies.soma_active, latencies.soma_idle))
    reached = np.append(0, somas[slot])
    work = np.diff(reached) + first * latencies.spike + latencies.axon_out
    return work, int(somas[-1:].sum() - reached[-1]) + rule_operations * latencies.rule_operation


LATENCIES = Latencies(
    soma_active=9700,
    soma_idle=9700,
    spike=30000,
    axon_out=5100,
    host_packet=1000,
    rule_operation=1000,
    inject=1000,
    hop_x=4100,
    hop_y=6500,
    eject=1100,
    flit=1000,
    eject_flit=1000,
    credit=500,
    axon_in=16000,
    synop=4700,
    barrier=465_000,
    fifo=8,
    inject_fifo=8,
    eject_fifo=8,
)


def grouped(source: Ints, n_sources: int) -> Ints:
    """``indptr`` of packets whose sources ascend."""
    return np.searchsorted(source, np.arange(n_sources + 1)).astype(np.int64)


@dataclass(frozen=True)
class W4:
    """4000 neurons with 80 random targets each on 128 cores: 8 x 4 tiles of 4, about 65 spikes a tick."""

    mesh: Mesh = field(default_factory=lambda: Mesh(8, 4, 4))
    n: int = 4000
    n_targets: int = 80
    spikes: float = 65.0

    def ticks(self, n_ticks: int, seed: int) -> list[Traffic]:
        rng = np.random.default_rng(seed)
        core = np.arange(self.n) * self.mesh.n_cores // self.n
        first = np.searchsorted(core, np.arange(self.mesh.n_cores + 1))
        entries = [
            np.unique(core[rng.choice(self.n, self.n_targets, replace=False)], return_counts=True)
            for _ in range(self.n)
        ]
        return [self.tick(rng, entries, core, first) for _ in range(n_ticks)]

    def tick(self, rng: np.random.Generator, entries: list[tuple[Ints, Ints]], core: Ints, first: Ints) -> Traffic:
        fired = np.sort(rng.choice(self.n, rng.poisson(self.spikes), replace=False))
        target = np.concatenate([entries[neuron][0] for neuron in fired])
        synapses = np.concatenate([entries[neuron][1] for neuron in fired])
        neuron = np.repeat(fired, [entries[neuron][0].size for neuron in fired])
        indptr = np.append(grouped(core[neuron], self.mesh.n_cores), target.size)
        work, tail = [], []
        for c in range(self.mesh.n_cores):
            slot = neuron[indptr[c] : indptr[c + 1]] - first[c]
            sent = np.diff(slot, prepend=-1) > 0
            before, after = send_work(LATENCIES, np.ones(first[c + 1] - first[c], bool), slot, sent)
            work.append(before)
            tail.append(after)
        return Traffic(
            indptr, target, np.ones_like(target), synapses, np.concatenate(work), np.array([*tail, 0], np.int64)
        )


def random_case(seed: int) -> tuple[Mesh, Latencies, Traffic]:
    """A mesh of up to 5 x 4 tiles with a tick of up to some hundred packets; times on a coarse grid, so that many tie."""
    draw = random.Random(seed)
    grid = draw.choice([1, 1, 50, 500])

    def ps(low: int, high: int) -> int:
        return draw.randint(low, high) // grid * grid

    def at_least_one(low: int, high: int) -> int:
        return max(grid, ps(low, high))

    latencies = Latencies(
        soma_active=ps(0, 3000),
        soma_idle=ps(0, 1000),
        spike=ps(0, 3000),
        axon_out=at_least_one(1, 2000),
        host_packet=draw.choice([0, ps(0, 2000)]),
        rule_operation=0,
        inject=draw.choice([0, ps(1, 3000)]),
        hop_x=at_least_one(1, 5000),
        hop_y=at_least_one(1, 5000),
        eject=draw.choice([0, ps(1, 3000)]),
        flit=at_least_one(1, 3000),
        eject_flit=at_least_one(1, 3000),
        credit=draw.choice([0, ps(1, 3000)]),
        axon_in=draw.choice([0, ps(0, 5000)]),
        synop=draw.choice([0, ps(0, 1000)]),
        barrier=ps(0, 1000),
        fifo=draw.randint(1, 4),
        inject_fifo=draw.randint(1, 4),
        eject_fifo=draw.randint(1, 4),
    )
    width, height = draw.randint(1, 5), draw.randint(1, 4)
    mesh = Mesh(width, height, draw.randint(1, 4), draw.randrange(width * height))
    return mesh, latencies, random_traffic(mesh, latencies, np.random.default_rng(seed), draw.choice([5, 40, 120]))


def random_traffic(mesh: Mesh, latencies: Latencies, rng: np.random.Generator, n_packets: int) -> Traffic:
    """About ``n_packets``, a share of them for one core, a fifth with payload, some from the host."""
    n_slots = 8
    slots = np.sort(rng.integers(0, mesh.n_cores * n_slots, rng.poisson(n_packets)))
    n_host = int(rng.integers(0, 1 + n_packets // 8))
    n = slots.size + n_host
    target = rng.integers(0, mesh.n_cores, n)
    target[rng.random(n) < rng.choice([0, 0.3, 0.9])] = rng.integers(0, mesh.n_cores)
    indptr = np.append(grouped(slots // n_slots, mesh.n_cores), n)
    sent = [
        send_work(latencies, rng.random(n_slots) < 0.5, slot, np.diff(slot, prepend=-1) > 0)
        for slot in (slots[indptr[c] : indptr[c + 1]] % n_slots for c in range(mesh.n_cores))
    ]
    return Traffic(
        indptr=indptr,
        target=target,
        flits=np.where(rng.random(n) < 0.2, 3, 1),
        synapses=rng.integers(0, 20, n),
        work=np.concatenate([work for work, _ in sent] + [np.full(n_host, latencies.host_packet)]),
        tail=np.array([tail for _, tail in sent] + [0], np.int64),
    )
