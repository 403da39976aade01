"""Histograms of weights by projection and of rates by population: arrays, rows for JSON, and blocks of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich import box
from rich.table import Table

from neuroemu.base.arrays import Ints
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory
from neuroemu.learning.alignment import weights_of

BLOCKS = " ▁▂▃▄▅▆▇█"
BINS = 32


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values lie between ``edges`` (n_bins + 1,): ``counts`` (n_bins,); the last bin holds its upper edge too."""

    name: str
    edges: NDArray[np.float64]
    counts: Ints
    mean: float

    @property
    def blocks(self) -> str:
        """One character a bin, as high as its count; a bin that holds anything never looks empty."""
        top = max(int(self.counts.max(initial=0)), 1)
        return "".join(BLOCKS[-(-int(count) * (len(BLOCKS) - 1) // top)] for count in self.counts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, "edges": self.edges.tolist(), "counts": self.counts.tolist(), "mean": self.mean}


def histogram(name: str, values: ArrayLike, bins: int = BINS) -> Histogram:
    """The histogram of some values, over their own range. Whole values get bins of a whole width, so that none is favoured."""
    flat = np.asarray(values).ravel()
    if not flat.size:
        return Histogram(name, np.array([0.0, 1.0]), np.zeros(1, np.int64), 0.0)
    low, high = float(flat.min()), float(flat.max())
    if np.issubdtype(flat.dtype, np.integer):
        width = max(-(-int(high - low + 1) // bins), 1)
        edges = low + width * np.arange(-(-int(high - low + 1) // width) + 1, dtype=np.float64)
    else:
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    return Histogram(name, edges, np.histogram(flat, edges)[0].astype(np.int64), float(flat.mean()))


def weight_histograms(image: Image, memory: Memory | None = None, bins: int = BINS) -> tuple[Histogram, ...]:
    """Weights of every projection, in units of their last bit: the memory's where it has them, else the image's."""
    names = [projection.name for projection in image.projections]
    return tuple(histogram(name, weights_of(image, name, memory), bins) for name in names)


def rate_histograms(rates: Mapping[str, ArrayLike], bins: int = BINS) -> tuple[Histogram, ...]:
    """Spikes a presentation of the neurons of every population, (n,) each, as Watch.rates gives them."""
    return tuple(histogram(name, np.asarray(rate, np.float64), bins) for name, rate in rates.items())


def as_table(histograms: tuple[Histogram, ...], what: str) -> Table:
    """One row for each: the name, the least, mean and largest, and the blocks."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k, column in enumerate((what, "from", "mean", "to", "histogram")):
        table.add_column(column, justify="right" if 0 < k < 4 else "left", no_wrap=True)
    for shown in histograms:
        row = (shown.edges[0], shown.mean, shown.edges[-1])
        table.add_row(shown.name, *(f"{value:,.4g}" for value in row), shown.blocks)
    return table
