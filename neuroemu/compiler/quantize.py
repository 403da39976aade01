"""Turn a network's floats into the chip's integers, and say what was lost at each node.

Each population gets one scale S (register units per unit of v), a real number chosen so that its largest incoming weight
uses the weight register, its threshold falls on the chip's grid, and both are rounded as little as possible. Weights,
threshold, reset and bias are rounded to nearest at that scale, decays to 1/4096.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from neuroemu.base.arrays import Floats, Ints
from neuroemu.base.errors import UnsupportedError
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.image.loss import Loss
from neuroemu.network.discrete import Discrete, discretize
from neuroemu.network.integers import integers
from neuroemu.network.network import FLOAT_MODELS, LI, CubaLI, Firmware, HostInput, Network, Population, Projection
from neuroemu.network.synapses import kernel_entries, synapses

DECAY_ONE = 4096
"""A decay parameter of 4096 forgets everything in one tick (isa.decay_to_zero)."""
CANDIDATES = 128
"""Scales the search looks at, from the largest down."""


@dataclass(frozen=True, eq=False)
class IntegerPopulation:
    """A population in register units. ``params`` holds one value a neuron, or a table; ``program`` is None for a host input."""

    source: Population
    program: str | None
    params: dict[str, Ints] = field(default_factory=dict)
    switches: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class IntegerProjection:
    """A projection's synapses in register units, in the order of their ids."""

    source: Projection
    pre: Ints
    post: Ints
    weight: Ints
    delay: Ints
    kernel: Ints | None = None
    """Kernel entry of every synapse where weights are shared."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """A network in integers for one chip, with the loss at every node."""

    network: Network
    populations: dict[str, IntegerPopulation]
    projections: dict[str, IntegerProjection]
    losses: tuple[Loss, ...]


def quantize(
    network: Network,
    chip: Chip,
    *,
    weight_bits: int | None = None,
    verbatim: bool = False,
    bias: Literal["current", "voltage"] = "current",
) -> Quantized:
    """Quantise a network for a chip.

    ``weight_bits`` uses fewer bits than the chip's weights have (their high bits). ``verbatim`` takes every float as
    register units already (scale 1): weights, thresholds, resets and biases must then be integers. ``bias="voltage"`` moves
    the bias of a current to the voltage at its steady state, for chips that cannot add one to the current.
    Firmware populations always pass verbatim.

    Raises NetworkError, UnsupportedError.
    """
    width = chip.weight_width
    bits = width.bits if weight_bits is None else weight_bits
    if not 2 <= bits <= width.bits:
        raise UnsupportedError(
            f"{chip.path}: weights of {bits} bits were asked for, {chip.name} has 2 to {width.bits} "
            f"({chip.sheet.core.registers['weight'].source}); choose weight_bits in that range"
        )
    work = _Quantizer(network, chip, bits, width, verbatim, bias)
    for population in network.populations:
        work.population(population)
    return Quantized(network, work.populations, work.projections, tuple(work.losses))


class _Quantizer:
    def __init__(
        self, network: Network, chip: Chip, bits: int, width: Bits, verbatim: bool, bias: Literal["current", "voltage"]
    ) -> None:
        self.network, self.chip, self.verbatim, self.bias = network, chip, verbatim, bias
        self.step = 1 << (width.bits - bits)
        self.limits = chip.weight_range
        self.levels = min((1 << (bits - 1)) - 1, self.limits[1] // self.step)
        self.unit = 1 << chip.weight_shift
        self.populations: dict[str, IntegerPopulation] = {}
        self.projections: dict[str, IntegerProjection] = {}
        self.losses: list[Loss] = []

    def supported(self, population: str, program: str) -> None:
        """Refuse a program the silicon lacks, before anything else about the population: nothing else would help."""
        allowed = self.chip.sheet.core.programs
        if not allowed.any and program not in allowed.names:
            raise UnsupportedError(
                f"population '{population}': program '{program}' is not in {self.chip.name}, which runs {', '.join(allowed.names)} "
                f"({allowed.source}); use one of these, or a chip such as generic45"
            )

    def population(self, population: Population) -> None:
        neuron = population.neuron
        if not isinstance(neuron, HostInput):
            program = neuron.program if isinstance(neuron, Firmware) else FLOAT_MODELS[type(neuron)]
            self.supported(population.name, program)
        incoming = {
            projection.label: synapses(projection, self.network.population(projection.pre).n, population.n)
            for projection in self.network.into(population.name)
        }
        if isinstance(neuron, HostInput):
            self.populations[population.name] = IntegerPopulation(population, None)
        elif isinstance(neuron, Firmware):
            params = {
                name: integers(value, f"population '{population.name}': {name}")
                for name, value in neuron.params.items()
            }
            self.populations[population.name] = IntegerPopulation(
                population, neuron.program, params, dict(neuron.switches)
            )
            self.verbatim_weights(population.name, incoming)
        else:
            self.float_population(population, incoming)

    def verbatim_weights(self, name: str, incoming: Mapping[str, tuple[Ints, Ints, Floats, Ints]]) -> None:
        for label, (pre, post, weight, delay) in incoming.items():
            stored = integers(weight, f"projection '{label}' into '{name}', which takes register units: weight")
            self.store(label, pre, post, stored, delay)

    def store(self, label: str, pre: Ints, post: Ints, stored: Ints, delay: Ints) -> None:
        """Keep a projection's synapses, if the chip can store their weights."""
        low, high = self.limits
        if stored.size and (stored.min() < low or stored.max() > high):
            bad = stored.min() if stored.min() < low else stored.max()
            way_out = "use weights of 0 and above" if low == 0 > bad else "scale the weights down"
            raise UnsupportedError(
                f"projection '{label}': weight {bad} is outside {low}..{high}, what {self.chip.name} stores "
                f"({self.chip.sheet.core.registers['weight'].source}); {way_out}"
            )
        source = self.network.projection(label)
        kernel = kernel_entries(source)
        if kernel is not None:  # an entry that neurons of different gain use is stored once for each
            kernel = np.unique(np.stack([kernel, stored]), axis=1, return_inverse=True)[1].ravel()
        self.projections[label] = IntegerProjection(source, pre, post, stored, delay, kernel)

    def float_population(self, population: Population, incoming: Mapping[str, tuple[Ints, Ints, Floats, Ints]]) -> None:
        model = discretize(population, self.network)
        if self.bias == "voltage" and model.bias_u is not None and model.decay_u is not None:
            steady = np.asarray(model.bias) + model.bias_u / model.decay_u
            model = Discrete(
                model.gain, model.decay_v, model.decay_u, steady, np.zeros(population.n), model.threshold, model.reset
            )
        effective = {label: weight * model.gain[post] for label, (_, post, weight, _) in incoming.items()}
        if self.verbatim:
            scale = 1.0
            unit_weights = {
                label: (pre, post, effective[label], delay) for label, (pre, post, _, delay) in incoming.items()
            }
            self.verbatim_weights(population.name, unit_weights)
        else:
            scale = self.scale(np.concatenate([*effective.values(), np.zeros(0)]), model.threshold)
            for label, (pre, post, _, delay) in incoming.items():
                stored = np.rint(effective[label] * scale / (self.unit * self.step)).astype(np.int64) * self.step
                self.store(label, pre, post, stored, delay)
        params = self.parameters(population, model, scale)
        self.populations[population.name] = IntegerPopulation(
            population, FLOAT_MODELS[type(population.neuron)], params, self.switches(population)
        )
        self.losses.append(self.loss(population, model, effective, params, scale))

    def switches(self, population: Population) -> dict[str, int]:
        if isinstance(population.neuron, LI | CubaLI):
            return {}
        conventions = self.network.conventions_of(population.name)
        return {
            "subtract": int(conventions.reset == "subtract"),
            "late": int(conventions.reset_timing == "next"),
            "inclusive": int(conventions.spike_if == ">="),
        }

    # ---- the scale
    def scale(self, weights: Floats, threshold: Floats | None) -> float:
        """Register units per unit of v: the least rounding of weights and threshold among scales that use the register."""
        largest = float(np.abs(weights).max()) if weights.size else 0.0
        grid = self.grid("threshold")
        top = self.levels * self.step * self.unit / largest if largest else np.inf
        if threshold is not None and np.any(threshold != 0):
            top = min(top, self.highest_threshold() / float(np.abs(threshold).max()))
        if not np.isfinite(top):
            return float(self.unit)
        if not largest:
            return float(top)
        lsb = self.unit * self.step
        most = int(np.floor(top * largest / lsb))
        # the largest weight on a whole number of steps; and the power of two, at which dyadic networks are exact
        candidates = np.arange(max(1, most // 2, most - CANDIDATES), most + 1) * (lsb / largest)
        candidates = np.concatenate([candidates, [2.0 ** np.floor(np.log2(top)), top]])
        sample = weights[weights != 0]
        spread = float(np.sqrt(np.mean((sample / largest) ** 2))) * largest  # squares alone can leave float's range
        best, least = float(top), np.inf
        for candidate in candidates[::-1]:
            exact = sample * (candidate / lsb)
            error = float(np.sqrt(np.mean((exact - np.rint(exact)) ** 2))) * lsb / candidate / spread
            if threshold is not None:
                level = threshold * (candidate / grid)
                error += (
                    float(np.mean(np.abs(level - np.rint(level))))
                    * grid
                    / candidate
                    / max(float(np.abs(threshold).mean()), 1e-300)
                )
            if error < least * (1 - 1e-9):
                best, least = float(candidate), error
        return best

    def grid(self, parameter: str) -> int:
        stated = self.chip.parameter(parameter)
        return stated.step if stated else 1

    def highest_threshold(self) -> float:
        """Half of what v holds, so that a neuron just below threshold can still take a large drive."""
        width = self.chip.bits("state", "v")
        half = float(1 << (width.bits - 2)) if width else float(1 << 30)
        stated = self.chip.parameter("threshold")
        return min(half, float(stated.max)) if stated else half

    # ---- parameters
    def parameters(self, population: Population, model: Discrete, scale: float) -> dict[str, Ints]:
        """The program's parameters, shape (n,)."""

        def rounded(name: str, exact: Floats | float) -> Ints:
            place = f"population '{population.name}': {name} in register units"
            array = np.broadcast_to(np.asarray(exact, np.float64) * scale, (population.n,))
            if self.verbatim:
                return integers(array, place)
            grid = self.grid(name)
            return integers(np.rint(array / grid) * grid, place)

        params = {"bias": rounded("bias", model.bias)}
        for name, decay in (("decay_v", model.decay_v), ("decay_u", model.decay_u)):
            if decay is not None:
                params[name] = np.rint(decay * DECAY_ONE).astype(np.int64)
        if model.bias_u is not None:
            params["bias_u"] = rounded("bias_u", model.bias_u)
        if model.threshold is not None and model.reset is not None:
            params["threshold"] = rounded("threshold", model.threshold)
            params["reset"] = rounded("reset", model.reset)
        return params

    def loss(
        self,
        population: Population,
        model: Discrete,
        effective: Mapping[str, Floats],
        params: Mapping[str, Ints],
        scale: float,
    ) -> Loss:
        weights = np.concatenate([*effective.values(), np.zeros(0)])
        stored = np.concatenate([*(self.projections[label].weight for label in effective), np.zeros(0, np.int64)])
        unit = 1 if self.verbatim else self.unit
        error = stored * unit / scale - weights
        largest = float(np.abs(weights).max()) if weights.size else 0.0
        relative = np.abs(error) / largest if largest else np.zeros(0)

        def difference(name: str, exact: Floats | float | None, factor: float) -> float:
            if exact is None:
                return 0.0
            return float(np.abs(params[name] / factor - np.broadcast_to(exact, (population.n,))).max())

        threshold = 0.0
        if model.threshold is not None and np.any(model.threshold != 0):
            threshold = difference("threshold", model.threshold, scale) / float(np.abs(model.threshold).max())
        return Loss(
            node=population.name,
            scale=scale,
            weight_rms=float(np.sqrt(np.mean(relative**2))) if relative.size else 0.0,
            weight_max=float(relative.max()) if relative.size else 0.0,
            zeroed=int(np.sum((stored == 0) & (weights != 0))),
            threshold=threshold,
            decay=max(difference("decay_v", model.decay_v, DECAY_ONE), difference("decay_u", model.decay_u, DECAY_ONE)),
            bias=max(difference("bias", model.bias, scale), difference("bias_u", model.bias_u, scale))
            / (largest or 1.0),
            unit=unit,
        )
