"""Number the axons of every core and list, for every neuron and channel, the axons its packets go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import CapacityError
from neuroemu.chip.chip import Chip
from neuroemu.image.image import ImagePopulation, ImageProjection, Routing


def route(populations: Sequence[ImagePopulation], projections: Sequence[ImageProjection]) -> Routing:
    """The routing tables. A neuron sends one packet per channel to each core that holds synapses of it on that channel."""
    reached = _reached(populations, projections)
    stride = max(population.n for population in populations)

    def code(source: int, pairs: Ints) -> Ints:
        """One sortable number per axon: core, then source population, then neuron."""
        return (pairs[:, 1] * len(populations) + source) * stride + pairs[:, 0]

    codes = np.unique(
        np.concatenate([*(code(source, pairs) for (source, _), pairs in reached.items()), np.zeros(0, np.int64)])
    )
    owner, neuron = np.divmod(codes, stride)
    core, source = np.divmod(owner, len(populations))
    index = np.arange(core.size) - np.searchsorted(core, core)
    entries = {}
    for (number, channel), pairs in reached.items():
        indptr = np.searchsorted(pairs[:, 0], np.arange(populations[number].n + 1))
        entries[number, channel] = (indptr, np.searchsorted(codes, code(number, pairs)))
    return Routing(core, index, source, neuron, entries)


def _reached(
    populations: Sequence[ImagePopulation], projections: Sequence[ImageProjection]
) -> dict[tuple[int, str], Ints]:
    """Sorted, distinct (neuron, core) pairs by source population and channel."""
    found: dict[tuple[int, str], list[Ints]] = {}
    for projection in projections:
        core_of = populations[projection.post].core_of
        for part in projection.parts:
            pairs = np.stack([part.pre, core_of[part.post]], axis=1)
            for channel in projection.routes:
                found.setdefault((projection.pre, channel), []).append(pairs)
    return {key: np.unique(np.concatenate(pairs), axis=0) for key, pairs in sorted(found.items())}


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
