"""A network that hardly spikes and runs as long as one wants; its kernel is the same for any length."""

from __future__ import annotations

import numpy as np

import neuroemu as ne


def idle(ticks: int, n: int = 3) -> ne.Image:
    """``n`` neurons that a packet in tick 0 makes spike once, in presentations of so many ticks."""
    lif = ne.Firmware("lif", {"decay_v": 4096, "threshold": 5})
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", n, lif)],
        [ne.Projection("in", "out", np.full((1, n), 9))],
        outputs=["out"],
        phases=[ne.Phase(0, ticks)],
    )
    return ne.compile(network, ne.load_chip("generic45"))


def packet(n: int) -> np.ndarray:
    """The input: one packet to each of ``n`` presentations."""
    return np.ones((1, n, 1), np.int8)
