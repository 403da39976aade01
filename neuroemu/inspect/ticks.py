"""Lengths of a tick that a network's own constants, or the habits of the frameworks, suggest."""

from __future__ import annotations

import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.network.network import IF, LI, LIF, CubaLI, CubaLIF, HostInput, Network, values

UNIFORM = 1e-3
"""Relative spread within which constants are taken as equal: files store float32."""
HABITS = {
    1e-4: "of snnTorch, SpikingJelly and Lava",
    1e-3: "of Norse and Rockpool",
    1e-6: "Norse's to_nir shrinks time constants by its dt of 1e-3",
}


def tick_lengths(network: Network) -> dict[float, str]:
    """Candidates for dt in seconds, each with where it comes from; the network's own first.

    r = tau/dt (snnTorch, SpikingJelly; 1/dt for IF) gives dt where it is the same for all neurons, as does Rockpool's
    r = (tau/dt) exp(-dt/tau). Time constants of a second or more are taken to count ticks.
    """
    found = {network.conventions.dt: "the network's own"}

    def add(dt: float, why: str) -> None:
        if np.isfinite(dt) and dt > 0 and not any(abs(dt - known) <= UNIFORM * known for known in found):
            found[dt] = why

    factor, tau = _gains(network)
    told = np.isfinite(factor) & (factor > 0) & ~np.isinf(tau)
    leaky = told & np.isfinite(tau)  # IF has no time constant
    if told.any() and np.all(factor[leaky] > 1):
        add(_common(np.where(leaky, tau, 1.0)[told] / factor[told]), "r = tau/dt")
        if leaky.all():
            add(_common(tau * _omega(1 / factor)), "r = (tau/dt) exp(-dt/tau)")
    for dt, why in HABITS.items():
        add(dt, why)
    constants = _time_constants(network)
    if constants.size and constants.min() >= 1:
        add(1.0, "time constants in ticks")
    return found


def _gains(network: Network) -> tuple[Floats, Floats]:
    """Input gains with their time constants (NaN for IF, which has none), both of shape (k,)."""
    factors, constants = [np.zeros(0)], [np.zeros(0)]
    pairs: dict[type, tuple[tuple[str, str], ...]] = {LIF: (("r", "tau"),), LI: (("r", "tau"),), IF: (("r", ""),)}
    pairs |= dict.fromkeys((CubaLIF, CubaLI), (("r", "tau_mem"), ("w_in", "tau_syn")))
    for population in network.populations:
        for factor, tau in pairs.get(type(population.neuron), ()):
            factors.append(values(population, factor))
            constants.append(values(population, tau) if tau else np.full(population.n, np.nan))
    return np.concatenate(factors), np.concatenate(constants)


def _time_constants(network: Network) -> Floats:
    names = {LIF: ("tau",), LI: ("tau",), CubaLIF: ("tau_mem", "tau_syn"), CubaLI: ("tau_mem", "tau_syn")}
    found = [values(p, name) for p in network.populations if not isinstance(p.neuron, HostInput)
             for name in names.get(type(p.neuron), ())]  # fmt: skip
    return np.concatenate([*found, np.zeros(0)])


def _common(dt: Floats) -> float:
    """The value all share, to three digits if that is within the rounding; NaN if they do not."""
    middle = float(np.median(dt))
    if np.any(np.abs(dt - middle) > UNIFORM * middle):
        return float("nan")
    rounded = float(f"{middle:.3g}")
    return rounded if abs(rounded - middle) <= UNIFORM * middle else middle


def _omega(y: Floats) -> Floats:
    """x with x exp(x) = y > 0, by Newton's method (Lambert's W)."""
    x = np.log1p(y)
    for _ in range(20):
        grown = np.exp(x)
        x = x - (x * grown - y) / (grown * (1 + x))
    return np.asarray(x, np.float64)
