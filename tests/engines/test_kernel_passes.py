"""Passes a kernel makes of a soma and of fire_synapse: what runs apart is what may, and the bits stay those of engine python."""

from __future__ import annotations

import numpy as np
import pytest
from cases import firmware

import neuroemu as ne
from neuroemu.engines.job import Job, silent
from neuroemu.engines.kernel.layout import Layout
from neuroemu.engines.kernel.split import split
from neuroemu.image.memory import Memory


def image(n_in: int = 11, n_hidden: int = 23) -> ne.Image:
    rng = np.random.default_rng(4)
    params = {"threshold": rng.integers(20, 90, n_hidden), "table": rng.integers(-20, 21, 16)}
    network = ne.Network(
        [
            ne.Population("in", n_in, ne.HostInput()),
            ne.Population("h", n_hidden, ne.Firmware(f"{firmware('apart')}.neuron", params)),
        ],
        [ne.Projection("in", "h", rng.integers(-60, 100, (n_in, n_hidden)), "p", rule=f"{firmware('apart')}.rule")],
        outputs=["h"],
        probes=[("h", register) for register in "vwqpr"],
    )
    placement = {"h": [(3, 5), (0, 1), (7, 17)]}
    return ne.compile(network, ne.load_chip("generic45"), placement=placement, align=False)


def stimulus() -> ne.Stimulus:
    rng = np.random.default_rng(5)
    return ne.stimulus((rng.random((17, 3, 11)) < 0.4).astype(int), {"in": 11})


def plan_of(built: ne.Image) -> Layout:
    return Layout(Job(built, stimulus(), 0, True, 1, 1, silent, Memory()))


def test_what_runs_apart() -> None:
    """Early: the same test for all neurons. Late: read by no later statement. `w` is, so it stays in the loop over all."""
    neuron = plan_of(image()).populations[0].owner
    apart = split(neuron, "soma")
    assert [(part.register, part.otherwise) for part in apart.early] == [("p", True)]
    assert [(part.register, part.otherwise, part.spilled) for part in apart.late] == [
        ("q", False, ("v",)),
        ("r", True, ("v",)),
    ]
    assert apart.registers == {"p", "q", "r"}
    assert sorted(apart.places) == [0, 3, 4]


def test_columns_of_fire_synapse() -> None:
    """Registers that only fire_synapse takes in a tick are kept by post neuron; a weight is not, nor what arrivals take."""
    assert plan_of(image()).projections[0].transposed == {"e", "f"}


@pytest.mark.parametrize("commit_every", [1, 2])
def test_passes_keep_the_bits(commit_every: int) -> None:
    """With a commit after every presentation, in the kernel's run, and after two, apart from it, by two workers."""
    built, how = image(), {"plastic": True, "seed": 3, "commit_every": commit_every}
    oracle = ne.run(built, stimulus(), engine="python", **how)
    saturated = {owner for (key, _, owner), n in oracle.counts.table.items() if key == "saturation" and n}
    assert saturated >= {"h.v", "h.q", "h.w", "p.e"}
    assert len({core for (key, core, _), n in oracle.counts.table.items() if key == "saturation" and n}) == 3
    for register in ("q", "r", "p", "w"):
        assert np.unique(oracle.probes["h", register]).size > 8, register
    assert 0 < oracle.counts["hook_fire_synapse"] < oracle.counts["send_spike"] * 11
    assert oracle.differs(ne.run(built, stimulus(), engine="cpu", workers=2, **how)) is None
