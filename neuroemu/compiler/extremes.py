"""What no input can make a float neuron do: the v it never reaches, hence thresholds and weights whose exact size does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroemu.base.arrays import Flags, Floats, Ints
from neuroemu.network.conventions import Conventions
from neuroemu.network.discrete import Discrete

MARGIN = 1.05
"""Kept between what is reached and what is not: integers round."""


@dataclass(frozen=True)
class Extremes:
    """v of a population stays within ``low .. high``, shape (n,) each, infinite where nothing bounds it."""

    low: Floats
    high: Floats


def extremes(model: Discrete, n: int, incoming: Mapping[str, tuple[Ints, Floats]], bounded: bool) -> Extremes:
    """Bounds of v over all inputs: every synapse of ``incoming`` (post neurons, effective weights) acts once a tick, or never.

    v <- v (1 - decay) + drive converges to drive / decay, where a current comes first. ``bounded`` says that no payload
    multiplies a weight. Resets only take v to ``reset`` or below a threshold that it had passed.
    """
    low, high = np.zeros(n), np.zeros(n)
    for post, weight in incoming.values():
        np.add.at(low, post, np.minimum(weight, 0.0))
        np.add.at(high, post, np.maximum(weight, 0.0))
    if not bounded:
        low, high = np.where(low < 0, -np.inf, low), np.where(high > 0, np.inf, high)
        low, high = np.where(high > 0, -np.inf, low), np.where(low < 0, np.inf, high)  # a payload may be negative
    if model.decay_u is not None:
        bias_u = np.zeros(n) if model.bias_u is None else model.bias_u
        low, high = _settled(low + bias_u, model.decay_u), -_settled(-(high + bias_u), model.decay_u)
    bias = np.broadcast_to(np.asarray(model.bias, np.float64), (n,))
    decay = np.zeros(n) if model.decay_v is None else model.decay_v
    low, high = _settled(low + bias, decay), -_settled(-(high + bias), decay)
    reset = np.zeros(n) if model.reset is None else model.reset
    return Extremes(np.minimum(low, reset), np.maximum(high, reset))


def _settled(least: Floats, decay: Floats) -> Floats:
    """The least that x <- x (1 - decay) + least comes to from 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(least < 0, np.where(decay > 0, least / decay, -np.inf), 0.0)


def never_fires(model: Discrete, found: Extremes) -> Flags:
    """Neurons whose threshold no input reaches, shape (n,)."""
    assert model.threshold is not None
    return np.asarray((model.threshold > 0) & (model.threshold > found.high * MARGIN))


def weight_caps(model: Discrete, found: Extremes, conventions: Conventions) -> Floats:
    """The weight above which a single spike fires each neuron whatever else comes, shape (n,); infinite where size matters.

    Then v is reset to a constant, so nothing of the weight is left; a current, or a reset by subtraction, remembers it.
    """
    n = found.low.shape
    if model.threshold is None or model.decay_u is not None or conventions.reset != "zero":
        return np.full(n, np.inf)
    above = np.maximum(model.threshold, 0.0) - found.low
    return np.where(np.isfinite(above) & (above > 0), above * MARGIN, np.inf)
