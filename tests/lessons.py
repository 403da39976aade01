"""A small task and a network that learns it in a second on engine python, for tests of training; run as a script, a training to kill."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
from cases import firmware

import neuroemu as ne

TEACH = firmware("teach")
N_IN, CLASSES = 16, 4
READOUT = ("out", "v")
"""What a lesson's answer is read from."""
FEW = 8
"""Presentations run at a time by the training to kill: many moments to kill it at."""


def task(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy copies of one random pattern a class, values 0 and 1."""
    patterns = np.random.default_rng(5).random((CLASSES, N_IN)) < 0.5
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    return (patterns[labels] ^ (rng.random((n, N_IN)) < 0.1)).astype(np.int64), labels


def dataset(n: int, seed: int) -> ne.Dataset:
    """The task as a Dataset."""
    return ne.Dataset(*task(n, seed), "patterns", CLASSES)


def encode(values: np.ndarray, first: int) -> ne.Stimulus:
    """Every one a packet in the first tick."""
    del first
    rows = np.zeros((2, len(values), N_IN), np.int64)
    rows[0] = values
    return ne.stimulus(rows, {"in": N_IN})


def image(**options: Any) -> ne.Image:
    """A linear read-out that learns by the delta rule."""
    plain = ne.Network(
        [ne.Population("in", N_IN, ne.HostInput()), ne.Population("out", CLASSES, ne.Firmware("li", {"decay_v": 0}))],
        [ne.Projection("in", "out", np.zeros((N_IN, CLASSES)), "p")],
        outputs=["out"],
    )
    return ne.compile(ne.wire(plain, TEACH, **options), ne.load_chip("atlas"))


def train(n: int = 300, **how: Any) -> ne.Training:
    """Two epochs on engine python, unless ``how`` says otherwise."""
    given = {"image": image(), "encode": encode, "engine": "python", "epochs": 2} | how
    return ne.train(given.pop("image"), task(n, 1), **given)


def main() -> None:
    """A training that keeps a checkpoint after every few presentations, in sys.argv[1]; it says how far it is, and waits for a line."""
    importlib.import_module("neuroemu.learning.train").AT_ONCE = FEW  # type: ignore[attr-defined]

    def tell(stage: str, done: int, total: int) -> None:
        print(stage, done, total, flush=True)
        sys.stdin.readline()

    done = train(200, commit_every=2, checkpoint=sys.argv[1], every_s=0, progress=tell)
    print(done.memory.digest, flush=True)


if __name__ == "__main__":
    main()
