"""Train 8x8 digits on chip `atlas` with SFDFA or DFA, first spikes in, accuracy by epoch out; --speed times 784-200-10 instead.

    PYTHONPATH=. python tools/train_sfdfa.py neuroemu/data/digits.npz --seeds 10

The file holds images (n, 8, 8) of 0..16, labels (n,) and order (n,), whose first 1347 entries are the training samples. Both
numbers of a run are said at its end: the last epoch's accuracy and the angle between feedback and output weights.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

import neuroemu as ne
from neuroemu.samples import Encode

TICKS, WINDOW, N_TRAIN = 100, 50, 1347


def encode(top: int) -> Encode:
    """Time to first spike: brightness x comes at row WINDOW * (top - x) // top, 0 never."""

    return lambda values, first: ne.encode.ttfs(values, TICKS, first, top=top, window=WINDOW, name="in")


def image(n_in: int, n_hidden: int, **options: object) -> ne.Image:
    """A network of one hidden layer and ten outputs, with the rule, on atlas."""
    plain = ne.Network(
        [
            ne.Population("in", n_in, ne.HostInput()),
            ne.Population("hidden", n_hidden, ne.IF()),
            ne.Population("out", 10, ne.IF()),
        ],
        [
            ne.Projection("in", "hidden", np.zeros((n_in, n_hidden)), "w1"),
            ne.Projection("hidden", "out", np.zeros((n_hidden, 10)), "w2"),
        ],
        outputs=["out"],
    )
    return ne.compile(ne.wire(plain, "sfdfa", **options), ne.load_chip("atlas"), align=False)


def digits(path: str, mode: str, seed: int, n_hidden: int, epochs: int) -> dict[str, object]:
    """One training."""
    with np.load(path) as data:
        order = data["order"]
        values, labels = data["images"].reshape(len(order), -1)[order], data["labels"].astype(np.int64)[order]
    built = image(64, n_hidden, mode=mode, seed=seed)
    done = ne.train(
        built, (values[:N_TRAIN], labels[:N_TRAIN]), encode=encode(16), output="out", readout=("out", "n"),
        epochs=epochs, test=(values[N_TRAIN:], labels[N_TRAIN:]), workers=1, seed=seed,
    )  # fmt: skip
    for epoch in done.history:
        print(
            f"{mode} seed {seed} epoch {epoch.epoch}: train {epoch.train_accuracy:.4f} test {epoch.test_accuracy:.4f}"
        )
    last = done.history[-1]
    angle = ne.angle(built, done.memory, feedback="feedback->hidden", forward="w2")
    return {"mode": mode, "seed": seed, "last": last.test_accuracy, "angle": angle}


def speed(n_hidden: int, n: int) -> dict[str, object]:
    """Samples per second of ne.train on random images, half of whose 784 pixels are dark; seconds of this thread's own time too."""
    rng = np.random.default_rng(0)
    values, labels = rng.integers(1, 256, (n, 784)) * (rng.random((n, 784)) < 0.5), rng.integers(0, 10, n)
    built = image(784, n_hidden, threshold=0.769, output_threshold=1.5, output_rate=9)
    how = {"encode": encode(255), "output": "out", "readout": ("out", "n"), "workers": 1}
    ne.train(built, (values[:8], labels[:8]), **how)
    wall, own = time.perf_counter(), time.thread_time()
    ne.train(built, (values, labels), **how)
    wall, own = time.perf_counter() - wall, time.thread_time() - own
    return {"samples_per_s": round(n / wall), "samples_per_cpu_s": round(n / own)}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="digits.npz")
    parser.add_argument("--mode", choices=["sfdfa", "dfa", "both"], default="both")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--speed", action="store_true", help="time 784-200-10 on random images; needs no data")
    options = parser.parse_args()
    if options.speed:
        print(json.dumps(speed(200, 2048)))
        return
    if options.data is None:
        parser.error("give the path of digits.npz, or --speed")
    modes = ["sfdfa", "dfa"] if options.mode == "both" else [options.mode]
    for mode in modes:
        for seed in range(options.seeds):
            print(json.dumps(digits(options.data, mode, seed, options.hidden, options.epochs)), flush=True)


if __name__ == "__main__":
    main()
