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

from neuroemu.learning.golden import bats, sfdfa
from neuroemu.learning.golden.closed_form import FloatNeuron, SpikeTimes, ttfs

N_TRAIN, WINDOW, HORIZON, TAU = 1347, 0.1, 0.2, 0.26
"""Training samples; seconds."""
TARGETS = np.where(np.eye(10) > 0, 15.0, 3.0)
"""Wanted spikes of every output, one row per label."""
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


def load(path: Path) -> tuple[list[SpikeTimes], np.ndarray]:
    """Samples as input spikes, and labels, in the file's order."""
    if not path.exists():
        sys.exit(f"{path}: no such file; give the digits with --data")
    with np.load(path) as data:
        order = data["order"]
        images = data["images"].reshape(len(order), -1)[order] / 16.0
        return [ttfs(image, WINDOW) for image in images], data["labels"][order]


def epoch(
    learner: sfdfa.Learner,
    rule: sfdfa.Rule,
    neurons: list[FloatNeuron],
    samples: list[SpikeTimes],
    labels: np.ndarray,
    rng: np.random.Generator,
) -> tuple[sfdfa.Learner, str]:
    """Learn every training sample once, in a random order; what happened, as text.

    The cosine is between the hidden weights' move and BATS's descent, a mean over every hundredth sample.
    """
    right, spikes, cosines = 0, np.zeros(2), []
    for number, i in enumerate(rng.permutation(N_TRAIN)):
        target, noise = TARGETS[labels[i]], sfdfa.perturb(learner, rng)
        activities = sfdfa.observe(learner, rule, neurons, samples[i], HORIZON, noise)
        if number % 100 == 0:
            true, _ = bats.gradient(learner.weights, neurons, samples[i], HORIZON, target)
            move = sfdfa.directions(rule, activities, sfdfa.errors(learner, rule, activities, target)[1])[0]
            if length := np.linalg.norm(move) * np.linalg.norm(true[0]):
                cosines.append(-(move * true[0]).sum() / length)
        right += int(np.argmax(activities[-1].counts) == labels[i])
        spikes += [activity.counts.sum() for activity in activities]
        learner = sfdfa.update(learner, rule, activities, noise, target)
    hidden, output = spikes / N_TRAIN
    angle = sfdfa.angle(learner.feedback[0], learner.weights[1])
    return learner, (
        f"train {right / N_TRAIN:7.2%}  hidden {hidden:5.1f}  output {output:5.1f}  angle {angle:5.1f} deg  "
        f"cosine {np.mean(cosines):5.2f}"
    )


def main() -> None:
    given = options()
    samples, labels = load(given.data)
    neurons = [FloatNeuron(TAU, threshold) for threshold in given.thresholds]
    rule = sfdfa.Rule(learns_feedback=given.rule == "sfdfa", exact=given.exact)
    rng = np.random.default_rng(given.seed)
    learner = sfdfa.start((64, given.hidden, 10), rule, rng)
    print(f"{given.rule}, 64-{given.hidden}-10, seed {given.seed}: accuracy, spikes a sample, angle of the feedback")
    for number in range(given.epochs):
        begun = time.perf_counter()
        learner, text = epoch(learner, rule, neurons, samples, labels, rng)
        tested = [sfdfa.counts(learner.weights, neurons, sample, HORIZON) for sample in samples[N_TRAIN:]]
        accuracy = np.mean(np.argmax(tested, 1) == labels[N_TRAIN:])
        print(f"epoch {number + 1}: test {accuracy:7.2%}  {text}  {time.perf_counter() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
