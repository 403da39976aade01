"""SFDFA and DFA, one sample at a time, in float (Bacho 2024, thesis, 5.3, equations 141-154 and 166; algorithms 6 and 7).

    delta_o = target_o - n_o                                          the outputs' errors (equation 94)
    delta_i = sum_o b_oi delta_o + beta (wanted - mean n_i)           hidden, each layer from the outputs (equations 151, 166)
    w_ij += rate delta_i LOC'_ij                                      (equations 152-154, with LOC' = -LOC / tau)
    b_oi += alpha (d_o p_i - b_oi)   if hidden neuron i spiked        (equation 148), towards w_io as E[d_o p_i] = w_io (147)

d_o is the sum of the grades output o sent, p_i the perturbation hidden neuron i put into its first spike. DFA is the same with b
drawn once and left alone. The errors are projected with b as it was before its update. How the layers came to their spikes is
somebody else's: this module works on an Activity per layer, from the closed form here or from the twin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from neuroemu.base.arrays import Floats, Ints
from neuroemu.learning.golden.closed_form import FloatNeuron, SpikeTimes, respond
from neuroemu.learning.golden.gradients import eligibility, virtual_eligibility


@dataclass(frozen=True)
class Rule:
    """Constants; the defaults suit one update per sample without an optimiser (specification 9.2, 9.3), not the thesis's Adam.

    ``rates``: one per layer, weight per spike of error and unit of LOC'; the thesis's learning rate x tau. ``smoothing``: part by
    which the mean count follows a sample's. ``wanted``: spikes per sample a hidden neuron is held to, by ``beta`` errors a spike.
    """

    rates: tuple[float, ...] = (2.0**-8, 2.0**-10)
    learns_feedback: bool = True
    alpha: float = 2.0**-10
    beta: float = 4.0
    wanted: float = 1.0
    smoothing: float = 2.0**-6
    rescue: bool = True
    exact: bool = False
    recurrent: bool = True


@dataclass(frozen=True, eq=False)
class Learner:
    """What learning changes: weights[l] (n[l], n[l + 1]); feedback[l] (n_out, n[l + 1]) and mean counts (n[l + 1],) per hidden l."""

    weights: list[Floats]
    feedback: list[Floats]
    means: list[Floats]


@dataclass(frozen=True, eq=False)
class Activity:
    """What one sample left in a layer: counts (n,), LOC' (n_pre, n), sums of grades (n,), LOC' of a virtual spike (n_pre,)."""

    counts: Ints
    eligibility: Floats
    grades: Floats
    virtual: Floats


def start(sizes: tuple[int, ...], rule: Rule, rng: np.random.Generator) -> Learner:
    """Weights uniform in -1..1; feedback 0 for SFDFA, uniform in -1..1 for DFA; mean counts as wanted."""
    weights = [rng.uniform(-1, 1, shape) for shape in pairwise(sizes)]
    hidden = sizes[1:-1]
    feedback = [
        np.zeros((sizes[-1], n)) if rule.learns_feedback else rng.uniform(-1, 1, (sizes[-1], n)) for n in hidden
    ]
    return Learner(weights, feedback, [np.full(n, rule.wanted) for n in hidden])


def perturb(learner: Learner, rng: np.random.Generator, *, gaussian: bool = False) -> list[Floats]:
    """One perturbation per neuron and sample, (n,) per layer: -1 or 1, or normal as in the thesis; outputs have 0."""
    sizes = [len(mean) for mean in learner.means]
    draws = [rng.standard_normal(n) if gaussian else rng.choice([-1.0, 1.0], n) for n in sizes]
    return [*draws, np.zeros(learner.weights[-1].shape[1])]


def counts(weights: list[Floats], neurons: list[FloatNeuron], spikes: SpikeTimes, horizon: float) -> Ints:
    """Spikes of each output, (n_out,), without learning; the largest is the prediction, the lowest id of equals."""
    for weight, neuron in zip(weights, neurons, strict=True):
        response = respond(spikes, weight, neuron, horizon)
        spikes = response.spikes
    return response.counts


def observe(
    learner: Learner,
    rule: Rule,
    neurons: list[FloatNeuron],
    spikes: SpikeTimes,
    horizon: float,
    perturbations: list[Floats],
) -> list[Activity]:
    """The closed-form inference of one sample with everything learning needs of it; perturbations as ``perturb`` returns them."""
    activities = []
    for weight, neuron, noise in zip(learner.weights, neurons, perturbations, strict=True):
        response = respond(spikes, weight, neuron, horizon, noise)
        n_pre = weight.shape[0]
        local = eligibility(spikes, n_pre, response, neuron, exact=rule.exact, recurrent=rule.recurrent)
        virtual = virtual_eligibility(spikes, n_pre, horizon, neuron)
        activities.append(Activity(response.counts, local, response.grades, virtual))
        spikes = response.spikes
    return activities


def errors(learner: Learner, rule: Rule, activities: list[Activity], target: Floats) -> tuple[Learner, list[Floats]]:
    """Mean counts after this sample, and delta of every layer, (n,) in spikes; target (n_out,): wanted counts."""
    output = target - activities[-1].counts
    means = [
        mean + rule.smoothing * (activity.counts - mean)
        for mean, activity in zip(learner.means, activities[:-1], strict=True)
    ]
    hidden = [output @ b + rule.beta * (rule.wanted - mean) for b, mean in zip(learner.feedback, means, strict=True)]
    return replace(learner, means=means), [*hidden, output]


def directions(rule: Rule, activities: list[Activity], deltas: list[Floats]) -> list[Floats]:
    """delta_i LOC'_ij of every layer, of its weight's shape: up to its rate, the way the rule moves the weights.

    A silent output that should have spiked learns as if it had at the end; doing so for hidden neurons makes them over-active.
    """
    moved = [activity.eligibility * delta for activity, delta in zip(activities, deltas, strict=True)]
    if rule.rescue:
        output, delta = activities[-1], deltas[-1]
        dead = (output.counts == 0) & (delta > 0)
        moved[-1] = np.where(dead, output.virtual[:, None] * delta, moved[-1])
    return moved


def learn_feedback(
    learner: Learner, rule: Rule, activities: list[Activity], perturbations: list[Floats]
) -> list[Floats]:
    """Feedback weights after this sample; those of hidden neurons that did not spike stay, as their p was never sent."""
    if not rule.learns_feedback:
        return learner.feedback
    derivative = activities[-1].grades
    return [
        b + rule.alpha * np.where(activity.counts > 0, np.outer(derivative, noise) - b, 0.0)
        for b, activity, noise in zip(learner.feedback, activities[:-1], perturbations[:-1], strict=True)
    ]


def update(
    learner: Learner, rule: Rule, activities: list[Activity], perturbations: list[Floats], target: Floats
) -> Learner:
    """The learner after one sample."""
    after, deltas = errors(learner, rule, activities, target)
    moves = directions(rule, activities, deltas)
    weights = [w + rate * move for w, rate, move in zip(learner.weights, rule.rates, moves, strict=True)]
    return replace(after, weights=weights, feedback=learn_feedback(learner, rule, activities, perturbations))


def angle(feedback: Floats, weight: Floats) -> float:
    """Angle in degrees between feedback (n_out, n_hidden) and transposed forward weights (n_hidden, n_out); 90 if b is 0."""
    length = float(np.linalg.norm(feedback) * np.linalg.norm(weight))
    return 90.0 if length == 0 else float(np.degrees(np.arccos(np.clip((feedback * weight.T).sum() / length, -1, 1))))
