"""Angle of the feedback, and cosine of the updates with back-propagation, by epoch, for SFDFA and DFA on chip `atlas` and the digits.

    PYTHONPATH=. python tools/alignment.py --epochs 6

The angle is between the feedback weights and the transposed weights of the output layer; 90 degrees is random. The cosines are
between what a presentation changes and BATS's gradient of the count loss of the same network in float, over --samples samples.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

import neuroemu as ne
from neuroemu.learning import alignment
from neuroemu.learning.golden import bats
from neuroemu.learning.golden.closed_form import FloatNeuron

TICKS, WINDOW, K, THRESHOLDS = 100, 50, 7, (0.4, 0.5)


def image(n_hidden: int, **options: object) -> ne.Image:
    """64 pixels, a hidden layer, ten outputs."""
    sizes = {"in": 64, "hidden": n_hidden, "out": 10}
    populations = [ne.Population(name, n, ne.HostInput() if name == "in" else ne.IF()) for name, n in sizes.items()]
    w1 = ne.Projection("in", "hidden", np.zeros((64, n_hidden)), "w1")
    w2 = ne.Projection("hidden", "out", np.zeros((n_hidden, 10)), "w2")
    network = ne.wire(ne.Network(populations, [w1, w2], outputs=["out"]), "sfdfa", ticks=TICKS, k=K, **options)
    return ne.compile(network, ne.load_chip("atlas"), align=False)


def cosines(built: ne.Image, memory: ne.Memory, stimulus: ne.Stimulus, labels: np.ndarray) -> dict[str, float]:
    """Mean cosine of each layer's update with the gradient's descent."""
    weights = [alignment.matrix(built, w, alignment.weights_of(built, w, memory)) / 4096 for w in ("w1", "w2")]
    neurons = [FloatNeuron(2.0**K, threshold) for threshold in THRESHOLDS]
    wanted = np.where(np.eye(10) > 0, 15.0, 3.0)[labels]
    found = [
        bats.gradient(weights, neurons, alignment.input_spikes(stimulus, "in", k), TICKS, wanted[k])[0]
        for k in range(stimulus.n)
    ]
    true = {name: np.stack([gradient[k] for gradient in found]) for k, name in enumerate(("w1", "w2"))}
    return alignment.gradient_cosines(built, alignment.labelled(stimulus, "out", labels, 10), true, memory)


def main() -> None:
    """Print a line by mode and epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--hidden", type=int, default=30)
    parser.add_argument("--samples", type=int, default=64, help="of the test set, for the cosines (default: 64)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train, test = ne.load_dataset("digits")
    values, labels = train.inputs.reshape(len(train), -1), train.labels
    encode = partial(ne.encode.ttfs, ticks=TICKS, window=WINDOW, top=train.top, name="in")
    shown = encode(test.inputs[: options.samples].reshape(options.samples, -1), first=0)
    for mode in ("sfdfa", "dfa"):
        built, memory = image(options.hidden, mode=mode, seed=options.seed), ne.Memory()
        for epoch in range(options.epochs):
            done = ne.train(
                built, (values, labels), encode=lambda x, first: encode(x, first=first), output="out", readout=("out", "n"),
                start=memory, seed=options.seed + epoch, workers=1,
            )  # fmt: skip
            memory = done.memory
            angle = ne.angle(built, memory, feedback="feedback->hidden", forward="w2")
            with_true = cosines(built, memory, shown, test.labels[: options.samples])
            accuracy = done.history[0].train_accuracy
            print(
                f"{mode:5} epoch {epoch + 1}: train {accuracy:.3f}, angle {angle:5.1f} degrees, "
                + ", ".join(f"cosine {name} {value:+.2f}" for name, value in with_true.items()),
                flush=True,
            )


if __name__ == "__main__":
    main()
