"""Linear maps between populations: what a chain of Linear, Affine, Scale, Delay, Conv2d and pooling nodes does to a spike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.base.arrays import Floats, Ints
from neuroemu.network.network import Sparse

Tags = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Entries:
    """A sparse matrix as lists: ``weight[k]`` from ``pre[k]`` to ``post[k]``, each pair once.

    ``tag[k]`` stands for the expression the weight was made by: parameters have random tags, and tags are added and
    multiplied as weights are, modulo 2^64. Two synapses with one tag share one stored weight, however long the chain.
    """

    pre: Ints
    post: Ints
    weight: Floats
    tag: Tags

    @classmethod
    def of(cls, part: Floats) -> Entries:
        """A matrix, or the factors of a diagonal: every weight a parameter of its own."""
        pre, post = np.nonzero(part) if part.ndim == 2 else (np.flatnonzero(part),) * 2
        weight = part[pre, post] if part.ndim == 2 else part[pre]
        return cls(pre, post, weight, tags((pre * part.shape[-1] + post).astype(np.uint64)))

    def then(self, after: Entries, n_middle: int, n_out: int) -> Entries:
        """Followed by another; paths between one pair add up."""
        order = np.argsort(after.pre, kind="stable")
        first = np.searchsorted(after.pre[order], np.arange(n_middle + 1))
        counts = np.diff(first)[self.post]
        here = np.repeat(np.arange(self.post.size), counts)
        there = order[np.arange(here.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[self.post][here]]
        key = self.pre[here] * n_out + after.post[there]
        along = np.argsort(key, kind="stable")
        start = np.flatnonzero(np.diff(key[along], prepend=-1))
        pair, here, there = key[along][start], here[along], there[along]
        weight, tag = self.weight[here] * after.weight[there], self.tag[here] * after.tag[there]
        summed = (np.add.reduceat(values, start) if start.size else values for values in (weight, tag))
        return Entries(pair // n_out, pair % n_out, *summed)

    def dense(self, n_in: int, n_out: int) -> Floats:
        """The same as a matrix."""
        matrix = np.zeros((n_in, n_out))
        matrix[self.pre, self.post] = self.weight
        return matrix


def tags(label: NDArray[np.uint64]) -> Tags:
    """A random odd tag for every label (splitmix64, Steele et al. 2014)."""
    x = label * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return (x ^ (x >> np.uint64(31))) | np.uint64(1)


def factor_tags(factor: Floats) -> Tags:
    """Equal factors have equal tags, and 1 changes nothing."""
    return np.where(factor == 1, np.uint64(1), tags(np.ascontiguousarray(factor).view(np.uint64)))


Block = Floats | Entries
"""A factor for each value (shape (n,)) while only scaled, a matrix (n_in, n_out), or lists."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """What reaches each of ``n_out`` values from each of ``n_in``, by delay in ticks."""

    n_in: int
    n_out: int
    parts: Mapping[int, Block]

    @classmethod
    def identity(cls, n: int) -> LinearMap:
        """Every value as it is, at once."""
        return cls(n, n, {0: np.ones(n)})

    def times(self, matrix: Floats) -> LinearMap:
        """Followed by a matrix of shape (n_out, new n_out)."""
        return LinearMap(self.n_in, matrix.shape[1], {d: self._product(part, matrix) for d, part in self.parts.items()})

    def _product(self, part: Block, matrix: Floats) -> Floats:
        if isinstance(part, Entries):
            part = part.dense(self.n_in, self.n_out)
        return part[:, None] * matrix if part.ndim == 1 else part @ matrix

    def through(self, entries: Entries, n_out: int) -> LinearMap:
        """Followed by a sparse matrix with shared weights."""
        parts: dict[int, Block] = {}
        for d, part in self.parts.items():
            if isinstance(part, Entries):
                parts[d] = part.then(entries, self.n_out, n_out)
            elif part.ndim == 1:
                kept = part[entries.pre] != 0
                pre, post, weight, tag = (a[kept] for a in (entries.pre, entries.post, entries.weight, entries.tag))
                parts[d] = Entries(pre, post, weight * part[pre], tag * factor_tags(part)[pre])
            else:
                parts[d] = Entries.of(part).then(entries, self.n_out, n_out)
        return LinearMap(self.n_in, n_out, parts)

    def scaled(self, factor: Floats) -> LinearMap:
        """Followed by a factor for each value, or one for all."""
        factor = np.broadcast_to(factor, (self.n_out,))

        def scale(part: Block) -> Block:
            if not isinstance(part, Entries):
                return part * factor
            return replace(part, weight=part.weight * factor[part.post], tag=part.tag * factor_tags(factor)[part.post])

        return replace(self, parts={d: scale(part) for d, part in self.parts.items()})

    def delayed(self, ticks: Ints) -> LinearMap:
        """Followed by a delay for each value."""
        ticks = np.broadcast_to(ticks, (self.n_out,))
        result = LinearMap(self.n_in, self.n_out, {})
        for d, part in self.parts.items():
            for late in np.unique(ticks):
                kept = _only(part, ticks == late)
                result = result.plus(LinearMap(self.n_in, self.n_out, {d + int(late): kept}))
        return result

    def plus(self, other: LinearMap) -> LinearMap:
        """The sum of two maps of the same shape."""
        parts = dict(self.parts)
        for d, part in other.parts.items():
            parts[d] = self._sum(parts[d], part) if d in parts else part
        return replace(self, parts=parts)

    def _sum(self, a: Block, b: Block) -> Block:
        if isinstance(a, Entries) or isinstance(b, Entries):
            one, two = (part if isinstance(part, Entries) else Entries.of(part) for part in (a, b))
            both = Entries(
                *(np.concatenate([getattr(one, f), getattr(two, f)]) for f in ("pre", "post", "weight", "tag"))
            )
            n = self.n_out
            unit = Entries(np.arange(n), np.arange(n), np.ones(n), np.ones(n, np.uint64))
            return both.then(unit, n, n)
        if a.ndim != b.ndim:
            a, b = (np.diag(part) if part.ndim == 1 else part for part in (a, b))
        return a + b

    def synapses(self) -> tuple[ArrayLike | Sparse, ArrayLike]:
        """Weight and delay for a Projection: a matrix where there is one delay, lists otherwise."""
        if len(self.parts) == 1:
            ((ticks, part),) = self.parts.items()
            if not isinstance(part, Entries) and part.ndim == 2:
                return part, ticks
        lists = {d: part if isinstance(part, Entries) else Entries.of(part) for d, part in self.parts.items()}
        pre, post, weight, tag = (
            np.concatenate([getattr(e, f) for e in lists.values()]) for f in ("pre", "post", "weight", "tag")
        )
        delay = np.repeat(np.fromiter(lists, np.int64), [e.pre.size for e in lists.values()])
        _, stored = np.unique(tag, return_inverse=True)
        shared = stored.astype(np.int64) if any(isinstance(part, Entries) for part in self.parts.values()) else None
        return Sparse(pre, post, weight, delay, shared), 0


def _only(part: Block, kept: NDArray[np.bool_]) -> Block:
    """The part with the values that are not kept cut off."""
    if not isinstance(part, Entries):
        return part * kept
    rows = kept[part.post]
    return Entries(part.pre[rows], part.post[rows], part.weight[rows], part.tag[rows])


@dataclass(frozen=True, eq=False)
class Term:
    """One source's contribution to a node, and the constant added on the way."""

    source: str
    map: LinearMap
    bias: Floats | None = None

    def times(self, matrix: Floats) -> Term:
        """Followed by a matrix."""
        return Term(self.source, self.map.times(matrix), None if self.bias is None else self.bias @ matrix)

    def through(self, entries: Entries, n_out: int) -> Term:
        """Followed by a sparse matrix."""
        if self.bias is None:
            return Term(self.source, self.map.through(entries, n_out))
        bias = np.zeros(n_out)
        np.add.at(bias, entries.post, self.bias[entries.pre] * entries.weight)
        return Term(self.source, self.map.through(entries, n_out), bias)

    def scaled(self, factor: Floats) -> Term:
        """Followed by a factor for each value."""
        return Term(self.source, self.map.scaled(factor), None if self.bias is None else self.bias * factor)

    def delayed(self, ticks: Ints) -> Term:
        """Followed by a delay for each value; the bias must be zero."""
        return Term(self.source, self.map.delayed(ticks), self.bias)

    def plus(self, bias: Floats) -> Term:
        """With a constant added."""
        return replace(self, bias=bias if self.bias is None else self.bias + bias)


@dataclass(frozen=True, eq=False)
class Feeds:
    """Everything that feeds a population: one map a source, and one constant."""

    by_source: Mapping[str, LinearMap]
    bias: Floats | None


def chain(terms: Iterable[Term]) -> Feeds:
    """Add up terms: parallel paths from one source become one map."""
    by_source: dict[str, LinearMap] = {}
    bias: Floats | None = None
    for term in terms:
        known = by_source.get(term.source)
        by_source[term.source] = term.map if known is None else known.plus(term.map)
        if term.bias is not None:
            bias = term.bias if bias is None else bias + term.bias
    return Feeds(by_source, bias)
