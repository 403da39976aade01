"""How far an image's leaky integrators can go whatever the input: which neurons can never fire, which are stuck at a limit.

All of this is for the weights the image has; a rule may change them. With D the sum of a neuron's positive weights from
neurons that may fire, shifted to the port and narrowed to its width (times the largest payload where it counts), nothing the
network is sent can lift the registers above

    u <= (D + bias_u) 4096 / decay_u,  narrowed to u        (without a current, u is the drive: u <= D)
    v <= (u + bias) 4096 / decay_v                          (without a leak, v has no bound if u + bias > 0)

as a decay that rounds towards zero never leaves more than the exact one. A neuron whose bound is not past its threshold
never fires, so its own synapses add nothing to D further on. Bounds hold from a soma's first tick on; lower ones are those
of the mirrored neuron.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroemu.base.arrays import Flags, Ints
from neuroemu.chip.width import Bits
from neuroemu.image.image import Image, ImagePopulation

ONE = 4096
FAR = 1 << 50
"""Stands for no bound: beyond every register."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Bounds of a population, shape (n,) each: registers stay within ``low[name] .. high[name]``, FAR if nothing bounds them.

    ``never``: neurons that cannot fire. ``stuck``: those whose u or v ends at a limit of its register whatever the input.
    """

    low: dict[str, Ints]
    high: dict[str, Ints]
    never: Flags
    stuck: Flags


def reach(image: Image, payloads: Mapping[str, tuple[int, int]]) -> dict[str, Reach]:
    """Bounds of every float model's population; ``payloads`` gives the least and largest payload of each host input."""
    fires = [np.ones(population.n, bool) for population in image.populations]
    while True:
        found = {
            population.name: _reach(image, number, fires, payloads)
            for number, population in enumerate(image.populations)
            if not population.is_host
        }
        before = sum(int(flags.sum()) for flags in fires)
        for number, population in enumerate(image.populations):
            if population.name in found:
                fires[number] &= ~found[population.name].never
        if sum(int(flags.sum()) for flags in fires) == before:
            return found


def _reach(image: Image, number: int, fires: list[Flags], payloads: Mapping[str, tuple[int, int]]) -> Reach:
    population = image.populations[number]
    low, high = _drive(image, number, fires, payloads)
    low, high = _narrowed(low, high, image.chip.port_width)
    lows, highs = {"drive": low}, {"drive": high}
    stuck = np.zeros(population.n, bool)
    if "decay_u" in population.params:
        bias, decay = _param(population, "bias_u"), _param(population, "decay_u")
        low, high = low + bias, high + bias
        width = population.widths.get("u_width") or image.chip.bits("state", "u")
        if width is not None and not width.wraps:
            least, most = _limits(width)
            stuck |= (_end(low, decay) > most) | (_end(high, decay) < least)
        low, high = _narrowed(-_most(-low, decay), _most(high, decay), width)
        lows["u"], highs["u"] = low, high
    bias, decay = _param(population, "bias"), _param(population, "decay_v")
    low, high = low + bias, high + bias
    width = image.chip.bits("state", "v")
    if width is not None and not width.wraps:
        least, most = _limits(width)
        stuck |= _end(high, decay) < least
        if population.switches.get("subtract") or "threshold" not in population.params:  # a reset to a value empties v
            stuck |= _end(low - _param(population, "threshold"), decay) > most
    lows["v"], highs["v"] = _floor(population, low, decay), _most(high, decay)
    if width is not None:
        highs["v"] = np.maximum(highs["v"], _limits(width)[0])
        if width.wraps:
            lows["v"], highs["v"] = _narrowed(lows["v"], highs["v"], width)
    return Reach(lows, highs, _never(population, highs["v"]), stuck)


def _drive(image: Image, number: int, fires: list[Flags], payloads: Mapping[str, tuple[int, int]]) -> tuple[Ints, Ints]:
    """Least and largest sum of a tick at a neuron's ports, shifted to their scale."""
    n = image.populations[number].n
    least, most = np.zeros(n), np.zeros(n)
    for projection in image.projections:
        if projection.post != number:
            continue
        source = image.populations[projection.pre]
        for _, mode in (entry for entries in projection.routes.values() for entry in entries):
            by = payloads.get(source.name, (1, 1)) if mode == "weight*payload" else (1, 1)
            for part in projection.parts:
                weight = part.weight.astype(np.float64) * fires[projection.pre][part.pre]
                ends = (weight * by[0], weight * by[1], np.zeros(weight.size))
                most += np.bincount(part.post, np.maximum.reduce(ends), n)
                least += np.bincount(part.post, np.minimum.reduce(ends), n)
    scale = 1 << image.chip.weight_shift
    low, high = (np.clip(side * scale, -FAR, FAR).astype(np.int64) for side in (least, most))
    return low, high


def _never(population: ImagePopulation, high: Ints) -> Flags:
    if "threshold" not in population.params:
        return np.zeros(population.n, bool)
    threshold = _param(population, "threshold")
    below = high < threshold if population.switches.get("inclusive") else high <= threshold
    # a late reset asks for the threshold before the first input: below 0 it would act on a neuron that has not fired
    return below & ((threshold > 0) | (not population.switches.get("late")))


def _floor(population: ImagePopulation, low: Ints, decay: Ints) -> Ints:
    """The lower bound of v: a reset may put it lower than its inputs do."""
    bound = -_most(-low, decay)
    if population.switches.get("subtract"):
        return np.asarray(bound - np.abs(_param(population, "threshold")), np.int64)
    return np.minimum(bound, _param(population, "reset"))


def _most(step: Ints, decay: Ints) -> Ints:
    """The largest x of x <- x (1 - decay/4096) + step, from 0, rounded towards zero."""
    bound = np.full(step.shape, FAR)
    leaks = decay > 0
    bound[leaks] = np.minimum(step, FAR)[leaks] * ONE // decay[leaks]
    return np.minimum(np.where(step <= 0, step, bound), FAR)


def _end(step: Ints, decay: Ints) -> Ints:
    """Where x <- x (1 - decay/4096) + step ends at least as far from 0: rounding takes less than 1 a tick."""
    kept = np.where(decay > 0, np.maximum(np.abs(step) - 1, 0), np.abs(step))
    return np.asarray(np.sign(step) * _most(kept, decay), np.int64)


def _narrowed(low: Ints, high: Ints, width: Bits | None) -> tuple[Ints, Ints]:
    """Bounds after narrowing; a register that may wrap can be anything."""
    if width is None:
        return low, high
    least, most = _limits(width)
    if not width.wraps:
        return np.clip(low, least, most), np.clip(high, least, most)
    wraps = (low < least) | (high > most)
    return np.where(wraps, least, low), np.where(wraps, most, high)


def _limits(width: Bits) -> tuple[int, int]:
    return -(1 << (width.bits - 1)), (1 << (width.bits - 1)) - 1


def _param(population: ImagePopulation, name: str) -> Ints:
    """A parameter as one value a neuron; 0 if the program has none."""
    return np.broadcast_to(np.asarray(population.params.get(name, 0), np.int64), (population.n,))
