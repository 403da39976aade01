"""A network whose layers have conventions of their own, and what it does, by a road of its own: plain loops over NIR's equations."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np

DT = 1e-3
N_IN, N_HIDDEN, N_OUT = 20, 16, 8
CONVENTIONS = {
    "reset": {"*": "zero", "hidden": "subtract"},
    "reset_timing": {"*": "now", "hidden": "next"},
    "spike_if": {"*": ">=", "hidden": ">"},
}


def parameters(seed: int) -> dict[str, np.ndarray]:
    """Weights (outputs, inputs) and time constants of a current-based hidden layer that feeds itself, and an output layer."""
    rng = np.random.default_rng(seed)
    return {
        "w1": rng.normal(0.02, 0.12, (N_HIDDEN, N_IN)),
        "wr": rng.normal(-0.02, 0.08, (N_HIDDEN, N_HIDDEN)),
        "w2": rng.normal(0.1, 0.4, (N_OUT, N_HIDDEN)),
        "tau_syn": np.full(N_HIDDEN, 5e-3),
        "tau_mem": rng.uniform(8e-3, 20e-3, N_HIDDEN),
        "tau_out": rng.uniform(5e-3, 15e-3, N_OUT),
    }


def inputs(seed: int, rows: int = 80, samples: int = 6) -> np.ndarray:
    """Random spikes, shape (rows, samples, neurons)."""
    return (np.random.default_rng(seed + 1).random((rows, samples, N_IN)) < 0.15).astype(np.int64)


def write(path: Path, p: dict[str, np.ndarray]) -> Path:
    """The network as a NIR file, as a framework exports it: unit gains."""
    one_h, one_o = np.ones(N_HIDDEN), np.ones(N_OUT)
    nodes = {
        "input": nir.Input({"input": np.array([N_IN])}),
        "fc1": nir.Linear(p["w1"]),
        "hidden": nir.CubaLIF(
            tau_syn=p["tau_syn"], tau_mem=p["tau_mem"], r=p["tau_mem"] / DT, v_leak=0 * one_h, v_threshold=one_h,
            v_reset=0 * one_h, w_in=p["tau_syn"] / DT,
        ),
        "rec": nir.Linear(p["wr"]),
        "fc2": nir.Linear(p["w2"]),
        "out": nir.LIF(tau=p["tau_out"], r=p["tau_out"] / DT, v_leak=0 * one_o, v_threshold=one_o, v_reset=0 * one_o),
        "output": nir.Output({"output": np.array([N_OUT])}),
    }  # fmt: skip
    edges = [
        ("input", "fc1"), ("fc1", "hidden"), ("hidden", "rec"), ("rec", "hidden"), ("hidden", "fc2"), ("fc2", "out"),
        ("out", "output"),
    ]  # fmt: skip
    nir.write(path, nir.NIRGraph(nodes, edges))
    return path


def spikes(p: dict[str, np.ndarray], given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of both layers, shape (rows, samples, neurons): hidden subtracts a tick later, output resets to zero at once."""
    rows, n, _ = given.shape
    u, v, z = (np.zeros((n, N_HIDDEN)) for _ in range(3))
    w = np.zeros((n, N_OUT))
    hidden, out = np.zeros((rows, n, N_HIDDEN), np.int64), np.zeros((rows, n, N_OUT), np.int64)
    for t in range(rows):
        fired = v > 1
        u = u * (1 - DT / p["tau_syn"]) + given[t] @ p["w1"].T + z @ p["wr"].T
        v = v * (1 - DT / p["tau_mem"]) + u
        v = np.where(fired, v - 1, v)
        z = (v > 1).astype(float)
        hidden[t] = z
        w = w * (1 - DT / p["tau_out"]) + z @ p["w2"].T
        out[t] = w >= 1
        w = np.where(w >= 1, 0.0, w)
    return hidden, out
