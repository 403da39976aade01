"""The largest sum a port can receive in a tick: what accumulators are sized by, and what must stay within 64 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.image.image import ImageProjection

PAYLOAD = 1 << 31
"""Largest magnitude of a payload."""


def port_bound(
    projections: Sequence[ImageProjection], number: int, n: int, port: str, weight_bits: Mapping[str, int]
) -> int:
    """Largest magnitude of a tick's sum of stored weights at a port of any of the ``n`` neurons of population ``number``.

    Every source sends at most one packet a channel and tick. ``weight_bits`` gives the weight register's bits of projections
    whose rule may change the weights; the others count with the weights they have.
    """
    total = np.zeros(n, object)
    for projection in projections:
        if projection.post == number:
            once = _magnitudes(projection, n, weight_bits.get(projection.name))
            for ports in projection.routes.values():
                for name, mode in ports:
                    if name == port:
                        total += once * (PAYLOAD if mode == "weight*payload" else 1)
    return int(max(total, default=0))


def _magnitudes(projection: ImageProjection, n: int, bits: int | None) -> NDArray[np.object_]:
    sums: Ints = np.zeros(n, np.int64)
    bits = bits if projection.view is None else projection.view[2]
    for part in projection.parts:
        largest: Ints = np.abs(part.weight.astype(np.int64))
        np.add.at(sums, part.post, largest if bits is None else 1 << (bits - 1))
    return sums.astype(object)
