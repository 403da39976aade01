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
from neuroemu.base.shelf import admitted
from neuroemu.chip.chip import Chip
from neuroemu.compiler.scale import Scaling, bias_lost, grid_of, leaks_lost
from neuroemu.image.loss import Loss
from neuroemu.network.discrete import Discrete, discretize
from neuroemu.network.integers import integers
from neuroemu.network.network import FLOAT_MODELS, LI, CubaLI, Firmware, HostInput, Network, Population, Projection
from neuroemu.network.synapses import kernel_entries, synapses

DECAY_ONE = 4096
"""A decay parameter of 4096 forgets everything in one tick (isa.decay_to_zero)."""


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
    notes: tuple[str, ...] = ()
    """What rounding silenced, and what was clipped because it cannot matter."""


def quantize(
    network: Network,
    chip: Chip,
    *,
    weight_bits: int | Mapping[str, int] | None = None,
    verbatim: bool = False,
    bias: Literal["current", "voltage"] = "current",
) -> Quantized:
    """Quantise a network for a chip.

    ``weight_bits`` uses fewer bits than the chip's weights have (their high bits); a mapping says it of the weights into single
    populations, ``"*"`` of all others. ``verbatim`` takes every float as
    register units already (scale 1): weights, thresholds, resets and biases must then be integers. ``bias="voltage"`` moves
    the bias of a current to the voltage at its steady state, for chips that cannot add one to the current.
    Firmware populations always pass verbatim.

    Raises NetworkError, UnsupportedError.
    """
    work = _Quantizer(network, chip, weight_bits_of(network, chip, weight_bits), verbatim, bias)
    for population in network.populations:
        work.population(population)
    return Quantized(network, work.populations, work.projections, tuple(work.losses), tuple(work.notes))


def weight_bits_of(network: Network, chip: Chip, given: int | Mapping[str, int] | None) -> dict[str, int]:
    """Bits of the weights into each population. Raises UnsupportedError, UnknownNameError."""
    width = chip.weight_width
    stated = given if isinstance(given, Mapping) else {} if given is None else {"*": given}
    for name, bits in stated.items():
        if name != "*":
            network.population(name)
        if not isinstance(bits, int) or not 2 <= bits <= width.bits:
            raise UnsupportedError(
                f"{chip.path}: weights of {bits} bits were asked for, {chip.name} has 2 to {width.bits} "
                f"({chip.sheet.core.registers['weight'].source}); choose weight_bits in that range"
            )
    return {p.name: stated.get(p.name, stated.get("*", width.bits)) for p in network.populations}


class _Quantizer:
    def __init__(
        self, network: Network, chip: Chip, bits: Mapping[str, int], verbatim: bool, bias: Literal["current", "voltage"]
    ) -> None:
        self.network, self.chip, self.verbatim, self.bias, self.bits = network, chip, verbatim, bias, bits
        self.limits = chip.weight_range
        self.unit = 1 << chip.weight_shift
        self.populations: dict[str, IntegerPopulation] = {}
        self.projections: dict[str, IntegerProjection] = {}
        self.losses: list[Loss] = []
        self.notes: list[str] = []

    def step(self, population: str) -> int:
        """What stored weights into a population are multiples of."""
        return 1 << (self.chip.weight_width.bits - self.bits[population])

    def supported(self, population: str, program: str) -> None:
        """Refuse a program the silicon lacks, before anything else about the population: nothing else would help."""
        allowed = self.chip.sheet.core.programs
        if not allowed.any and admitted(allowed.names, program) is None:
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
            scaling = Scaling(
                self.chip, self.step(population.name), model, self.network.conventions_of(population.name)
            )
            arriving = {label: (post, effective[label]) for label, (_, post, _, _) in incoming.items()}
            choice = scaling.choose(population, arriving, self.bounded(population))
            scale, effective, model = choice.scale, choice.effective, choice.model
            step = self.step(population.name)
            for label, (pre, post, _, delay) in incoming.items():
                stored = np.rint(effective[label] * scale / (self.unit * step)).astype(np.int64) * step
                self.store(label, pre, post, stored, delay)
            self.notes += choice.notes
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

    def bounded(self, population: Population) -> bool:
        """Whether no payload multiplies a weight into the population."""
        routes = [p.routes for p in self.network.into(population.name) if p.routes]
        return not any(mode != "weight" for stated in routes for ports in stated.values() for _, mode in ports)

    # ---- parameters
    def parameters(self, population: Population, model: Discrete, scale: float) -> dict[str, Ints]:
        """The program's parameters, shape (n,)."""

        def rounded(name: str, exact: Floats | float) -> Ints:
            place = f"population '{population.name}': {name} in register units"
            array = np.broadcast_to(np.asarray(exact, np.float64) * scale, (population.n,))
            if self.verbatim:
                return integers(array, place)
            grid = grid_of(self.chip, name)
            return integers(np.rint(array / grid) * grid, place)

        params = {"bias": rounded("bias", model.bias)}
        notes = [bias_lost(population, "bias", model.bias, params["bias"])]
        for name, decay in (("decay_v", model.decay_v), ("decay_u", model.decay_u)):
            if decay is not None:
                params[name] = np.rint(decay * DECAY_ONE).astype(np.int64)
                notes.append(leaks_lost(population, name, decay, params[name]))
        if model.bias_u is not None:
            params["bias_u"] = rounded("bias_u", model.bias_u)
            notes.append(bias_lost(population, "bias_u", model.bias_u, params["bias_u"]))
        if model.threshold is not None and model.reset is not None:
            params["threshold"] = rounded("threshold", model.threshold)
            params["reset"] = rounded("reset", model.reset)
        self.notes += [note for note in notes if note]
        return params

    def loss(
        self,
        population: Population,
        model: Discrete,
        effective: Mapping[str, Floats],
        params: Mapping[str, Ints],
        scale: float,
    ) -> Loss:
        unit = 1 if self.verbatim else self.unit
        weights = np.concatenate([*effective.values(), np.zeros(0)])
        stored = np.concatenate([*(self.projections[label].weight for label in effective), np.zeros(0, np.int64)])
        post = np.concatenate([*(self.projections[label].post for label in effective), np.zeros(0, np.int64)])
        error = stored * unit / scale - weights

        def relative(name: str, exact: Floats | float | None, factor: float) -> float:
            """The largest error of a parameter over its own size, of those that are not 0."""
            if exact is None:
                return 0.0
            values = np.broadcast_to(np.asarray(exact, np.float64), (population.n,))
            return float(
                np.max(np.abs(params[name] / factor - values)[values != 0] / np.abs(values[values != 0]), initial=0.0)
            )

        return Loss(
            node=population.name,
            scale=scale,
            weight_rms=_ratio(error, weights),
            weight_max=_largest_row(error, weights, post, population.n),
            zeroed=int(np.sum((stored == 0) & (weights != 0))),
            threshold=relative("threshold", model.threshold, scale),
            decay=max(relative("decay_v", model.decay_v, DECAY_ONE), relative("decay_u", model.decay_u, DECAY_ONE)),
            bias=max(relative("bias", model.bias, scale), relative("bias_u", model.bias_u, scale)),
            unit=unit,
        )


def _ratio(error: Floats, exact: Floats) -> float:
    """Root mean square of the error over that of the values."""
    largest = float(np.abs(exact).max(initial=0.0))
    if not largest:
        return 0.0
    return float(np.sqrt(np.mean((error / largest) ** 2) / np.mean((exact / largest) ** 2)))


def _largest_row(error: Floats, exact: Floats, post: Ints, n: int) -> float:
    """The largest such ratio among the neurons, each over the weights into it: 1 for a neuron that lost them all."""
    largest = float(np.abs(exact).max(initial=0.0))
    if not largest:
        return 0.0
    lost, whole = (np.bincount(post, (values / largest) ** 2, minlength=n) for values in (error, exact))
    return float(np.sqrt(np.max(lost[whole > 0] / whole[whole > 0], initial=0.0)))
