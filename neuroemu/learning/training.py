"""What a training is and gives: where it is, what every epoch came to, and the trained image."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from neuroemu.base.arrays import Ints
from neuroemu.base.files import write_whole
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory


@dataclass(frozen=True)
class Epoch:
    """One epoch: accuracies in 0..1 (test: None without test data), spikes and joules a presentation, seconds without compiling and tests.

    ``train_accuracy`` is counted while learning; with read-out ``vote`` after the epoch, on the samples that labelled the neurons.
    """

    epoch: int
    train_accuracy: float
    test_accuracy: float | None
    spikes: float
    energy_fj: int
    """Priced energy of a presentation, learning included, rounded down."""
    learning_fj: int
    """What of it is for learning, as in Report.by_part."""
    wall_s: float


@dataclass(frozen=True, eq=False)
class Training:
    """A trained image, what the chip remembers, and one Epoch for every epoch.

    The image has the parameters of the last epoch, and nothing in it is frozen by this training.
    """

    image: Image
    memory: Memory
    history: tuple[Epoch, ...]
    neuron_labels: Ints | None = None
    """With read-out ``vote``: the label of every output neuron, shape (neurons,), vote.NO_LABEL for none."""
    stopped_early: bool = False
    """Whether patience ended it. The image is that of the last epoch, not of the best."""

    def save_history(self, path: str | os.PathLike[str]) -> None:
        """Write the history as JSON or, by the name's end, CSV. An earlier file is replaced. Raises FileError."""
        rows = [asdict(epoch) for epoch in self.history]
        if Path(path).suffix == ".csv":
            lines = [",".join(Epoch.__dataclass_fields__)] + [
                ",".join("" if v is None else str(v) for v in row.values()) for row in rows
            ]
            write_whole(Path(path), ("\n".join(lines) + "\n").encode())
        else:
            write_whole(Path(path), (json.dumps(rows, indent=1) + "\n").encode())


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Where a training is. It is replaced, never changed: an interrupt finds the one before or the one after."""

    memory: Memory = field(default_factory=Memory)
    epoch: int = 0
    position: int = 0
    """Presentations of the epoch that are done and committed."""
    right: int = 0
    counts: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """Of the epoch so far."""
    wall_s: float = 0.0
    history: tuple[Epoch, ...] = ()


def patience_is_over(history: Sequence[Epoch], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs had no test accuracy above the best before them."""
    if patience is None or len(history) <= patience:
        return False
    accuracies = [epoch.test_accuracy or 0.0 for epoch in history]
    return max(accuracies[-patience:]) <= max(accuracies[:-patience])
