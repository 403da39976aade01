"""The same network in SANA-FE and here, under the costs SANA-FE fitted to silicon: events and joules agree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import neuroemu as ne

FOLDER = Path(__file__).parents[1] / "data" / "sanafe"
THEIRS = json.loads((FOLDER / "clock.json").read_text())
TICKS = 4


def clock(ticks: int) -> ne.Run:
    """256 neurons that spike in every tick, on the cores that SANA-FE had them on."""
    data = np.load(FOLDER / "clock.npz")
    n = data["bias"].size
    neuron = ne.Firmware("lif", {"decay_v": 256, "threshold": 64, "bias": 2048})
    tile, within = np.divmod(data["core"], 4)
    there = (tile % 4 * 8 + tile // 4) * 4 + within  # SANA-FE numbers its 8 x 4 tiles column by column
    order = np.argsort(there, kind="stable")
    rank = np.empty(n, int)
    rank[order] = np.arange(n)
    cores, sizes = np.unique(there, return_counts=True)
    network = ne.Network(
        [ne.Population("host", 1, ne.HostInput()), ne.Population("pop", n, neuron)],
        [ne.Projection("pop", "pop", ne.Sparse(rank[data["pre"]], rank[data["post"]], data["weight"]))],
        outputs=["pop"],
    )
    placement = {"pop": list(zip(cores.tolist(), sizes.tolist(), strict=True))}
    image = ne.compile(network, ne.load_chip("loihi1_fit"), placement=placement, align=False)
    return ne.run(image, np.zeros((ticks, 1), int), engine="event")


def test_events_and_hop_energies_are_sana_fes() -> None:
    run = clock(TICKS)
    assert len(run.spikes) == THEIRS["spikes"] == 1024
    assert run.counts["hop_x"] + run.counts["hop_y"] == THEIRS["hops"] > 40_000
    rows = {row.event: row.energy_fj for row in ne.report(run).rows}
    theirs = {part: round(joules * 1e15) for part, joules in THEIRS["energy_j"].items()}
    assert rows["hop_x"] + rows["hop_y"] + rows["packet"] == theirs["network"]
    somas = run.counts["soma_active"] + run.counts["soma_idle"]
    active = {row.event: row.price_fj for row in ne.report(run).rows}["soma_active"]
    assert somas * active + rows["send"] == theirs["soma"]  # SANA-FE updated every neuron in every tick


def test_synops_are_sana_fes_a_tick_later() -> None:
    """A packet of tick t comes due in t + 1 here, in t there."""
    run = clock(TICKS + 1)
    assert run.counts["synop"] == THEIRS["synops"]
    rows = {row.event: row.energy_fj for row in ne.report(run).rows}
    assert rows["synop"] == round(THEIRS["energy_j"]["synapse"] * 1e15)
