"""Recorded vectors from a real chip and from other simulators, reproduced exactly or within the stated gates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neuroemu as ne
from neuroemu.engines.available import runnable

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("engine", runnable())
def test_one_neuron_recorded_on_loihi(engine: str) -> None:
    """NIR paper, 01_lif: spikes as the chip recorded them, v as Lava's integer model has it on all 1000 steps.

    The integers are the recording's own (decay 163, weight 10, threshold 25 << 6). The chip's probe shows 128 in place of v
    where it spikes, which is the probe and not the neuron.
    """
    recorded = np.genfromtxt(DATA / "nir_paper/01_lif/lif_lava_loihi_fixed.csv", delimiter=",")
    lava = np.genfromtxt(DATA / "nir_paper/01_lif/lif_lava_cpu_fixed.csv", delimiter=",")
    network = ne.Network(
        [
            ne.Population("in", 1, ne.HostInput()),
            ne.Population("lif", 1, ne.Firmware("lif", {"decay_v": 163, "threshold": 25 << 6})),
        ],
        [ne.Projection("in", "lif", [[10]])],
        outputs=["lif"],
        probes=[("lif", "v")],
    )
    image = ne.compile(network, ne.load_chip("loihi1"))
    run = ne.run(image, recorded[:, :1].astype(int), engine=engine)
    assert run.spikes.tick.tolist() == [461, 511, 711, 761] == np.flatnonzero(recorded[:, 2]).tolist()
    v = run.probes["lif", "v"][0, :1000, 0]
    assert np.array_equal(v, lava[:, 1])
    silent = recorded[:, 2] == 0
    assert np.array_equal(v[silent], recorded[silent, 1])


def test_two_hundred_inputs_on_loihi_neurons() -> None:
    """lava-dl's dense layer: every one of 1826 spikes in 256 x 2000."""
    data = np.load(DATA / "lava_dl_dense/dense.npz")
    lif = ne.Firmware("cuba_lif", {"decay_u": 4096, "decay_v": 415, "threshold": 6 << 6})
    network = ne.Network(
        [ne.Population("in", 200, ne.HostInput()), ne.Population("out", 256, lif)],
        [ne.Projection("in", "out", data["weight"].T)],
        outputs=["out"],
    )
    run = ne.run(ne.compile(network, ne.load_chip("loihi1")), data["spikes_in"].T)
    fired = np.zeros((256, 2001), int)
    fired[run.spikes.neuron - 200, run.spikes.tick] = 1
    assert data["spikes_out"].sum() == 1826
    assert np.array_equal(fired[:, :2000], data["spikes_out"])
