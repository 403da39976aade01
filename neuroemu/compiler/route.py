"""Hold routing tables against the chip: entries of a core, targets of a neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import CapacityError
from neuroemu.chip.chip import Chip
from neuroemu.image.image import ImagePopulation, Routing
from neuroemu.image.routing import route as route


def sent(routing: Routing, populations: Sequence[ImagePopulation]) -> dict[int, Ints]:
    """Routing entries of every neuron on the chip, over all channels, by population. The host has as many as it likes."""
    entries: dict[int, Ints] = {}
    for (number, _), (indptr, _axons) in routing.entries.items():
        if not populations[number].is_host:
            entries[number] = entries.get(number, 0) + np.diff(indptr)
    return entries


def excess(routing: Routing, populations: Sequence[ImagePopulation], chip: Chip) -> CapacityError | None:
    """The error for a core or a neuron with more routing entries than the chip has; None if all is within the limits."""
    entries = sent(routing, populations)
    return _core_excess(entries, populations, chip) or _neuron_excess(entries, populations, chip)


def _core_excess(
    entries: Mapping[int, Ints], populations: Sequence[ImagePopulation], chip: Chip
) -> CapacityError | None:
    limit = chip.limit("axons_out")
    slices = sorted((s.core, s.slot, k, s) for k, population in enumerate(populations) for s in population.slices)
    if limit is None or not slices:
        return None
    out = np.concatenate(
        [entries[k][s.low : s.high] if k in entries else np.zeros(s.high - s.low, np.int64) for *_, k, s in slices]
    )
    core_of = np.concatenate([np.full(s.high - s.low, s.core) for *_, s in slices])
    used = np.bincount(core_of, out).astype(np.int64)
    core = int(np.argmax(used))
    if used[core] <= limit:
        return None
    names = ", ".join(
        f"'{population.name}'" for population in populations if any(s.core == core for s in population.slices)
    )
    here = np.cumsum(out[core_of == core])
    return CapacityError(
        f"{chip.path}: core {core} with {names} needs {used[core]} routing entries, {chip.name} has {limit} axons out "
        f"({chip.source('axons_out')}); the first {np.sum(here <= limit)} of its {here.size} neurons fit, "
        "put the rest elsewhere, or their targets on fewer cores"
    )


def _neuron_excess(
    entries: Mapping[int, Ints], populations: Sequence[ImagePopulation], chip: Chip
) -> CapacityError | None:
    limit = chip.limit("targets")
    for number, out in sorted(entries.items()) if limit is not None else ():
        neuron = int(np.argmax(out))
        if out[neuron] > limit:
            population = populations[number]
            return CapacityError(
                f"{chip.path}: neuron {neuron} of population '{population.name}' on core {population.core_of[neuron]} sends to "
                f"{out[neuron]} axons, a neuron of {chip.name} to at most {limit} ({chip.source('targets')}); "
                "put its targets on fewer cores, or relay it through neurons"
            )
    return None
