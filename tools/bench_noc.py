"""A chip's tick with its network-on-chip: the SimPy engine and the compiled twin against SANA-FE in the same run.

Workload W4: 4000 current-based LIF neurons, 80 % excitatory, 80 synapses each, on 128 cores of a Loihi-like mesh. SANA-FE is
put into an environment of its own and run as a separate process (it is GPL) on the same network; its neurons are floats with
two ticks of refractoriness, so it spikes a little less. Without SANA-FE the benchmark says so and prints our numbers alone.
Every process reports its own peak memory. Compile time of the kernels is apart.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import neuroemu as ne
from neuroemu.chip.chip import parse_chip

HERE = Path(__file__).parent
PEERS = HERE.parent / ".benchmarks" / "sanafe"
SANAFE = "sanafe==2.2.9"
NEURONS, FAN_OUT, CORES, THRESHOLD = 4000, 80, 128, 16384
NARROW = 'names = ["lif", "cuba_lif", "if", "li", "cuba_li"]\nswitches = { subtract = 0, late = 0, inclusive = 0 }'


def network(seed: int) -> dict[str, np.ndarray]:
    """The workload's arrays, as peer_sanafe.py takes them."""
    rng = np.random.default_rng(seed)
    post = np.stack([np.sort(rng.choice(NEURONS, FAN_OUT, replace=False)) for _ in range(NEURONS)])
    weight = np.rint(rng.uniform(0.5, 1.5, post.shape) * 4096 / FAN_OUT)
    weight[NEURONS * 4 // 5 :] *= -5
    return {
        "pre": np.repeat(np.arange(NEURONS), FAN_OUT),
        "post": post.ravel(),
        "weight": weight.ravel(),
        "bias": np.rint(THRESHOLD / 16 * rng.uniform(0.9, 1.2, NEURONS)),
        "core": np.arange(NEURONS) * CORES // NEURONS,
        "threshold": np.array(THRESHOLD),
        "leak": np.array(15 / 16),
        "input": np.array(3 / 4),
        "refractory": np.array(2),
    }


def image(arrays: dict[str, np.ndarray]) -> ne.Image:
    """The same network on loihi1_fit's costs, with registers wide enough for the workload's integers."""
    text = (
        ne.load_chip("loihi1_fit")
        .text.replace(NARROW, "any = true")
        .replace("weight = { bits = 9", "weight = { bits = 12")
    )
    chip = parse_chip(text.replace("weight_shift  = { value = 6", "weight_shift  = { value = 0"), "w4.toml")
    params = {"decay_u": 1024, "decay_v": 256, "threshold": THRESHOLD, "bias": arrays["bias"].astype(int)}
    net = ne.Network(
        [ne.Population("host", 1, ne.HostInput()),
         ne.Population("pop", NEURONS, ne.Firmware("cuba_lif", params, {"inclusive": 1}))],
        [ne.Projection("pop", "pop", ne.Sparse(arrays["pre"], arrays["post"], arrays["weight"]))],
        outputs=["pop"],
    )  # fmt: skip
    placement = {"pop": [(core, int(n)) for core, n in enumerate(np.bincount(arrays["core"]))]}
    return ne.compile(net, chip, placement=placement, align=False)


def ours(path: str, ticks: int, how: str) -> dict[str, float]:
    """One run in this process: ``event``, or the twin over what engine cpu recorded."""
    compiled = image(dict(np.load(path)))
    inputs = np.zeros((ticks, 1), int)
    options = {"engine": "event"} if how == "event" else {"engine": "cpu", "timing": "twin"}
    if how == "twin":  # the kernels' compile time is apart
        ne.run(compiled, inputs[:2], **options)
    start = time.perf_counter()
    run = ne.run(compiled, inputs, **options)
    wall = time.perf_counter() - start
    return {
        "wall_s": wall,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "spikes": len(run.spikes),
        "packets": run.counts["packet"],
        "hops": run.counts["hop_x"] + run.counts["hop_y"],
        "time_s": (run.time_ps or 0) / 1e12,
    }


def process(*command: str) -> dict[str, float] | None:
    """The last line of a process as JSON; None if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else None


def peer() -> str | None:
    """Python of the environment with SANA-FE; None if it cannot be had."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(PEERS)], capture_output=True).returncode == 0
        pip = [str(python), "-m", "pip", "install", "--quiet", SANAFE, "numpy"]
        if not made or subprocess.run(pip, capture_output=True).returncode:
            return None
    return str(python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "HOW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(ours(arguments.one[0], arguments.ticks, arguments.one[1])))
        return
    python = peer()
    if python is None:
        print(f"{SANAFE} cannot be installed here: our numbers alone")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/w4.npz"
        np.savez(path, **network(arguments.seed))
        compare(path, arguments.ticks, arguments.runs, python)


def compare(path: str, ticks: int, runs: int, python: str | None) -> None:
    """Run everything in turn, so that all see the same machine, and print medians and ratios."""
    mine = [sys.executable, __file__, "--ticks", str(ticks), "--one", path]
    commands = {"event": [*mine, "event"], "twin": [*mine, "twin"]}
    if python:
        commands = {"sanafe": [python, str(HERE / "peer_sanafe.py"), path, str(ticks), "detailed"]} | commands
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found = process(*command)
            if found is None:
                sys.exit(f"{name}: failed; run it alone to see why: {' '.join(command)}")
            seen[name].append(found)
    print(f"{ticks} ticks, median of {runs}; ratio is SANA-FE's time over ours, run for run")
    for name, found in seen.items():
        wall, last, rss = statistics.median(f["wall_s"] for f in found), found[-1], max(f["rss_mb"] for f in found)
        ratio = ""
        if python and name != "sanafe":
            times = [a["wall_s"] / b["wall_s"] for a, b in zip(seen["sanafe"], found, strict=True)]
            ratio = f"  ratio {statistics.median(times):.3g} ({min(times):.3g}..{max(times):.3g})"
        print(
            f"{name:7} {wall:8.2f} s ({wall / ticks * 1000:7.2f} s per 1000 ticks)  {rss:6.0f} MB  {last['spikes']:.0f} spikes, "
            f"{last['hops']:.0f} hops, {last['time_s'] / ticks * 1e6:.2f} us a tick on the chip{ratio}"
        )


if __name__ == "__main__":
    main()
