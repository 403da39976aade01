"""deploy --expect: the chip is held to a recording; without one it is said that nobody checked the conventions."""

from __future__ import annotations

import numpy as np
from shell import NETWORK, Shell

import neuroemu as ne
from neuroemu.cli.deploy import UNCHECKED

DEPLOY = ("deploy", NETWORK, "--chip", "loihi1", "--input", "x.npz", "--weight-bits", "8", "--engine", "python")


def test_the_chips_own_spikes_are_expected_of_it(shell: Shell) -> None:
    """By a road of its own: the packets of the saved run, put into an array of rows."""
    assert shell(*DEPLOY, "-o", "a") == 0
    assert UNCHECKED in " ".join(shell.out.split())
    run = ne.load_run("a")
    layer = run.layers[run.outputs[0]]
    expected = np.zeros((run.rows, run.n, layer.n), np.int64)
    mine = (run.spikes.neuron >= layer.id0) & (run.spikes.neuron < layer.id0 + layer.n)
    row = run.spikes.tick[mine] - layer.age
    inside = (row >= 0) & (row < run.rows)
    expected[row[inside], run.spikes.presentation[mine][inside], run.spikes.neuron[mine][inside] - layer.id0] = 1
    total = int(expected.sum())
    assert total > 50
    np.save("e.npy", expected)
    assert shell(*DEPLOY, "--expect", "e.npy") == 0
    assert f"expected spikes: {total} of {total} recorded spikes, 0 too many" in shell.out
    assert UNCHECKED not in " ".join(shell.out.split())
    row0, sample, neuron = np.argwhere(expected)[7]
    expected[row0, sample, neuron] = 0
    expected[0, 0, 0] += 1
    np.save("e.npy", expected)
    assert shell(*DEPLOY, "--expect", "e.npy") == 1
    assert f"expected spikes: {total - 1} of {total} recorded spikes, 1 too many" in shell.out


def test_what_it_cannot_expect_is_one_sentence(shell: Shell) -> None:
    np.save("e.npy", np.zeros((3, 6, 10), int))
    assert shell(*DEPLOY, "--expect", "e.npy") == 2
    assert shell.err.startswith(
        "neuroemu: expected spikes of '3' have shape (3, 6, 10), the input has 20 rows of 6 presentations"
    )
    assert shell(*DEPLOY, "--expect", "none.npy") == 2
    assert shell.err == "neuroemu: none.npy: no such file; give the path of a .npy or .npz file\n"
