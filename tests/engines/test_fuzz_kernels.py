"""Random networks on random chips: the checked text of the kernel gives everything engine python gives. `make fuzz` goes on for hours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from differential import compared
from kernels import checked
from random_networks import Drawn, RefusedError, draw
from smaller import script, shrunk

import neuroemu as ne

PARTS, PART = 12, 14
"""Tests, and networks in each: together about a minute of one processor."""
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks_run_alike(part: int, tmp_path: Path) -> None:
    sent, learned, saturated = [], 0, 0
    for seed in range(part * PART, (part + 1) * PART):
        try:
            verdict = compared(draw(seed, tmp_path))
        except RefusedError:
            continue
        assert verdict.difference is None, f"seed {seed}: {verdict.difference}"
        if verdict.run is not None:
            events = {event for (event, _, _), n in verdict.run.counts.table.items() if n}
            sent.append(len(verdict.run.spikes))
            learned += "weight_update" in events
            saturated += "saturation" in events
    assert sum(n > 0 for n in sent) >= PART // 2
    assert sum(sent) > 100
    assert learned > 0
    assert saturated > 0


def small() -> Drawn:
    """Two layers that spike, and a projection that does not matter."""
    rng = np.random.default_rng(0)
    lif = {"decay_v": 100, "threshold": 20}
    network = ne.Network(
        [ne.Population("in", 4, ne.HostInput())]
        + [ne.Population(name, 3, ne.Firmware("lif", lif)) for name in ("a", "b", "c")],
        [
            ne.Projection("in", "a", rng.integers(5, 30, (4, 3)), "p"),
            ne.Projection("a", "b", rng.integers(5, 30, (3, 3)), "q", delay=2),
            ne.Projection("a", "c", rng.integers(5, 30, (3, 3)), "r"),
        ],
        outputs=["b"],
        probes=[("b", "v"), ("c", "v")],
    )
    inputs = {"in": (rng.random((12, 4, 4)) < 0.5).astype(np.int64)}
    return Drawn(
        ne.load_chip("generic45"), network, True, None, inputs, {}, 0, {"plastic": False, "commit_every": 1, "seed": 5}
    )


def later(text: str) -> SimpleNamespace:
    """A kernel that delivers delayed packets one tick late."""
    return checked(text.replace("late = 1 + q1_delays[d]", "late = 2 + q1_delays[d]"))


def test_a_wrong_kernel_is_seen_made_small_and_told_as_a_script(tmp_path: Path) -> None:
    drawn = small()
    right, wrong = compared(drawn), compared(drawn, later)
    assert right.difference is None
    assert right.run is not None
    assert len(right.run.spikes) > 50
    assert wrong.difference is not None
    who, b = right.run.spikes.neuron, right.run.layers["b"].id0
    k = int(np.flatnonzero((who >= b) & (who < b + 3))[0])
    assert wrong.difference.startswith(f"packet {k}: presentation 0, tick 4, spike of b[0], payload 1 against ")
    least = shrunk(drawn, lambda tried: compared(tried, later).difference is not None)
    assert [p.label for p in least.network.projections] == ["p", "q"]
    assert [p.name for p in least.network.populations] == ["in", "a", "b"]
    assert (len(least.network.probes), least.how["seed"], least.inputs["in"].shape[1]) == (0, 0, 1)
    assert compared(least, later).difference is not None
    path = tmp_path / "least.py"
    path.write_text(script(least))
    done = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("None\n", "")  # the kernel as it is


def test_the_tool_says_what_it_did() -> None:
    tool = [sys.executable, ROOT / "tools" / "fuzz_kernels.py", "--seed", "1", "--n", "2"]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 networks from seed 1 on, 0 given up, ")
    assert done.stdout.endswith(" packets: all alike\n")
