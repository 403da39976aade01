"""Back-propagation of a rectified network under a softmax, in float: the gradient that integer rules of counts approximate.

    z_l = s_(l-1) W_l + b_l,   s_l = max(z_l, 0),   p = softmax(z_L),   L = -log p_label
    e_L = p - target,   e_(l-1) = (e_l W_l^T) [z_(l-1) > 0],   dL/dW_l = s_(l-1)^T e_l           summed over the samples

A network of spike counts with thresholds T computes this with W / T and b / T (Thiele 2019, chapter 4).
"""

from __future__ import annotations

import numpy as np

from neuroemu.base.arrays import Floats, Ints


def softmax(z: Floats) -> Floats:
    """Softmax of the last axis."""
    power = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(power / power.sum(axis=-1, keepdims=True))


def loss(weights: list[Floats], biases: list[Floats], inputs: Floats, labels: Ints) -> float:
    """Sum of -log p_label; inputs (n, n_in), labels (n,)."""
    z = _drives(weights, biases, inputs)[-1]
    return float(-np.log(softmax(z)[np.arange(len(labels)), labels]).sum())


def gradient(weights: list[Floats], biases: list[Floats], inputs: Floats, labels: Ints) -> list[Floats]:
    """dL / dW of every layer, of its weight's shape (n[l], n[l + 1]); inputs (n, n_in), labels (n,)."""
    drives = _drives(weights, biases, inputs)
    states = [inputs, *(np.maximum(z, 0) for z in drives[:-1])]
    error = softmax(drives[-1])
    error[np.arange(len(labels)), labels] -= 1
    found: list[Floats] = []
    for depth in range(len(weights) - 1, -1, -1):
        found.insert(0, np.asarray(states[depth].T @ error))
        if depth:
            error = (error @ weights[depth].T) * (drives[depth - 1] > 0)
    return found


def _drives(weights: list[Floats], biases: list[Floats], inputs: Floats) -> list[Floats]:
    drives: list[Floats] = []
    state = np.asarray(inputs, np.float64)
    for weight, bias in zip(weights, biases, strict=True):
        drives.append(state @ weight + bias)
        state = np.maximum(drives[-1], 0)
    return drives
