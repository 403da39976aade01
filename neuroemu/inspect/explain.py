"""explain: where an image's integers leave the float network, node by node and layer by layer.

What quantisation did to each node; which neurons can never fire, are stuck at a limit, silent or always firing; and on a
sample input how many (presentation, tick, neuron) bins of each population differ from the float simulation, and where first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich import box
from rich.table import Table

from neuroemu.base.arrays import Flags
from neuroemu.base.errors import NetworkError, RunError
from neuroemu.chip.width import Bits
from neuroemu.engines.run import as_stimulus, host_sizes
from neuroemu.engines.run import run as execute
from neuroemu.image.image import Image, ImagePopulation
from neuroemu.image.loss import Loss
from neuroemu.inspect.reach import Reach, reach
from neuroemu.network.network import Network
from neuroemu.network.reference import Reference, simulate
from neuroemu.network.stimulus import Events, Stimulus, dense_inputs
from neuroemu.results.report import as_text
from neuroemu.results.run import Run

PROBED = 4_000_000
"""Register values kept at once: presentations beyond are not looked at for saturation."""
NEVER = (
    "bounds: v <= (u + bias) 4096 / decay_v, u <= (D + bias_u) 4096 / decay_u or the drive D itself: the sum of all positive weights "
    "from neurons that may fire"
)
NAMED = 8
"""Neurons that a line names."""


@dataclass(frozen=True)
class Findings:
    """Neurons of a population, by number, that something is wrong with.

    Whatever the input (module reach), ``never`` cannot fire, given with the largest v in reach and the threshold, and
    ``stuck`` ends at the limit of a register; ``saturated`` gives the share of ticks in which u or v was at the limit of its
    register on the sample input. ``silent`` never fired on it, ``always`` fired in every tick; ``silent_in_float`` and
    ``always_in_float`` count those of the float network.
    """

    node: str
    n: int
    never: dict[int, tuple[int, int]]
    stuck: tuple[int, ...]
    saturated: dict[int, float]
    silent: tuple[int, ...]
    always: tuple[int, ...]
    silent_in_float: int
    always_in_float: int

    def sentences(self) -> Iterable[str]:
        """What is wrong, a line for each kind."""
        place = f"of {self.n} neurons of '{self.node}'"
        if self.never:
            reached = [f"{k} (v <= {high}, threshold {threshold})" for k, (high, threshold) in self.never.items()]
            yield f"can never fire: {len(reached)} {place}: {_some(reached)}"
        if self.always_saturated:
            yield f"always saturated: {len(self.always_saturated)} {place}: {_some(self.always_saturated)}"
        partly = [
            f"{k} ({share:.2%} of ticks)" for k, share in self.saturated.items() if k not in self.always_saturated
        ]
        if partly:
            yield f"saturated at times: {len(partly)} {place}: {_some(partly)}"
        if self.silent:
            yield f"silent on this input: {len(self.silent)} {place} ({self.silent_in_float} in float): {_some(self.silent)}"
        if self.always:
            yield f"firing in every tick: {len(self.always)} {place} ({self.always_in_float} in float): {_some(self.always)}"

    @property
    def always_saturated(self) -> tuple[int, ...]:
        """Neurons at a limit in every tick looked at, or bound to end there."""
        return tuple(sorted({*self.stuck, *(neuron for neuron, share in self.saturated.items() if share == 1)}))


@dataclass(frozen=True)
class Divergence:
    """A population on the chip against the same in float, on the sample input: ``wrong`` of ``bins`` (presentation, tick, neuron).

    ``first`` is the earliest wrong bin of the first presentation that has one, and whether the chip fired there. Rates are
    spikes a bin; ``correlation`` is Pearson's, of the neurons' rates, None if either side's are all equal. A read-out, which
    never spikes, has its root mean square error at the end, relative to the largest float value.
    """

    node: str
    bins: int
    wrong: int
    first: tuple[int, int, int] | None
    chip_fired: bool
    rate_float: float
    rate_chip: float
    correlation: float | None
    readout_rms: float | None

    @property
    def share(self) -> float:
        """Share of bins that differ."""
        return self.wrong / self.bins


@dataclass(frozen=True)
class Explanation:
    """What became of a float network on a chip. ``n`` presentations of ``rows`` ticks were compared, ``n_probed`` for saturation."""

    chip: str
    weight_shift: int
    n: int
    rows: int
    n_probed: int
    losses: tuple[Loss, ...]
    neurons: tuple[Findings, ...]
    divergences: tuple[Divergence, ...]
    saturations: Mapping[str, int]
    """Results that did not fit their register, counted in the run by ``population.register``."""
    accuracy_float: float | None = None
    accuracy_chip: float | None = None

    @property
    def accuracy_change(self) -> float | None:
        """Accuracy on the chip less that in float; None without labels."""
        if self.accuracy_chip is None or self.accuracy_float is None:
            return None
        return self.accuracy_chip - self.accuracy_float

    def as_dict(self) -> dict[str, Any]:
        """The explanation for JSON."""
        return {
            "chip": self.chip,
            "weight_shift": self.weight_shift,
            "presentations": self.n,
            "rows": self.rows,
            "presentations_probed": self.n_probed,
            "nodes": [asdict(loss) | {"exponent": exponent(loss)} for loss in self.losses],
            "neurons": [asdict(one) | {"always_saturated": list(one.always_saturated)} for one in self.neurons],
            "divergence": [asdict(one) | {"share": one.share} for one in self.divergences],
            "saturations": dict(self.saturations),
            "accuracy_float": self.accuracy_float,
            "accuracy_chip": self.accuracy_chip,
            "accuracy_change": self.accuracy_change,
        }

    def __str__(self) -> str:
        return as_text(self.renderables())

    def renderables(self) -> Iterable[Table | str]:
        """Tables and lines, in the order they are printed."""
        yield f"explanation: {self.chip} against float, {self.n} presentations of {self.rows} ticks"
        yield self._nodes()
        yield f"scale: register units of 1.0, exponent its log2; stored weights are shifted left by {self.weight_shift} bits"
        yield from self._findings()
        yield self._layers()
        yield "first apart: presentation/tick/neuron, and which side fires there; rates in spikes a bin"
        if self.accuracy_change is not None:
            points = 100 * self.accuracy_change
            yield f"accuracy: {self.accuracy_chip:.2%} on the chip, {self.accuracy_float:.2%} in float, {points:+.2f} points"

    def _nodes(self) -> Table:
        table = _table("node", "scale", "exponent", "weights: rms error", "largest", "zeroed", "threshold", "decay", "bias")  # fmt: skip
        for loss in self.losses:
            errors = (loss.threshold, loss.decay, loss.bias)
            table.add_row(loss.node, f"{loss.scale:.6g}", f"{exponent(loss):.2f}",
                          f"{loss.weight_rms:.2%}", f"{loss.weight_max:.2%}", str(loss.zeroed), *(f"{e:.2%}" for e in errors))  # fmt: skip
        return table

    def _findings(self) -> Iterable[str]:
        for one in self.neurons:
            yield from one.sentences()
        if any(one.never for one in self.neurons):
            yield NEVER
        for register, n in self.saturations.items():
            yield f"{n} results did not fit {register} and were narrowed"
        if self.n_probed < self.n:
            yield f"registers were looked at in the first {self.n_probed} presentations only"

    def _layers(self) -> Table:
        table = _table("population", "wrong bins", "share", "first apart", "rate in float", "on the chip",
                       "correlation", "read-out error")  # fmt: skip
        for one in self.divergences:
            first = "{}/{}/{} ".format(*one.first) + ("chip" if one.chip_fired else "float") if one.first else "never"
            table.add_row(one.node, str(one.wrong), f"{one.share:.2%}", first, f"{one.rate_float:.4f}", f"{one.rate_chip:.4f}",
                          "" if one.correlation is None else f"{one.correlation:.4f}",
                          "" if one.readout_rms is None else f"{one.readout_rms:.2%}")  # fmt: skip
        return table


def exponent(loss: Loss) -> float:
    """log2 of a node's scale: how many bits below the point its registers keep."""
    return math.log2(loss.scale)


def explain(
    network: Network,
    image: Image,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    labels: ArrayLike | None = None,
    *,
    ticks: int | None = None,
    run: Run | None = None,
    engine: str = "cpu",
) -> Explanation:
    """Explain an image of a float network on dense sample inputs, or for so many ticks without, as ``run`` takes them.

    With labels, the accuracies too. ``run`` is a run of the image on these inputs, made here (by ``engine``) if there is none yet.
    Raises NetworkError for another network's image or one in register units, RunError for another image's run or bad labels.
    """
    _belongs(network, image)
    dense = None if inputs is None else dense_inputs(inputs, host_sizes(image))
    events = as_stimulus(image, dense, ticks)
    run = run or execute(image, events, engine=engine)
    if (run.image_digest, run.stimulus_digest) != (image.digest, events.digest):
        raise RunError("the run is not of this image on these inputs; leave it out, or run the image again")
    exact = simulate(network, dense, ticks=ticks)
    bounds = reach(image, {name: _payloads(part) for name, part in events.events.items()})
    at_limit, n_probed = _at_limit(image, events, engine)
    on_chip = [p for p in image.populations if not p.is_host]
    scales = {loss.node: loss.scale for loss in image.losses}
    accuracy_chip = None if labels is None else run.accuracy(labels)
    return Explanation(
        chip=image.chip.name,
        weight_shift=image.chip.weight_shift,
        n=run.n,
        rows=run.rows,
        n_probed=n_probed,
        losses=image.losses,
        neurons=tuple(_neurons(p, run, exact, bounds[p.name], at_limit[p.name]) for p in on_chip),
        divergences=tuple(_divergence(p.name, run, exact, scales[p.name]) for p in on_chip),
        saturations=run.counts.by_owner("saturation"),
        accuracy_float=None if labels is None else exact.accuracy(labels),
        accuracy_chip=accuracy_chip,
    )


def _some(neurons: Sequence[object]) -> str:
    shown = ", ".join(map(str, neurons[:NAMED]))
    return shown if len(neurons) <= NAMED else f"{shown} and {len(neurons) - NAMED} more"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _belongs(network: Network, image: Image) -> None:
    ours = [f"{p.name} ({p.n})" for p in network.populations]
    theirs = [f"{p.name} ({p.n})" for p in image.populations]
    if ours != theirs:
        raise NetworkError(
            f"the image has populations {', '.join(theirs)}, the network {', '.join(ours)}; "
            "give the network that the image was compiled from"
        )


def _payloads(events: Events) -> tuple[int, int]:
    """The least and the largest payload, 1 if there is none."""
    return int(events.payload.min(initial=1)), int(events.payload.max(initial=1))


def _spikes(population: str, run: Run, exact: Reference) -> tuple[Flags, Flags]:
    """Spikes on the chip and in float, both of shape (presentations, rows, neurons)."""
    return run.raster(population) != 0, exact.spikes[population]


def _neurons(population: ImagePopulation, run: Run, exact: Reference, bound: Reach, at_limit: NDArray[Any]) -> Findings:
    chip, floats = _spikes(population.name, run, exact)
    spiking = population.name not in exact.readout
    threshold = np.broadcast_to(population.params.get("threshold", 0), (population.n,))

    def numbers(flags: Any) -> tuple[int, ...]:
        return tuple(int(k) for k in np.flatnonzero(flags & spiking))

    return Findings(
        node=population.name,
        n=population.n,
        never={k: (int(bound.high["v"][k]), int(threshold[k])) for k in numbers(bound.never)},
        stuck=tuple(int(k) for k in np.flatnonzero(bound.stuck)),
        saturated={int(k): float(at_limit[k]) for k in np.flatnonzero(at_limit)},
        silent=numbers(~chip.any(axis=(0, 1))),
        always=numbers(chip.all(axis=(0, 1))),
        silent_in_float=len(numbers(~floats.any(axis=(0, 1)))),
        always_in_float=len(numbers(floats.all(axis=(0, 1)))),
    )


def _divergence(population: str, run: Run, exact: Reference, scale: float) -> Divergence:
    chip, floats = _spikes(population, run, exact)
    differ = chip != floats
    first: tuple[int, int, int] | None = None
    if differ.any():
        presentation, row, neuron = np.unravel_index(int(differ.argmax()), differ.shape)
        first = int(presentation), int(row), int(neuron)
    error = None
    if population in exact.readout:
        wanted = exact.readout[population]
        largest = float(np.abs(wanted).max()) or 1.0
        error = float(np.sqrt(np.mean((run.readout[population] / scale - wanted) ** 2))) / largest
    return Divergence(
        node=population,
        bins=differ.size,
        wrong=int(differ.sum()),
        first=first,
        chip_fired=bool(chip[first]) if first else False,
        rate_float=float(floats.mean()),
        rate_chip=float(chip.mean()),
        correlation=_correlation(floats.mean(axis=(0, 1)), chip.mean(axis=(0, 1))),
        readout_rms=error,
    )


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    if a.size < 2 or np.all(a == a[0]) or np.all(b == b[0]):
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _at_limit(image: Image, events: Stimulus, engine: str) -> tuple[dict[str, NDArray[Any]], int]:
    """Share of ticks in which u or v of each neuron stood at a limit, from a run that probes them, and its presentations."""
    probes: dict[tuple[int, str], Bits] = {}
    for number, population in enumerate(image.populations):
        program = image.program_of(population)
        for register in program.registers if program else ():
            width = image.chip.bits("state", register)
            if register in ("u", "v") and width is not None and not width.wraps:
                probes[number, register] = width
    rows, n = events.rows, events.n
    each = (rows + image.lag) * sum(image.populations[number].n for number, _ in probes)
    n = min(n, max(1, PROBED // max(each, 1)))
    run = execute(replace(image, probes=tuple(probes)), events.slice(0, n), engine=engine)
    shares = {population.name: np.zeros(population.n) for population in image.populations}
    for (number, register), width in probes.items():
        population = image.populations[number]
        half = 1 << (width.bits - 1)
        values = run.probes[population.name, register][:, population.enable : population.enable + rows]
        share = ((values == half - 1) | (values == -half)).mean(axis=(0, 1))
        shares[population.name] = np.maximum(shares[population.name], share)
    return shares, n
