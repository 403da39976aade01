"""Encoders: images into packets. Each is an exact integer formula of one sample, so batches of any size give the same packets.

order = permutation of the samples                              # one epoch
for part in ne.encode.batches(train.inputs, partial(ne.encode.ttfs, ticks=50, top=train.top), order=order, epoch=epoch):
    ...                                                         # a Stimulus of 256 presentations
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import StimulusError
from neuroemu.language.draws import ENCODE_SITE, permutation, site_key, tick_key, uniform, unit_key
from neuroemu.language.isa import MAX_TICKS
from neuroemu.network.stimulus import PAYLOAD_LIMIT, Events, Stimulus, check_first

BATCH = 256
"""Presentations encoded at a time: 256 of 784 pixels and 100 ticks are 20 million places, 60,000 would be 5 billion."""
DRAW_BITS = 32
"""Bits of the number that `rate` compares with a pixel's probability."""
CACHED_DRAWS = 1 << 16
"""Draws made at a time: few enough for a processor's cache."""

__all__ = ["batches", "graded", "permutation", "rate", "ttfs"]


class Encoder(Protocol):
    """What `batches` calls: `ttfs`, `rate` or `graded` with all but values and first given."""

    def __call__(self, values: NDArray[np.generic], *, first: int) -> Stimulus: ...


def ttfs(
    values: ArrayLike, ticks: int, first: int = 0, *, top: int, window: int | None = None, name: str = "input"
) -> Stimulus:
    """Time to first spike: a pixel x > 0 sends one packet, of payload 1, at row ``window * (top - x) // top``; a zero never does.

    ``values`` has shape (n, features...) with integers 0..top: the brightest comes in row 0, none later than row window - 1.
    ``ticks`` is the rows of a presentation, ``window`` those in which input comes (None: all of them).
    ``first`` is the number of the first presentation, ``name`` the host input. Raises StimulusError.
    """
    pixels = _pixels(values, ticks, first, top)
    width = ticks if window is None else window
    if not 1 <= width <= ticks:
        raise StimulusError(f"window is {width}; use 1 to {ticks}, the ticks of a presentation")
    lit = np.flatnonzero(pixels != 0)  # ten times as fast as np.nonzero of the matrix
    sample, neuron = np.divmod(lit, pixels.shape[1])
    row = width * (top - pixels.ravel()[lit]) // top
    return _stimulus(name, pixels, ticks, first, sample, row, neuron)


def rate(
    values: ArrayLike, ticks: int, seed: int, first: int = 0, *, top: int, peak: float = 1.0, name: str = "input"
) -> Stimulus:
    """Bernoulli spikes: in every row a pixel x sends a packet, of payload 1, with probability ``peak * x / top``.

    It does iff ``uniform(key, 0, 32) < x * P // top`` with P = peak * 2**32, rounded, and the key of (seed, presentation, row,
    pixel) as hooks of the firmware have it: nothing depends on batches or their order. ``values`` has shape (n, features...)
    with integers 0..top; presentation b has number first + b. Raises StimulusError.
    """
    pixels = _pixels(values, ticks, first, top)
    if not 0 < peak <= 1:
        raise StimulusError(f"peak is {peak}; it is the probability of a full pixel in a tick, above 0 and at most 1")
    if not -(1 << 63) <= seed < 1 << 63:
        raise StimulusError(f"seed is {seed}; use one from -2**63 to 2**63 - 1")
    limit = pixels * round(peak * (1 << DRAW_BITS)) // top
    hits = [_draws(limit[b], ticks, seed, first + b) for b in range(limit.shape[0])]
    sample = np.repeat(np.arange(limit.shape[0]), [row.size for row, _ in hits])
    row, neuron = (np.concatenate(part) for part in zip(*hits, strict=True))
    return _stimulus(name, pixels, ticks, first, sample, row, neuron)


def _draws(limit: Ints, ticks: int, seed: int, presentation: int) -> tuple[Ints, Ints]:
    """Rows and neurons of one presentation's packets, in order. ``limit`` has shape (neurons,)."""
    lit = np.flatnonzero(limit)
    step = max(1, CACHED_DRAWS // limit.size)
    found_rows, found_neurons = [], []
    for low in range(0, ticks, step):
        rows = np.arange(low, min(low + step, ticks))
        base = site_key(tick_key(seed, presentation, rows), ENCODE_SITE)
        row, place = np.nonzero(uniform(unit_key(base[:, None], lit), 0, DRAW_BITS) < limit[lit])
        found_rows.append(rows[row])
        found_neurons.append(lit[place])
    return np.concatenate(found_rows), np.concatenate(found_neurons)


def graded(
    values: ArrayLike, ticks: int, first: int = 0, *, once: bool = True, shift: int = 0, name: str = "input"
) -> Stimulus:
    """Graded packets: a pixel x sends payload x / 2**shift, rounded towards zero, in row 0 or (``once=False``) in every row.

    ``values`` has shape (n, features...) with signed integers; a payload of zero is not sent. Raises StimulusError.
    """
    signed = _values(values, ticks, first)
    if not 0 <= shift < 32:
        raise StimulusError(f"shift is {shift}; use 0 to 31")
    payloads = np.sign(signed) * (np.abs(signed) >> shift)
    sample, neuron = np.nonzero(payloads)
    repeats = 1 if once else ticks
    row = np.repeat(np.arange(repeats), sample.size)
    sample, neuron = np.tile(sample, repeats), np.tile(neuron, repeats)
    return _stimulus(name, signed, ticks, first, sample, row, neuron, payloads[sample, neuron])


def batches(
    values: NDArray[np.generic],
    encoder: Encoder,
    *,
    order: ArrayLike | None = None,
    epoch: int = 0,
    start: int = 0,
    size: int = BATCH,
) -> Iterator[Stimulus]:
    """Stimuli of ``size`` presentations each, encoded one after the other as they are asked for.

    ``values`` has shape (n, features...); ``order`` (N,) numbers the samples of an epoch as they come (None: all, as they lie).
    Position p of the epoch is presentation epoch * N + p. ``start`` is the first position, for what was interrupted.
    Raises StimulusError.
    """
    values = np.atleast_1d(values)
    chosen = np.arange(values.shape[0]) if order is None else np.asarray(order)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size:
        raise StimulusError(
            f"the order has shape {chosen.shape} and dtype {chosen.dtype}; give numbers of samples, shape (N,)"
        )
    if int(chosen.min()) < 0 or int(chosen.max()) >= values.shape[0]:
        wrong = int(chosen.min()) if int(chosen.min()) < 0 else int(chosen.max())
        raise StimulusError(f"the order names sample {wrong}; there are 0..{values.shape[0] - 1}")
    if size < 1:
        raise StimulusError(f"size is {size}; encode at least 1 presentation at a time")
    if not 0 <= start <= chosen.size:
        raise StimulusError(f"start is {start}; an epoch of {chosen.size} presentations starts at 0 to {chosen.size}")
    zero = epoch * chosen.size
    return (encoder(values[chosen[low : low + size]], first=zero + low) for low in range(start, chosen.size, size))


# ---- what every encoder does
def _values(values: ArrayLike, ticks: int, first: int) -> Ints:
    """The samples, flat: (n, neurons)."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise StimulusError("values are lists of unequal length; give an array") from None
    if array.ndim < 2 or not array.size or array.dtype.kind not in "biu":
        raise StimulusError(
            f"values have shape {array.shape} and dtype {array.dtype}; give integers of shape (presentations, features...)"
        )
    if not 1 <= ticks <= MAX_TICKS:
        raise StimulusError(f"ticks is {ticks}; use 1 to {MAX_TICKS}")
    check_first(first)
    low, high = int(array.min()), int(array.max())
    if low <= -PAYLOAD_LIMIT or high >= PAYLOAD_LIMIT:
        raise StimulusError(f"values hold {high if high >= PAYLOAD_LIMIT else low}; a payload has 32 bits")
    return array.reshape(array.shape[0], -1).astype(np.int64)


def _pixels(values: ArrayLike, ticks: int, first: int, top: int) -> Ints:
    """The samples, flat, in 0..top."""
    pixels = _values(values, ticks, first)
    low, high = int(pixels.min()), int(pixels.max())
    if not 1 <= top < PAYLOAD_LIMIT:
        raise StimulusError(f"top is {top}; it is the value of a full pixel, from 1 to 2**31 - 1")
    if low < 0 or high > top:
        raise StimulusError(
            f"values hold {low if low < 0 else high}, a full pixel is {top}; give values in 0..{top}, or another top"
        )
    return pixels


def _stimulus(
    name: str,
    samples: Ints,
    ticks: int,
    first: int,
    sample: Ints,
    row: Ints,
    neuron: Ints,
    payload: Ints | None = None,
) -> Stimulus:
    """The packets, ordered by presentation and row; they come with the neurons of a presentation and row ascending."""
    n = samples.shape[0]
    place = sample * ticks + row
    if np.any(place[1:] < place[:-1]):
        # 16-bit keys are sorted by counting
        order = np.argsort(place.astype(np.uint16) if n * ticks <= 1 << 16 else place, kind="stable")
        place, neuron, payload = place[order], neuron[order], None if payload is None else payload[order]
    ends = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=n * ticks))])
    indptr = ends[np.arange(n)[:, None] * ticks + np.arange(ticks + 1)]
    carried = np.ones(place.size, np.int32) if payload is None else payload.astype(np.int32)
    return Stimulus(ticks, n, {name: Events(indptr, neuron.astype(np.int32), carried)}, first=first)
