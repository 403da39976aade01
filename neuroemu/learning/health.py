"""Warnings of neurons and weights from which nothing is learned any more: dead, saturated, runaway. Thresholds are parameters.

dead        no spike in a whole window (an epoch, a test set), for at least ``dead`` of a population's neurons
saturated   at least ``saturated`` of a projection's weights at a limit: of the register's width, or a bound the rule itself
            keeps, which is where at least ``few`` weights share the least or largest value, that value not being 0
saturating  a register that had to be cut to its width at least ``cut`` times a presentation
runaway     a population with at least ``full`` spikes a neuron and tick, or with ``growth`` times the spikes of the window
            before and at least ``floor`` spikes a neuron and tick
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.image.image import Image, ImageProjection
from neuroemu.image.memory import Memory
from neuroemu.learning.alignment import weights_of


@dataclass(frozen=True)
class Thresholds:
    """When to warn; the module says of what. Shares are 0..1."""

    dead: float = 0.0
    """More than this share of a population."""
    saturated: float = 0.05
    few: int = 8
    cut: float = 0.01
    full: float = 0.8
    growth: float = 3.0
    floor: float = 0.02


@dataclass(frozen=True, eq=False)
class Window:
    """What some presentations did: their number and ticks; spikes a presentation of every neuron, (n,) by population; and how often
    a register was cut to its width, by ``owner.register``."""

    presentations: int
    ticks: int
    rates: Mapping[str, Any]
    saturations: Mapping[str, int]


@dataclass(frozen=True)
class Finding:
    """One warning: its kind (dead, saturated, saturating, runaway), the place, the value and its limit, and a sentence."""

    kind: str
    place: str
    value: float
    limit: float
    text: str

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def health(
    image: Image,
    memory: Memory | None,
    window: Window,
    before: Window | None = None,
    thresholds: Thresholds = Thresholds(),
) -> tuple[Finding, ...]:
    """Every warning of a window of presentations, and of the weights after it; ``before`` is the window before."""
    return (
        *_dead(window, thresholds),
        *_runaway(window, before, thresholds),
        *_saturated(image, memory, thresholds),
        *_saturating(window, thresholds),
    )


def _dead(window: Window, limit: Thresholds) -> Iterator[Finding]:
    for name, rate in window.rates.items():
        silent, n = int(np.sum(np.asarray(rate) == 0)), int(np.size(rate))
        if n and silent / n > limit.dead:
            yield Finding(
                "dead", name, silent / n, limit.dead,
                f"population '{name}': {silent} of {n} neurons sent no spike in {window.presentations} presentations (warned of above "
                f"{limit.dead:.0%}); lower their threshold, start with larger weights, or use fewer neurons",
            )  # fmt: skip


def _runaway(window: Window, before: Window | None, limit: Thresholds) -> Iterator[Finding]:
    for name, rates in window.rates.items():
        rate = float(np.mean(rates)) / window.ticks if np.size(rates) else 0.0
        earlier = (
            float(np.mean(before.rates[name])) / before.ticks if before is not None and name in before.rates else 0.0
        )
        if rate >= limit.full:
            text = f"population '{name}': {rate:.2f} spikes a neuron and tick (warned of from {limit.full:g}, 1 is the most)"
            value, bound = rate, limit.full
        elif earlier > 0 and rate >= limit.floor and rate / earlier >= limit.growth:
            value, bound = rate / earlier, limit.growth
            text = (
                f"population '{name}': {value:.1f} times the spikes of the window before, {rate:.3f} a neuron and tick (warned of from "
                f"{limit.growth:g} times)"
            )
        else:
            continue
        yield Finding("runaway", name, value, bound, f"{text}; lower the rate of learning, or raise the threshold")


def weight_limits(image: Image, projection: ImageProjection) -> tuple[int, int] | None:
    """Least and largest weight that the register of a projection that learns can hold; None without a rule that has weights."""
    program = image.program_of(projection)
    for register in program.registers.values() if program else ():
        if register.kind == "weight" and register.level == "synapse" and register.name in projection.widths:
            bits = projection.widths[register.name].bits
            return -(1 << bits - 1), (1 << bits - 1) - 1
    return None


def _saturated(image: Image, memory: Memory | None, limit: Thresholds) -> Iterator[Finding]:
    for projection in image.projections:
        limits = weight_limits(image, projection)
        if limits is None:
            continue
        weights = weights_of(image, projection.name, memory)
        at = _at_limits(weights, limits, limit.few)
        share = sum(at.values()) / max(weights.size, 1)
        if at and share >= limit.saturated:
            where = " or ".join(f"{value:,}" for value in at)
            whose = "the register's" if set(at) & set(limits) else "the rule's own"
            yield Finding(
                "saturated", projection.name, share, limit.saturated,
                f"projection '{projection.name}': {share:.0%} of its weights are at {where}, {whose} limit (warned of from "
                f"{limit.saturated:.0%}); lower the rate of learning, or scale the weights down",
            )  # fmt: skip


def _at_limits(weights: Ints, limits: tuple[int, int], few: int) -> dict[int, int]:
    """Weights at each limit: of the register, or one that many share at an end of their range."""
    found = {}
    if not weights.size or weights.min() == weights.max():
        return {}
    for end, limit in zip((int(weights.min()), int(weights.max())), limits, strict=True):
        n = int(np.sum(weights == end))
        if end == limit or (n >= few and end != 0):
            found[end] = n
    return found


def _saturating(window: Window, limit: Thresholds) -> Iterator[Finding]:
    for name, times in sorted(window.saturations.items()):
        each = times / max(window.presentations, 1)
        if each >= limit.cut:
            yield Finding(
                "saturating", name, each, limit.cut,
                f"register '{name}' was cut to its width {times:,} times in {window.presentations} presentations (warned of from "
                f"{limit.cut:g} a presentation); lower what adds up in it, or give it more bits",
            )  # fmt: skip
