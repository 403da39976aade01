"""Train SpikeGrad on the chip `atlas`, online: accuracy by epoch and seed, samples per second.

Pixels are sent as graded packets. The kernel is compiled before the clock starts; evaluation is not part of samples/s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import neuroemu as ne


def network(n_in: int, hidden: list[int], n_out: int, **options: int) -> ne.Network:
    """The chain of layers, wired."""
    sizes = {"in": n_in, **{f"h{n}": size for n, size in enumerate(hidden, 1)}, "out": n_out}
    any_neuron = ne.Firmware("spikegrad.hidden")
    populations = [ne.Population(name, n, any_neuron if name != "in" else ne.HostInput()) for name, n in sizes.items()]
    chain = [ne.Projection(a.name, b.name, np.zeros((a.n, b.n))) for a, b in pairwise(populations)]
    return ne.wire(ne.Network(populations, chain, outputs=["out"]), "spikegrad", **options)


def encode(values: np.ndarray, first: int) -> ne.Stimulus:
    """Pixels as payloads of the first tick."""
    return ne.stimulus({"in": values[None]}, {"in": values.shape[1]}, first=first)


def graded(values: np.ndarray, top: int, levels: int | None) -> np.ndarray:
    """Pixels 0..top as payloads 0..levels-1, or as they are."""
    return values.astype(np.int64) if levels is None else values.astype(np.int64) * levels // (top + 1)


def schedule(image: ne.Image, ks: list[int]) -> dict[str, dict[int, int]]:
    """Changes of k by epoch, wherever the rule has one: what it is in the image goes with ``ks``, whose first the image is made with."""
    owners = [owner for owner in (*image.populations, *image.projections) if "k" in owner.params]
    changes = {epoch: k - ks[0] for epoch, (before, k) in enumerate(pairwise(ks), 1) if k != before}
    return {f"{owner.name}.k": {epoch: owner.params["k"] + by for epoch, by in changes.items()} for owner in owners}


def train(options: argparse.Namespace, seed: int) -> dict[str, object]:
    """One training: its result as a row."""
    learn, test = ne.load_dataset(options.data)
    images, unseen = (graded(part.inputs.reshape(len(part), -1), part.top, options.levels) for part in (learn, test))
    how = {"f": options.f, "k": options.k[0], "alpha": options.alpha, "momentum": options.momentum, "seed": seed}
    image = ne.compile(network(images.shape[1], options.hidden, 10, **how), ne.load_chip("atlas"), align=False)
    common = {"encode": encode, "output": "out", "readout": ("out", "v"), "engine": options.engine, "seed": seed}
    ne.train(image, (images[:2], learn.labels[:2]), **common)  # compiles the kernel
    begun = time.perf_counter()
    done = ne.train(
        image, (images, learn.labels), epochs=options.epochs, test=(unseen, test.labels), commit_every=options.commit_every,
        schedule=schedule(image, options.k),
        checkpoint=options.checkpoint, **common,
    )  # fmt: skip
    last = done.history[-1]
    return {
        "seed": seed,
        "accuracy": last.test_accuracy,
        "best": max(epoch.test_accuracy or 0.0 for epoch in done.history),
        "train": round(last.train_accuracy, 4),
        "samples_per_s": round(len(learn) * len(done.history) / sum(epoch.wall_s for epoch in done.history)),
        "wall_s": round(time.perf_counter() - begun, 1),
        "energy_nj": round(last.energy_fj / 1e6, 1),
        "learning_nj": round(last.learning_fj / 1e6, 1),
        "image": image.digest,
        "memory": done.memory.digest,
        "by_epoch": [epoch.test_accuracy for epoch in done.history],
    }


def said(row: dict[str, object]) -> str:
    """A row as a line: digests by their beginning, no lists."""
    short = {key: value[:12] if isinstance(value, str) else value for key, value in row.items()}
    words = (
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in short.items()
        if not isinstance(value, list)
    )
    return ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, fashion-mnist, mnist, or a path (default: digits)")
    parser.add_argument("--levels", type=int, help="a pixel is 0..LEVELS-1 (default: as the data have it)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64])
    parser.add_argument("--f", type=int, default=12, help="thresholds are 2^f (default: 12)")
    parser.add_argument(
        "--k", type=int, nargs="+", default=[2], help="an update is S E / 2^k; one, or one an epoch (default: 2)"
    )
    parser.add_argument("--alpha", type=int, default=64, help="scale of the error (default: 64)")
    parser.add_argument("--momentum", type=int, default=0, metavar="M", help="mu = 1 - 2^-M (default: none)")
    parser.add_argument("--commit-every", type=int, default=1)
    parser.add_argument("--engine", default="cpu")
    parser.add_argument("--checkpoint", type=Path, help="with one seed: where to keep it, and to go on from")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.checkpoint and len(options.seeds) > 1:
        parser.error("--checkpoint is of one training; give one seed")
    if len(options.k) not in (1, options.epochs):
        parser.error(f"--k is given {len(options.k)} times for {options.epochs} epochs; give one, or one an epoch")
    rows, out = [], sys.stderr if options.json else sys.stdout
    for seed in options.seeds:
        rows.append(train(options, seed))
        print(said(rows[-1]), file=out, flush=True)
    mean = statistics.mean(row["accuracy"] for row in rows)
    print(f"mean accuracy {100 * mean:.2f} % over {len(rows)} seeds", file=out)
    if options.json:
        print(json.dumps({"runs": rows}, indent=1))


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, ne.NeuroemuError) as error:
        sys.exit(f"train_spikegrad: {error or 'interrupted'}")
