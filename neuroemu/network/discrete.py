"""A float model in discrete time, under a network's conventions: what both the quantiser and the float reference compute with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.base.errors import NetworkError
from neuroemu.network.network import IF, LI, LIF, CubaLI, CubaLIF, Network, Population, values


@dataclass(frozen=True, eq=False)
class Discrete:
    """A float model in discrete time: v <- v (1 - decay_v) + u + bias; u <- u (1 - decay_u) + gain (I) + bias_u.

    ``gain`` multiplies every incoming weight. Without a current, u is gain (I) itself. All have shape (n,).
    """

    gain: Floats
    decay_v: Floats | None = None
    decay_u: Floats | None = None
    bias: Floats | float = 0.0
    bias_u: Floats | None = None
    threshold: Floats | None = None
    reset: Floats | None = None


def discretize(population: Population, network: Network) -> Discrete:
    """A float model under the network's conventions (ecosystem table of importers; NIR's equations with one Euler step).

    Raises NetworkError if a tick is longer than a time constant.
    """
    neuron, conventions = population.neuron, network.conventions_of(population.name)
    dt = conventions.dt

    def get(name: str) -> Floats:
        return values(population, name)

    def decay(name: str) -> Floats:
        tau = get(name)
        if np.any(tau <= 0):
            raise NetworkError(f"population '{population.name}': {name} is {tau.min():g} s; a time constant is above 0")
        if conventions.decay == "euler" and np.any(tau < dt * (1 - 1e-6)):
            raise NetworkError(
                f"population '{population.name}': {name} is {tau.min():g} s, below the tick of {dt:g} s; "
                "use a smaller dt, or decay='exp'"
            )
        ratio = np.minimum(dt / tau, 1.0) if conventions.decay == "euler" else -np.expm1(-dt / tau)
        return np.asarray(ratio, np.float64)

    def gain(factor: str, rate: Floats, tau: str) -> Floats:
        if conventions.gain == "unit":
            return np.ones(population.n)
        amount = get(factor)
        if np.any(np.isinf(amount) & ~np.isinf(get(tau))):
            raise NetworkError(
                f"population '{population.name}': {factor} is infinite but {tau} is not; give a finite {factor}"
            )
        # beta = 1 is exported as tau = inf with r = tau / dt = inf: a unit gain
        endless = np.isinf(amount) & np.isinf(get(tau))
        return np.where(endless, 1.0, np.where(endless, 1.0, amount) * rate)

    common: dict[str, Floats] = {}
    if isinstance(neuron, LIF | CubaLIF | IF):
        common = {"threshold": get("v_threshold"), "reset": get("v_reset")}
    if isinstance(neuron, IF):
        unit = conventions.gain == "unit"
        if not unit and np.isinf(get("r")).any():
            raise NetworkError(f"population '{population.name}': r is infinite, an IF has no tau; give a finite r")
        g = np.ones(population.n) if unit else get("r") * dt
        return Discrete(g, bias=get("bias") * g, **common)
    if isinstance(neuron, LIF | LI):
        rate = decay("tau")
        g = gain("r", rate, "tau")
        return Discrete(g, decay_v=rate, bias=get("bias") * g + get("v_leak") * rate, **common)
    assert isinstance(neuron, CubaLIF | CubaLI)
    fast, slow = decay("tau_syn"), decay("tau_mem")
    g = gain("w_in", fast, "tau_syn") * gain("r", slow, "tau_mem")
    return Discrete(g, decay_v=slow, decay_u=fast, bias=get("v_leak") * slow, bias_u=get("bias") * g, **common)
