"""Compile the kernels of a training before it is needed, by training on a few samples and throwing the result away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from neuroemu.base.errors import NeuroemuError
from neuroemu.engines.job import Progress, silent
from neuroemu.learning.dataset import load_dataset
from neuroemu.learning.training_plan import How, Plan, WatchTable, Write, follow, load_plan, plan_of

FEW = 64
"""Samples that are trained on: their number is not in a kernel."""
HIDDEN = 100
"""Hidden neurons of the example in docs/training.md."""
TICKS = 16
"""Of a sample, for rules that do not say: no kernel holds it."""


@dataclass(frozen=True)
class Warmed:
    """Whose kernels are there now, for which network and chip, and the seconds it took; about one if they were there before."""

    name: str
    network: str
    chip: str
    seconds: float


def warm(name: str, *, data: str = "digits", chip: str = "atlas", progress: Progress = silent) -> Warmed:
    """Compile what a training by a plan (the path of a TOML file) or a shipped rule (its name) runs: learning, and learning off.

    A kernel is for one network. For a rule alone that is the first of these the rule takes, on the given data and chip: the data's
    values, 100 hidden neurons and a neuron a class, as in docs/training.md; without the hidden layer; 100 outputs.

    Raises what a training raises.
    """
    begun = time.perf_counter()
    if name.endswith(".toml"):
        return _warmed(name, load_plan(name), begun, progress)
    plans = list(_plans(name, data, chip))
    for plan in plans[:-1]:
        try:
            return _warmed(name, plan, begun, progress)
        except NeuroemuError:
            continue
    return _warmed(name, plans[-1], begun, progress)


def _plans(rule: str, data: str, chip: str) -> Iterator[Plan]:
    n_classes = load_dataset(data)[0].n_classes
    for layers in ([HIDDEN, n_classes], [n_classes], [HIDDEN]):
        for ticks in (None, TICKS):
            raw = {"layers": layers, "chip": chip, "rule": {"name": rule}, "data": {"name": data, "ticks": ticks}}
            yield plan_of(raw, rule)


def _warmed(name: str, plan: Plan, begun: float, progress: Progress) -> Warmed:
    how = How(commit_every=plan.training.commit_every, readout=plan.training.readout, frozen=plan.training.frozen)
    few = msgspec.structs.replace(plan, training=how, watch=WatchTable(), write=Write())
    _, network = follow(few, progress, name, few=FEW)
    sizes = "-".join(str(int(np.prod(population.shape))) for population in network.populations)
    return Warmed(name, sizes, plan.chip, round(time.perf_counter() - begun, 3))
