"""How a training goes: its length, its commits, on which engine it runs, when it stops."""

from __future__ import annotations

import os
from dataclasses import dataclass

from neuroemu.base.errors import RunError
from neuroemu.network.integers import integer


@dataclass(frozen=True)
class TrainingOptions:
    """What ``train`` is told beside image, data, encoder and read-out; see there. Raises RunError."""

    epochs: int = 1
    commit_every: int = 1
    lanes: int | None = None
    engine: str = "cpu"
    workers: int | None = None
    seed: int = 0
    patience: int | None = None
    every_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("epochs", "commit_every", "lanes", "seed", "patience"):
            value = getattr(self, name)
            if value is not None or name in ("epochs", "commit_every", "seed"):
                object.__setattr__(self, name, integer(value, name, RunError))
        if self.epochs < 1:
            raise RunError(f"epochs is {self.epochs}; train for at least 1")
        if self.lanes is not None and not 1 <= self.lanes <= self.commit_every:
            raise RunError(
                f"lanes is {self.lanes}, commit_every {self.commit_every}; what runs side by side is committed together, "
                f"use 1 to {self.commit_every}"
            )
        if self.patience is not None and self.patience < 1:
            raise RunError(f"patience is {self.patience}; wait for at least 1 epoch")

    @property
    def threads(self) -> int | None:
        """Threads of engine ``cpu``: no more than lanes."""
        return self.workers if self.lanes is None else min(self.workers or os.cpu_count() or 1, self.lanes)
