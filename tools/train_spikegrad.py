"""Train SpikeGrad on the chip `atlas` with the shipped 8x8 digits, online: accuracy by epoch and seed, samples per second.

The file of digits holds `images` (n, 8, 8) 0..16, `labels` (n,) and `order` (n,), whose first 1347 entries are for training.
Pixels are sent as graded packets. The kernel is compiled before the clock starts; evaluation is not part of samples/s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import neuroemu as ne

SHIPPED = Path(ne.__file__).parent / "data" / "digits.npz"
N_TRAIN = 1347


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


def train(options: argparse.Namespace, seed: int) -> dict[str, object]:
    """One training: its result as a row."""
    with np.load(options.data) as file:
        images, labels, order = (file[name].astype(np.int64) for name in ("images", "labels", "order"))
    images = images.reshape(len(images), -1)
    learn, test = order[:N_TRAIN], order[N_TRAIN:]
    how = {"f": options.f, "k": options.k, "alpha": options.alpha, "momentum": options.momentum, "seed": seed}
    image = ne.compile(network(images.shape[1], options.hidden, 10, **how), ne.load_chip("atlas"), align=False)
    common = {"encode": encode, "output": "out", "readout": ("out", "v"), "engine": options.engine, "seed": seed}
    ne.train(image, (images[learn[:2]], labels[learn[:2]]), **common)  # compiles the kernel
    begun = time.perf_counter()
    done = ne.train(
        image, (images[learn], labels[learn]), epochs=options.epochs, test=(images[test], labels[test]), commit_every=options.commit_every,
        checkpoint=options.checkpoint, **common,
    )  # fmt: skip
    last = done.history[-1]
    return {
        "seed": seed,
        "test": last.test_accuracy,
        "best": max(epoch.test_accuracy or 0.0 for epoch in done.history),
        "train": last.train_accuracy,
        "samples_per_s": round(len(learn) * len(done.history) / sum(epoch.wall_s for epoch in done.history)),
        "wall_s": round(time.perf_counter() - begun, 1),
        "energy_nj": round(last.energy_fj / 1e6, 1),
        "learning_nj": round(last.learning_fj / 1e6, 1),
        "memory": done.memory.digest[:12],
        "by_epoch": [epoch.test_accuracy for epoch in done.history],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHIPPED, help="file of digits (default: the shipped one)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64])
    parser.add_argument("--f", type=int, default=12, help="thresholds are 2^f (default: 12)")
    parser.add_argument("--k", type=int, default=2, help="an update is S E / 2^k (default: 2)")
    parser.add_argument("--alpha", type=int, default=64, help="scale of the error (default: 64)")
    parser.add_argument("--momentum", type=int, default=0, metavar="M", help="mu = 1 - 2^-M (default: none)")
    parser.add_argument("--commit-every", type=int, default=1)
    parser.add_argument("--engine", default="cpu")
    parser.add_argument("--checkpoint", type=Path, help="with one seed: where to keep it, and to go on from")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    options = parser.parse_args()
    if options.checkpoint and len(options.seeds) > 1:
        parser.error("--checkpoint is of one training; give one seed")
    if not options.data.is_file():
        parser.error(f"{options.data}: no such file; give the digits with --data")
    rows = []
    for seed in options.seeds:
        rows.append(train(options, seed))
        print(", ".join(f"{key} {value}" for key, value in rows[-1].items() if key != "by_epoch"), flush=True)
    print(f"mean test accuracy {100 * statistics.mean(row['test'] for row in rows):.2f} % over {len(rows)} seeds")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
