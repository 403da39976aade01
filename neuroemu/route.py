"""Number the axons of every core and list, for every neuron and channel, the axons its packets go to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuroemu.aer import KeyLayout
from neuroemu.chip import Chip
from neuroemu.errors import CapacityError
from neuroemu.image import HOST, ImagePopulation, ImageProjection, Routing
from neuroemu.network import Ints


def route(populations: Sequence[ImagePopulation], projections: Sequence[ImageProjection], chip: Chip) -> Routing:
    """The routing tables. A neuron sends one packet per channel to each core that holds synapses of it on that channel.

    Raises CapacityError where a core needs more axons or routing entries than the chip has.
    """
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
    routing = Routing(core, index, source, neuron, entries)
    _check(routing, populations, chip)
    _check_targets(routing, populations, chip)
    _check_kinds(populations, projections, chip)
    return routing


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


def _check(routing: Routing, populations: Sequence[ImagePopulation], chip: Chip) -> None:
    used = np.bincount(routing.axon_core, minlength=1)
    core = int(np.argmax(used))
    addressable = KeyLayout.of(chip.sheet.key).n_axons
    if used[core] > addressable:
        raise CapacityError(
            f"{chip.path}: core {core} has {used[core]} axons, a key of {chip.name} addresses {addressable} "
            f"({chip.sheet.key.source}); use more cores, or a chip with wider keys"
        )
    limit = chip.limit("axons_out")
    if limit is None:
        return
    out = np.zeros(chip.n_cores, np.int64)
    for (number, _), (indptr, _axons) in routing.entries.items():
        cores = populations[number].core_of
        if populations[number].is_host:
            continue
        assert np.all(cores != HOST)
        np.add.at(out, cores, np.diff(indptr))
    core = int(np.argmax(out))
    if out[core] > limit:
        names = ", ".join(f"'{p.name}'" for p in populations if any(s.core == core for s in p.slices))
        raise CapacityError(
            f"{chip.path}: core {core} with {names} needs {out[core]} routing entries, {chip.name} has {limit} axons out "
            f"({chip.source('axons_out')}); put fewer of these neurons on a core, or their targets on fewer cores"
        )


def _check_targets(routing: Routing, populations: Sequence[ImagePopulation], chip: Chip) -> None:
    """A neuron's routing entries, over all channels, where the chip limits them. The host has as many as it likes."""
    limit = chip.limit("targets")
    if limit is None:
        return
    for number, population in enumerate(populations):
        indptrs = [indptr for (source, _), (indptr, _axons) in routing.entries.items() if source == number]
        if population.is_host or not indptrs:
            continue
        out = np.sum([np.diff(indptr) for indptr in indptrs], axis=0)
        neuron = int(np.argmax(out))
        if out[neuron] > limit:
            raise CapacityError(
                f"{chip.path}: neuron {neuron} of population '{population.name}' sends to {out[neuron]} axons, a neuron of "
                f"{chip.name} to {limit} ({chip.source('targets')}); put its targets on fewer cores, or relay it through neurons"
            )


def _check_kinds(populations: Sequence[ImagePopulation], projections: Sequence[ImageProjection], chip: Chip) -> None:
    """Different (ports, delay) of an axon's synapses, where the chip limits them."""
    limit = chip.limit("axon_kinds")
    if limit is None:
        return
    kinds: dict[tuple[int, int, int], set[tuple[str, int]]] = {}
    for projection in projections:
        core_of = populations[projection.post].core_of
        ports = str(sorted(projection.routes.items()))
        for part in projection.parts:
            for neuron, core in np.unique(np.stack([part.pre, core_of[part.post]], axis=1), axis=0):
                kinds.setdefault((projection.pre, int(neuron), int(core)), set()).add((ports, part.delay))
    for (source, neuron, core), found in sorted(kinds.items()):
        if len(found) > limit:
            raise CapacityError(
                f"{chip.path}: the axon of neuron {neuron} of population '{populations[source].name}' on core {core} has synapses of "
                f"{len(found)} kinds (ports and delay), {chip.name} has {limit} ({chip.source('axon_kinds')}); "
                "use a source for each kind"
            )
