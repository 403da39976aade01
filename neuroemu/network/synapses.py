"""A projection's synapses as lists in the order of their ids, from what the user gave: a matrix, or lists in any order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Floats, Ints
from neuroemu.base.errors import NetworkError
from neuroemu.network.network import BEYOND, Projection, Sparse


def synapses(projection: Projection, n_pre: int, n_post: int) -> tuple[Ints, Ints, Floats, Ints]:
    """The projection's synapses as (pre, post, weight, delay), sorted by (pre, post, delay): the order of their ids.

    A dense matrix gives every pair, zeros included. Raises NetworkError for shapes, ranges and duplicates that do not fit.
    """
    label = projection.label
    if isinstance(projection.weight, Sparse):
        pre, post, weight, delay = _from_sparse(projection, projection.weight)
    else:
        matrix = _numbers(projection.weight, f"projection '{label}': weight")
        if matrix.shape != (n_pre, n_post):
            raise NetworkError(
                f"projection '{label}': weight has shape {matrix.shape}, its populations need ({n_pre}, {n_post}); "
                "rows are pre, columns post (NIR's matrices are transposed)"
            )
        pre, post = (axis.ravel().astype(np.int64) for axis in np.indices(matrix.shape))
        weight = matrix.ravel()
        ticks_of = _numbers(projection.delay, f"projection '{label}': delay")
        if ticks_of.size != 1 and ticks_of.shape != matrix.shape:
            raise NetworkError(
                f"projection '{label}': delay has shape {ticks_of.shape}, its weight {matrix.shape}; give one, or one a synapse"
            )
        delay = np.broadcast_to(ticks_of.ravel() if ticks_of.size == 1 else ticks_of, matrix.shape).ravel()
    for axis, index, size in (("pre", pre, n_pre), ("post", post, n_post)):
        if index.size and (index.min() < 0 or index.max() >= size):
            bad = int(index.min() if index.min() < 0 else index.max())
            raise NetworkError(f"projection '{label}': {axis} index {bad} is outside 0..{size - 1}; correct the list")
    wrong = (delay < 0) | (delay != np.rint(delay)) | (delay >= BEYOND)
    if wrong.any():
        bad_delay = float(delay[wrong][0])
        raise NetworkError(
            f"projection '{label}': delay {bad_delay:g} is not a whole number of ticks from 0 to {BEYOND - 1}; correct it"
        )
    ticks = delay.astype(np.int64)
    order = np.lexsort((ticks, post, pre))
    pre, post, weight, ticks = pre[order], post[order], weight[order], ticks[order]
    same = (np.diff(pre) == 0) & (np.diff(post) == 0) & (np.diff(ticks) == 0)
    if same.any():
        k = int(np.flatnonzero(same)[0])
        raise NetworkError(
            f"projection '{label}': synapse {pre[k]} -> {post[k]} at delay {ticks[k]} is listed twice; add the weights into one"
        )
    return pre, post, weight, ticks


def kernel_entries(projection: Projection) -> Ints | None:
    """The kernel entry of every synapse, in the order of ``synapses``; None if each has a weight of its own."""
    lists = projection.weight
    if not isinstance(lists, Sparse) or lists.shared is None:
        return None
    pre, post, weight, delay = _from_sparse(projection, lists)
    shared = _numbers(lists.shared, f"projection '{projection.label}': shared").astype(np.int64).ravel()
    if shared.size != weight.size:
        raise NetworkError(
            f"projection '{projection.label}': shared has {shared.size} entries for {weight.size} synapses; give one a synapse"
        )
    by_entry = np.lexsort((weight, shared))
    torn = (np.diff(shared[by_entry]) == 0) & (np.diff(weight[by_entry]) != 0)
    if torn.any():
        entry = shared[by_entry][int(np.flatnonzero(torn)[0])]
        raise NetworkError(
            f"projection '{projection.label}': synapses that share entry {entry} have different weights; give them one "
            "weight, or each its own entry of shared"
        )
    return np.asarray(shared[np.lexsort((delay.astype(np.int64), post, pre))])


def _from_sparse(projection: Projection, lists: Sparse) -> tuple[Ints, Ints, Floats, Floats]:
    label = projection.label
    weight = _numbers(lists.weight, f"projection '{label}': weight").ravel()
    pre = _numbers(lists.pre, f"projection '{label}': pre").ravel()
    post = _numbers(lists.post, f"projection '{label}': post").ravel()
    delay = _numbers(projection.delay if lists.delay is None else lists.delay, f"projection '{label}': delay")
    delay = np.broadcast_to(delay, weight.shape) if delay.size == 1 else delay.ravel()
    if not pre.size == post.size == weight.size == delay.size:
        raise NetworkError(
            f"projection '{label}': lists have {pre.size} pre, {post.size} post, {weight.size} weight and {delay.size} delay "
            "entries; give one of each per synapse"
        )
    for axis, index in (("pre", pre), ("post", post)):
        broken = index[index != np.rint(index)]
        if broken.size:
            raise NetworkError(
                f"projection '{label}': {axis} index {broken[0]:g} is not a whole number; correct the list"
            )
    pre, post = (np.clip(index, -BEYOND, BEYOND) for index in (pre, post))  # what no population has stays outside of it
    return pre.astype(np.int64), post.astype(np.int64), weight, delay


def _numbers(value: ArrayLike, place: str) -> Floats:
    try:
        given = np.asarray(value)
        array = given.real.astype(np.float64)
    except (TypeError, ValueError):
        raise NetworkError(f"{place} is not numeric; give numbers") from None
    if given.dtype.kind == "c":
        raise NetworkError(f"{place} holds complex numbers; give real ones")
    if not np.isfinite(array).all():
        raise NetworkError(f"{place} holds {array[~np.isfinite(array)].flat[0]}; give finite numbers")
    return array
