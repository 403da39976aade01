"""Neighbourhoods of a competitive population: who is whose rival, for the winner unit (docs/machine.md, a tick)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import NetworkError
from neuroemu.network.integers import integers
from neuroemu.network.network import Population


class Rivals(NamedTuple):
    """Rivals of neuron i are ``rivals[first[i]:first[i + 1]]``, ascending, itself among them."""

    first: Ints
    rivals: Ints


def neighbourhood(shape: tuple[int, ...], radius: int, *, whole_map: bool = False) -> Ints:
    """Pairs of rivals in a population of shape (maps, rows, columns), for ``Population(neighbours=...)``: shape (k, 2).

    Neurons of all maps whose rows and columns are each at most ``radius`` apart; 0 is the same place in the other maps.
    ``whole_map`` adds every pair of one map: Thiele 2019, chapter 3, has radius 2 and whole maps where neurons learn. A shape
    (rows, columns) is one map. Raises NetworkError for a shape of another kind or a radius below 0.
    """
    if len(shape) not in (2, 3) or min(shape) < 1 or radius < 0:
        raise NetworkError(
            f"neighbourhood of shape {tuple(shape)} and radius {radius}; give (maps, rows, columns) or (rows, columns), "
            "and a radius of at least 0"
        )
    maps, rows, columns = (1, *shape) if len(shape) == 2 else shape
    place = np.arange(rows * columns)
    row, column = np.divmod(place, columns)
    near = (np.abs(row[:, None] - row) <= radius) & (np.abs(column[:, None] - column) <= radius)
    number = np.arange(maps)
    pairs = []
    for same, relation in ((False, near), (True, np.ones_like(near) if whole_map else near)):
        a, b = np.nonzero(relation)
        m, n = np.nonzero((number[:, None] == number) == same)
        pre = m[:, None] * place.size + a
        post = n[:, None] * place.size + b
        pairs.append(np.stack([pre.ravel(), post.ravel()], axis=1))
    both = np.concatenate(pairs)
    return np.asarray(both[both[:, 0] != both[:, 1]], np.int64)


def rivals(source: Population) -> dict[str, Rivals] | None:
    """The neighbourhoods of a competitive population by flag, None if it has none. Raises NetworkError."""
    given, place = source.neighbours, f"population '{source.name}'"
    if given is None:
        return None
    if source.groups is not None:
        raise NetworkError(f"{place} has groups and neighbours; give one of them")
    if not isinstance(given, Mapping):
        same = _relation(given, source.n, f"{place}: neighbours")
        return dict.fromkeys(source.compete, same)
    if set(given) != set(source.compete):
        raise NetworkError(
            f"{place}: neighbours are given for {', '.join(given) or 'no flag'}, but {', '.join(source.compete)} competes; "
            "give pairs for each"
        )
    return {flag: _relation(given[flag], source.n, f"{place}: neighbours of '{flag}'") for flag in source.compete}


def _relation(given: ArrayLike, n: int, place: str) -> Rivals:
    pairs = integers(given, place)
    if pairs.size == 0:
        pairs = pairs.reshape(0, 2)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise NetworkError(f"{place} has shape {pairs.shape}; give pairs of neurons, shape (k, 2)")
    outside = pairs[(pairs < 0) | (pairs >= n)]
    if outside.size:
        raise NetworkError(f"{place}: there is no neuron {outside[0]}, they are 0..{n - 1}; correct the list")
    keys = np.unique(pairs[:, 0] * n + pairs[:, 1])
    back = (keys % n) * n + keys // n
    lonely = keys[~np.isin(back, keys)]
    if lonely.size:
        raise NetworkError(
            f"{place}: {lonely[0] // n} has rival {lonely[0] % n}, which does not have it back; list each pair both ways"
        )
    keys = np.union1d(keys, np.arange(n) * (n + 1))
    return Rivals(np.searchsorted(keys, np.arange(n + 1) * n).astype(np.int64), (keys % n).astype(np.int64))


def shared_until(found: Mapping[str, Rivals], n: int) -> Ints:
    """The last neuron that neuron i or one before it must share a core with, shape (n,)."""
    last = np.arange(n)
    for first, neighbours in found.values():
        last = np.maximum(last, neighbours[first[1:] - 1])
    return np.maximum.accumulate(last)


def within(found: Rivals, neurons: Ints) -> Rivals:
    """The relation among the neurons of one core, which hold all of each other's rivals, by their numbers there."""
    local = np.full(found.first.size - 1, -1, np.int64)
    local[neurons] = np.arange(neurons.size)
    rows = [found.rivals[found.first[i] : found.first[i + 1]] for i in neurons.tolist()]
    assert not rows or np.all(local[np.concatenate(rows)] >= 0)
    first = np.concatenate([[0], np.cumsum([row.size for row in rows], dtype=np.int64)])
    return Rivals(first, local[np.concatenate(rows)] if rows else np.zeros(0, np.int64))
