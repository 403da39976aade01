"""Number the axons of every core and list, for every neuron and channel, the axons its packets go to.

The compiler makes an image's tables so, and the reader of an image holds the tables it finds against them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.image.parts import ImagePopulation, ImageProjection, Routing

_CORE_BITS = 32
"""A key's core field has no more."""


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
            codes = np.unique(
                part.pre << _CORE_BITS | core_of[part.post]
            )  # one number a pair: pairs sort fifty times slower
            for channel in projection.routes:
                found.setdefault((projection.pre, channel), []).append(codes)
    distinct = {key: np.unique(np.concatenate(codes)) for key, codes in sorted(found.items())}
    mask = (1 << _CORE_BITS) - 1
    return {key: np.stack([codes >> _CORE_BITS, codes & mask], axis=1) for key, codes in distinct.items()}
