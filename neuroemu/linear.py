"""Linear maps between populations: what a chain of Linear, Affine, Scale and Delay nodes does to a spike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.network import Floats, Ints, Sparse


@dataclass(frozen=True, eq=False)
class LinearMap:
    """By delay in ticks: a factor for each value (shape (n,)) while only scaled, a matrix (n_in, n_out) otherwise."""

    n_in: int
    n_out: int
    parts: Mapping[int, Floats]

    @classmethod
    def identity(cls, n: int) -> LinearMap:
        """Every value as it is, at once."""
        return cls(n, n, {0: np.ones(n)})

    def times(self, matrix: Floats) -> LinearMap:
        """Followed by a matrix of shape (n_out, new n_out)."""
        parts = {d: (part[:, None] * matrix if part.ndim == 1 else part @ matrix) for d, part in self.parts.items()}
        return LinearMap(self.n_in, matrix.shape[1], parts)

    def scaled(self, factor: Floats) -> LinearMap:
        """Followed by a factor for each value."""
        return replace(self, parts={d: part * factor for d, part in self.parts.items()})

    def delayed(self, ticks: Ints) -> LinearMap:
        """Followed by a delay for each value."""
        ticks = np.broadcast_to(ticks, (self.n_out,))
        parts: dict[int, Floats] = {}
        for d, part in self.parts.items():
            for late in np.unique(ticks):
                kept = part * (ticks == late)
                total = d + int(late)
                parts[total] = parts[total] + kept if total in parts else kept
        return replace(self, parts=parts)

    def plus(self, other: LinearMap) -> LinearMap:
        """The sum of two maps of the same shape."""
        parts = dict(self.parts)
        for d, part in other.parts.items():
            if d in parts and parts[d].ndim != part.ndim:
                parts[d], part = (np.diag(p) if p.ndim == 1 else p for p in (parts[d], part))
            parts[d] = parts[d] + part if d in parts else part
        return replace(self, parts=parts)

    def synapses(self) -> tuple[ArrayLike | Sparse, ArrayLike]:
        """Weight and delay for a Projection: a matrix where there is one delay, lists otherwise."""
        if len(self.parts) == 1:
            ((ticks, part),) = self.parts.items()
            if part.ndim == 2:
                return part, ticks
        lists = []
        for ticks, part in self.parts.items():
            pre, post = np.nonzero(part) if part.ndim == 2 else (np.flatnonzero(part),) * 2
            weight = part[pre, post] if part.ndim == 2 else part[pre]
            lists.append(np.stack([pre, post, weight, np.full(pre.size, ticks)]))
        pre, post, weight, delay = np.concatenate(lists, axis=1)
        return Sparse(pre.astype(np.int64), post.astype(np.int64), weight, delay.astype(np.int64)), 0


@dataclass(frozen=True, eq=False)
class Term:
    """One source's contribution to a node, and the constant added on the way."""

    source: str
    map: LinearMap
    bias: Floats | None = None

    def times(self, matrix: Floats) -> Term:
        """Followed by a matrix."""
        return Term(self.source, self.map.times(matrix), None if self.bias is None else self.bias @ matrix)

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
class Incoming:
    """Everything that feeds a population: one map a source, and one constant."""

    by_source: Mapping[str, LinearMap]
    bias: Floats | None


def chain(terms: Iterable[Term]) -> Incoming:
    """Add up terms: parallel paths from one source become one map."""
    by_source: dict[str, LinearMap] = {}
    bias: Floats | None = None
    for term in terms:
        known = by_source.get(term.source)
        by_source[term.source] = term.map if known is None else known.plus(term.map)
        if term.bias is not None:
            bias = term.bias if bias is None else bias + term.bias
    return Incoming(by_source, bias)
