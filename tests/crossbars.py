"""A small network with a loop that some of its neurons are not in, for chips that are crossbars."""

from __future__ import annotations

import numpy as np

import neuroemu as ne

ROWS, N = 12, 3


def stimulus(n: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 2, (ROWS, N, n))


def looped(program: str, port: str = "exc", top: int = 7) -> ne.Network:
    """A host into 'a', of which some neurons send to all of 'a' and others to 'b', which sends nowhere."""
    rng = np.random.default_rng(6)
    neuron = ne.Firmware(program, {"threshold": 9} | ({"decay_v": 4096} if program == "lif" else {}))
    populations = [ne.Population("in", 6, ne.HostInput()), ne.Population("a", 5, neuron), ne.Population("b", 4, neuron)]
    back = rng.integers(0, top + 1, (5, 5)) * (np.arange(5) < 2)[:, None]
    onward = rng.integers(0, top + 1, (5, 4)) * (np.arange(5) > 2)[:, None]

    def routed(pre: str, post: str, weight: np.ndarray) -> ne.Projection:
        return ne.Projection(pre, post, weight, routes={"input" if pre == "in" else "spike": [(port, "weight")]})

    weight = rng.integers(0, top + 1, (6, 5)) * (rng.random((6, 5)) < 0.7)
    return ne.Network(populations, [routed("in", "a", weight), routed("a", "a", back), routed("a", "b", onward)])
