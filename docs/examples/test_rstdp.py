"""Tests of a rule of one's own, to copy: what a hook computes, that it fits the chip, that it learns, that engines agree."""

import numpy as np
from reward import RULE, network, play

import neuroemu as ne

ATLAS = ne.load_chip("atlas")


def test_one_call_of_a_hook():
    hook = ne.python_hooks(ne.load_program(f"{RULE}.synapse"))["tick_synapse"]
    assert hook(50, 1024, 64, 0, 1) == (51, 992)  # w + rate * e * reward / 2^16; e decays by a 32nd
    assert hook(50, 1024, 0, 0, 1) == (50, 992)  # no reward, no change
    assert hook(0, 1024, -64, 0, 1) == (0, 992)  # a weight stays within 0..127
    assert hook(50, 1, 64, 0, 1)[1] == 0  # the trace ends at 0


def test_it_fits_the_chip_it_is_for():
    for name in ("neuron", "synapse"):
        proof = ne.check_program(ne.load_program(f"{RULE}.{name}"), ATLAS)
        assert all(hook.fits_int32 for hook in proof.hooks.values() if name == "synapse")
    assert proof.widths["e"].bits == 16
    assert proof.hooks["tick_synapse"].operations["random"] == 1


def test_it_learns_by_reward_alone():
    image = ne.compile(network(), ATLAS)
    for seed in range(3):
        good, memory = play(image, 80, seed)
        assert good[40:].mean() >= 0.9
        assert (memory.weights["p"] != 40).mean() > 0.9


def test_without_a_rule_it_stays_at_chance():
    plain = network()
    projection = ne.Projection("in", "act", plain.projection("p").weight, "p")
    image = ne.compile(ne.Network(plain.populations, [projection], ["act"], modulators=plain.modulators), ATLAS)
    good, _ = play(image, 80)
    assert 0.3 < good.mean() < 0.7


def test_engines_agree_bit_for_bit():
    image = ne.compile(network(), ATLAS)
    runs = [play(image, 40, 1, engine) for engine in ("python", "event", "cpu")]
    assert len({memory.digest for _, memory in runs}) == 1
    assert all(np.array_equal(good, runs[0][0]) for good, _ in runs)
