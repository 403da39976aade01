"""Train the float golden model of SFDFA or DFA on 8x8 digits, one sample at a time: accuracy, spikes and feedback angle by epoch.

The network is 64-HIDDEN-10, pixels coded as the time of one spike in 100 ms, 200 ms per sample, tau 260 ms, targets 15 and 3 spikes.
DATA is an .npz of images (n, 8, 8) in 0..16, labels (n,) and order (n,): the first 1347 of the order train, the rest test.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

N_TRAIN, WINDOW, HORIZON, TAU, TRUE, FALSE = 1347, 0.1, 0.2, 0.26, 15.0, 3.0
DATA = Path(__file__).parent.parent / "neuroemu" / "data" / "digits.npz"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rule", choices=("sfdfa", "dfa"), default="sfdfa")
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--exact", action="store_true", help="the exact local gradient instead of the modified one")
    parser.add_argument("--thresholds", type=float, nargs=2, default=(0.4, 0.5), metavar=("HIDDEN", "OUTPUT"))
    return parser.parse_args()


def main() -> None:
    given = options()
    from neuroemu.golden import bats, sfdfa
    from neuroemu.golden.closed_form import Neuron, ttfs

    if not given.data.exists():
        sys.exit(f"{given.data}: no such file; give the digits with --data")
    with np.load(given.data) as data:
        order, labels = data["order"], data["labels"][data["order"]]
        samples = [ttfs(x, WINDOW) for x in data["images"].reshape(len(order), -1)[order] / 16.0]
    neurons = [Neuron(TAU, threshold) for threshold in given.thresholds]
    rule = sfdfa.Rule(learns_feedback=given.rule == "sfdfa", exact=given.exact)
    rng = np.random.default_rng(given.seed)
    learner = sfdfa.start((64, given.hidden, 10), rule, rng)
    targets = np.where(np.eye(10) > 0, TRUE, FALSE)
    print(
        f"{given.rule}, 64-{given.hidden}-10, seed {given.seed}: train and test %, spikes a sample, angle and cosine to BATS"
    )
    for epoch in range(given.epochs):
        begun, right, spikes, cosines = time.perf_counter(), 0, np.zeros(2), []
        for number, i in enumerate(rng.permutation(N_TRAIN)):
            noise = sfdfa.perturb(learner, rng)
            activities = sfdfa.observe(learner, rule, neurons, samples[i], HORIZON, noise)
            if number % 100 == 0:
                true, _ = bats.gradient(learner.weights, neurons, samples[i], HORIZON, targets[labels[i]])
                after, deltas = sfdfa.errors(learner, rule, activities, targets[labels[i]])
                move = sfdfa.directions(rule, activities, deltas)[0]
                cosines.append(-(move * true[0]).sum() / (np.linalg.norm(move) * np.linalg.norm(true[0]) + 1e-30))
            right += int(np.argmax(activities[-1].counts)) == labels[i]
            spikes += [activity.counts.sum() for activity in activities]
            learner = sfdfa.update(learner, rule, activities, noise, targets[labels[i]])
        tested = [sfdfa.counts(learner.weights, neurons, sample, HORIZON) for sample in samples[N_TRAIN:]]
        accuracy = np.mean(np.argmax(tested, 1) == labels[N_TRAIN:])
        print(
            f"epoch {epoch + 1}: train {right / N_TRAIN:7.2%}  test {accuracy:7.2%}  hidden {spikes[0] / N_TRAIN:5.1f}  "
            f"output {spikes[1] / N_TRAIN:5.1f}  angle {sfdfa.angle(learner.feedback[0], learner.weights[1]):5.1f} deg  "
            f"cosine {np.mean(cosines):5.2f}  {time.perf_counter() - begun:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
