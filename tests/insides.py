"""Small networks to look into."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cases import CASES, Case, Rng, random_placement

import neuroemu as ne


def drawn(name: str, draw: int = 0) -> tuple[Case, ne.Image]:
    """A case, spread over cores."""
    rng: Rng = np.random.default_rng([draw, *name.encode()])
    case = CASES[name](rng)
    return case, case.image(random_placement(rng, case.image(), 9 if case.chip == "generic45" else 40))


def online() -> tuple[ne.Image, np.ndarray]:
    """One plastic projection on one core, changed at once: 10 inputs, 6 neurons, presentations of 20 ticks."""
    case = CASES["online"](np.random.default_rng(0))
    return case.image(), case.inputs


def line(**options: object) -> ne.Image:
    """in -> a -> b, a neuron each, with delay 2 on the way to a, on cores of their own."""
    lif = ne.Firmware("lif", {"decay_v": 0, "threshold": 10})
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("a", 2, lif), ne.Population("b.x", 1, lif)],
        [
            ne.Projection("in", "a", ne.Sparse([0, 0, 1], [0, 0, 1], [20, 5, 7], [2, 0, 0]), "p"),
            ne.Projection("a", "b.x", [[4], [6]], "q"),
        ],
        outputs=["b.x"],
        **options,  # type: ignore[arg-type]
    )
    return ne.compile(network, ne.load_chip("generic45"), placement={"a": [(0, 2)], "b.x": [(9, 1)]})


NARROW = '''
"""A soma and a rule whose registers are soon full."""
from neuroemu.isa import Port, Post, Pre, State, Weight


class cell:
    def soma(v: State(6), seen: State(16), drive: Port):
        v = v + drive
        spike = 1 if v < 0 else 0
        seen = seen + 100 * spike
        return v, seen, spike


class rule:
    ONLINE = True

    def arrive(x: Pre(4)):
        x = x + 3
        return x

    def arrive_synapse(w: Weight, left: State(4, init=7), seen: Post(16)):
        left = left + 1
        w = w + left
        seen = seen + 1
        return w, left, seen
'''


def narrow(tmp_path: Path) -> ne.Image:
    """Registers that saturate: v at 31, x at 7, left at 7."""
    (tmp_path / "narrow.py").write_text(NARROW)
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("h", 2, ne.Firmware(f"{tmp_path}/narrow.py.cell"))],
        [ne.Projection("in", "h", [[9, 1], [2, 3]], "p", rule=f"{tmp_path}/narrow.py.rule"),
         ne.Projection("in", "h", np.zeros((2, 2), int), "none")],
        outputs=["h"],
    )  # fmt: skip
    return ne.compile(network, ne.load_chip("generic45"))
