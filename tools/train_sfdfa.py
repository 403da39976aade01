"""Train with SFDFA or DFA on chip `atlas`, first spikes in, accuracy by epoch out; --speed times 784-200-10 instead.

    PYTHONPATH=. python tools/train_sfdfa.py --seeds 0 1 2

At a run's end it says the last epoch's accuracy and the angle between feedback and output weights.
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
from neuroemu.learning.samples import Encode

TICKS, WINDOW = 100, 50


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


def schedule(built: ne.Image, rates: dict[str, list[int]]) -> dict[str, dict[int, int]]:
    """Changes of a projection's rate by epoch: what it is in the image goes with ``rates``, whose first the image is made with."""
    made = {projection.name: projection.params["rate"] for projection in built.projections if projection.name in rates}
    return {
        f"{name}.rate": {
            epoch: made[name] + rate - values[0]
            for epoch, (before, rate) in enumerate(pairwise(values), 1)
            if rate != before
        }
        for name, values in rates.items()
    }


def train(options: argparse.Namespace, mode: str, seed: int) -> dict[str, object]:
    """One training: its result as a row."""
    learn, test = ne.load_dataset(options.data)
    learn = learn.take(np.arange(min(options.train or len(learn), len(learn))))
    values, unseen = (part.inputs.reshape(len(part), -1) for part in (learn, test))
    names = ("threshold", "output_threshold", "feedback_rate", "beta")
    how = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    how |= {"rate": options.rate[0], "output_rate": options.output_rate[0]}
    built = image(values.shape[1], options.hidden, mode=mode, seed=seed, **how)
    done = ne.train(
        built, (values, learn.labels), encode=encode(learn.top), output="out", readout=("out", "n"), epochs=options.epochs,
        test=(unseen, test.labels), schedule=schedule(built, {"w1": options.rate, "w2": options.output_rate}), workers=1, seed=seed,
        checkpoint=options.checkpoint,
    )  # fmt: skip
    last = done.history[-1]
    return {
        "mode": mode,
        "seed": seed,
        "accuracy": last.test_accuracy,
        "train": round(last.train_accuracy, 4),
        "angle": round(ne.angle(built, done.memory, feedback="feedback->hidden", forward="w2"), 2),
        "spikes": round(last.spikes, 1),
        "wall_s": round(sum(epoch.wall_s for epoch in done.history), 1),
        "image": built.digest,
        "memory": done.memory.digest,
        "by_epoch": [epoch.test_accuracy for epoch in done.history],
    }


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


def said(row: dict[str, object]) -> str:
    """A row as a line: digests by their beginning, no lists."""
    short = {key: value[:12] if isinstance(value, str) else value for key, value in row.items()}
    words = (
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in short.items()
        if not isinstance(value, list)
    )
    return ", ".join(words)


def arguments() -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", default="digits", help="digits, fashion-mnist, mnist, or a path [digits]")
    parser.add_argument("--train", type=int, metavar="N", help="only the first N training samples [all]")
    parser.add_argument("--mode", choices=["sfdfa", "dfa", "both"], default="both", help="[both]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="[0 1 2]")
    parser.add_argument("--epochs", type=int, default=12, help="[12]")
    parser.add_argument("--hidden", type=int, default=100, help="[100]")
    parser.add_argument("--threshold", type=float, help="of hidden neurons [the rule's]")
    parser.add_argument("--output-threshold", type=float, help="[the rule's]")
    parser.add_argument(
        "--rate", type=int, nargs="+", default=[8], help="hidden weights move 2^-RATE; one, or one an epoch [8]"
    )
    parser.add_argument(
        "--output-rate",
        type=int,
        nargs="+",
        default=[10],
        help="output weights move 2^-RATE; one, or one an epoch [10]",
    )
    parser.add_argument("--feedback-rate", type=int, help="feedback follows the mean of 2^RATE samples [the rule's]")
    parser.add_argument("--beta", type=int, help="pull towards the wanted spikes of hidden neurons [the rule's]")
    parser.add_argument("--checkpoint", type=Path, help="with one mode and seed: where to keep it, and to go on from")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--speed", action="store_true", help="time 784-200-10 on random images; needs no data")
    options = parser.parse_args()
    if options.checkpoint and (len(options.seeds) > 1 or options.mode == "both"):
        parser.error("--checkpoint is of one training; give one mode and one seed")
    for name, rates in (("--rate", options.rate), ("--output-rate", options.output_rate)):
        if len(rates) not in (1, options.epochs):
            parser.error(f"{name} is given {len(rates)} times for {options.epochs} epochs; give one, or one an epoch")
    return options


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    if options.speed:
        print(json.dumps(speed(200, 2048)))
        return
    rows, out = [], sys.stderr if options.json else sys.stdout
    for mode in ["sfdfa", "dfa"] if options.mode == "both" else [options.mode]:
        for seed in options.seeds:
            rows.append(train(options, mode, seed))
            print(said(rows[-1]), file=out, flush=True)
        mean = statistics.mean(row["accuracy"] for row in rows[-len(options.seeds) :])
        print(f"{mode}: mean accuracy {mean:.4f}", file=out, flush=True)
    if options.json:
        print(json.dumps({"runs": rows}, indent=1))


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, ne.NeuroemuError) as error:
        sys.exit(f"train_sfdfa: {error or 'interrupted'}")
