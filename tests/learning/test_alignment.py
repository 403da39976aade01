"""Angles and cosines: by hand, and of the rules' updates with the true gradients of the same networks in float."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fails import fails
from sfdfa_cases import first_spikes
from sfdfa_cases import image as sfdfa_image
from spikegrad_cases import compiled, told
from spikegrad_cases import network as spikegrad_network

import neuroemu as ne
from neuroemu.learning import alignment
from neuroemu.learning.golden import bats, relu
from neuroemu.learning.golden.closed_form import FloatNeuron


# ---- by hand
def test_cosine_and_degrees_by_hand() -> None:
    assert ne.cosine([1, 0], [1, 1]) == pytest.approx(np.sqrt(0.5))
    assert alignment.degrees([[3, 0]], [[0, 2]]) == pytest.approx(90)
    assert alignment.degrees([1, 2], [-1, -2]) == pytest.approx(180)
    assert alignment.degrees([1, 1e-9], [1, 0]) == pytest.approx(np.degrees(1e-9), rel=1e-6)
    assert np.isnan(ne.cosine([0, 0], [1, 1]))
    assert np.isnan(alignment.degrees([0, 0], [1, 1]))
    with fails(ne.RunError, "arrays of shape (2,) and (3,) have no angle; give two of one shape"):
        ne.cosine([1, 2], [1, 2, 3])


def test_a_mirrored_projection_is_at_0_degrees_before_and_after_it_learned() -> None:
    built = compiled(spikegrad_network((6, 5, 4, 3)))
    ends = {"feedback": "h1->h2.back", "forward": "h1->h2"}
    assert ne.angle(built, **ends) == 0
    stimulus, _ = told(np.random.default_rng(1).integers(0, 16, (1, 8, 6)), np.arange(8) % 3, 3)
    memory = ne.run(built, stimulus, engine="python", plastic=True).memory
    assert (memory.weights["h1->h2"] != alignment.weights_of(built, "h1->h2")).any()
    assert ne.angle(built, memory, **ends) == 0


def test_angle_of_feedback_past_two_layers_and_what_it_refuses() -> None:
    built = sfdfa_image((12, 8, 6, 4), mode="dfa")
    w2, w3 = (alignment.matrix(built, name, alignment.weights_of(built, name)) for name in ("w2", "w3"))
    back = alignment.matrix(built, "feedback->h1", alignment.weights_of(built, "feedback->h1"))
    cosine = (back * (w2 @ w3).T).sum() / np.linalg.norm(back) / np.linalg.norm(w2 @ w3)
    angle = ne.angle(built, feedback="feedback->h1", forward=["w2", "w3"])
    assert angle == pytest.approx(np.degrees(np.arccos(cosine)))
    exact = ne.Memory({"feedback->h2": alignment.weights_of(built, "w3").reshape(6, 4).T.ravel()})
    assert 30 < ne.angle(built, feedback="feedback->h2", forward="w3") < 150
    assert ne.angle(built, exact, feedback="feedback->h2", forward="w3") == 0
    text = (
        "projections w3 do not lead from 'h1' to 'out', where 'feedback->h1' comes back; name the forward projections "
        "between them in order"
    )
    with fails(ne.RunError, text):
        ne.angle(built, feedback="feedback->h1", forward="w3")
    with fails(ne.UnknownNameError, "no projection named 'w9'; there are: w1, w2, w3, feedback->h1, feedback->h2"):
        ne.angle(built, feedback="w9", forward="w3")


# ---- back-propagation in integers
def test_relu_gradient_is_the_slope_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in ((5, 4), (4, 3))]
    biases, inputs, labels = [rng.normal(size=4), rng.normal(size=3)], rng.random((7, 5)), np.arange(7) % 3
    gradient = relu.gradient(weights, biases, inputs, labels)
    for layer, (i, j) in ((0, (2, 1)), (0, (4, 3)), (1, (0, 2)), (1, (3, 0))):
        step = [w.copy() for w in weights]
        step[layer][i, j] += 1e-6
        slope = (relu.loss(step, biases, inputs, labels) - relu.loss(weights, biases, inputs, labels)) / 1e-6
        assert gradient[layer][i, j] == pytest.approx(slope, abs=1e-4)
    assert np.abs(gradient[0]).max() > 0.1


def test_spikegrad_follows_the_gradient_of_the_float_network() -> None:
    """Rounding is all that differs."""
    built, n, f = compiled(spikegrad_network((6, 5, 4, 3), f=12, k=2, alpha=64)), 64, 12
    rng = np.random.default_rng(2)
    x, labels = rng.integers(0, 16, (1, n, 6)), rng.integers(0, 3, n)
    stimulus, _ = told(x, labels, 3)
    names = ["in->h1", "h1->h2", "h2->out"]
    weights = [alignment.matrix(built, name, alignment.weights_of(built, name)) / 2**f for name in names]
    biases = [np.zeros(w.shape[1]) for w in weights]
    true = relu.gradient(weights, biases, x[0].astype(float), labels)
    moved = alignment.update(built, stimulus, engine="python")
    for name, gradient in zip(names, true, strict=True):
        assert np.abs(moved[name]).max() > 20
        assert ne.cosine(moved[name], -gradient) > 0.99, name
    other = relu.gradient(weights, biases, x[0].astype(float), (labels + 1) % 3)
    assert max(ne.cosine(moved[name], -gradient) for name, gradient in zip(names, other, strict=True)) < 0.98


# ---- feedback alignment
TICKS, K = 24, 5
OPTIONS: dict[str, Any] = {"ticks": TICKS, "k": K, "threshold": 0.3, "output_threshold": 0.3, "rate": 6, "output_rate": 7,
                           "feedback_rate": 5, "seed": 3}  # fmt: skip


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy patterns of three classes on 15 pixels, 0..16."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    lit = np.arange(15)[None, :] // 5 == labels[:, None]
    values = np.where(lit, rng.integers(9, 17, (n, 15)), rng.integers(1, 9, (n, 15)))
    return values * (rng.random((n, 15)) < np.where(lit, 0.8, 0.25)), labels


def cosines(built: ne.Image, memory: ne.Memory, n: int = 24) -> dict[str, float]:
    """Of the chip's updates with BATS's gradients of the count loss, time in ticks."""
    values, labels = bars(n, 9)
    stimulus = first_spikes(16, 16, TICKS)(values, 0)
    weights = [alignment.matrix(built, w, alignment.weights_of(built, w, memory)) / 4096 for w in ("w1", "w2")]
    neurons = [FloatNeuron(2.0**K, 0.3), FloatNeuron(2.0**K, 0.3)]
    targets = np.where(np.eye(3) > 0, 15.0, 3.0)[labels]
    true = [
        bats.gradient(weights, neurons, alignment.input_spikes(stimulus, "in", k), TICKS, targets[k])[0]
        for k in range(n)
    ]
    gradients = {name: np.stack([sample[k] for sample in true]) for k, name in enumerate(("w1", "w2"))}
    asked = alignment.labelled(stimulus, "out", labels, 3)
    return alignment.gradient_cosines(built, asked, gradients, memory, engine="python")


@pytest.mark.slow
def test_feedback_that_learned_points_hidden_updates_along_the_gradient() -> None:
    built = sfdfa_image((15, 20, 3), **OPTIONS)
    values, labels = bars(180, 0)
    how: dict[str, Any] = {
        "encode": first_spikes(16, 16, TICKS),
        "output": "out",
        "readout": ("out", "n"),
        "engine": "python",
    }
    watch = ne.Watch(angles=[("feedback->h1", "w2")], every=90)
    done = ne.train(built, (values, labels), watch=watch, **how)
    angles = watch.series["angle.feedback->h1"]
    learned = cosines(built, done.memory)
    rng, fresh = np.random.default_rng(0), []
    for _ in range(2):
        drawn = {"feedback->h1": rng.integers(-256, 257, 60)}
        fresh.append(cosines(built, replace(done.memory, weights={**done.memory.weights, **drawn})))
    assert np.isnan(angles[0]), "feedback starts at 0"
    assert angles[-1] < 45
    assert learned["w2"] > 0.6
    assert learned["w1"] > 0.3
    assert abs(np.mean([found["w1"] for found in fresh])) < 0.25
    assert learned["w1"] > max(found["w1"] for found in fresh) + 0.1
