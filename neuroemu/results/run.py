"""What a run leaves behind: spikes, counts, final registers, probes. Engines make it, reports price it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import FileError
from neuroemu.base.files import writable_folder, write_folder
from neuroemu.base.shelf import unknown
from neuroemu.chip.aer import CHANNELS
from neuroemu.image.memory import Memory
from neuroemu.network.answers import only_output, share_right
from neuroemu.results.counts import Counts
from neuroemu.results.timing import Timing

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Spikes:
    """Every packet a neuron sent, sorted by presentation, tick, channel and neuron. ``neuron`` is the network-wide id."""

    presentation: Ints
    tick: Ints
    channel: Ints
    neuron: Ints
    payload: Ints

    FIELDS = ("presentation", "tick", "channel", "neuron", "payload")

    @classmethod
    def of(cls, columns: Iterable[ArrayLike]) -> Spikes:
        """Sort five columns into a record."""
        arrays = [np.asarray(column, np.int64) for column in columns]
        if not _ascending(arrays[:4]):
            order = np.lexsort((arrays[3], arrays[2], arrays[1], arrays[0]))
            arrays = [array[order] for array in arrays]
        return cls(*arrays)

    def __len__(self) -> int:
        return int(self.tick.size)

    def __repr__(self) -> str:
        return f"Spikes({len(self)} packets)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spikes) and all(
            np.array_equal(getattr(self, f), getattr(other, f)) for f in self.FIELDS
        )

    __hash__ = None  # type: ignore[assignment]


def _ascending(keys: Sequence[Ints]) -> bool:
    """Whether rows of keys, most significant first, are in order already: engines mostly record them so."""
    equal = np.ones(max(keys[0].size - 1, 0), bool)
    for key in keys:
        step = np.diff(key)
        if np.any(equal & (step < 0)):
            return False
        equal &= step == 0
    return True


@dataclass(frozen=True, eq=False)
class Layer:
    """Where a population's neurons are among the network-wide ids, and its age: the tick in which row 0 reaches it."""

    id0: int
    shape: tuple[int, ...]
    age: int

    @property
    def n(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Run:
    """One image, one stimulus, one engine.

    ``probes[(population, register)]`` has shape (presentations, ticks, neurons), ``readout[population]`` the register ``v`` of
    every output at the end of a presentation, shape (presentations, neurons); ``state`` every register after the last
    presentation, by ``owner.register``; ``weights`` those of every projection in the order of their ids.
    ``ticks`` is the length of a presentation, of the longest one where phases last until quiet: ``lengths`` has shape (presentations,)
    then, and a shorter presentation's probes keep their last values to the end.
    ``timing`` is the chip's time, where engine ``event`` or ``timing="twin"`` modelled it.
    """

    image_digest: str
    stimulus_digest: str
    engine: str
    chip_text: str
    chip_path: str
    seed: int
    rows: int
    ticks: int
    lag: int
    n: int
    n_cores: int
    n_tiles: int
    layers: dict[str, Layer]
    outputs: tuple[str, ...]
    usage: dict[int, dict[str, int]]
    """What each core holds, by core and limit."""
    counts: Counts
    spikes: Spikes
    probes: dict[tuple[str, str], Ints] = field(default_factory=dict)
    readout: dict[str, Ints] = field(default_factory=dict)
    state: dict[str, Ints] = field(default_factory=dict)
    weights: dict[str, Ints] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    """What the chip remembers after the run: give it to the next one as ``start``, or store it with ``image.with_memory``."""
    timing: Timing | None = None
    lengths: Ints | None = None
    wall_s: float = 0.0
    compile_s: float = 0.0
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        what = f"{self.n} presentations of {self.ticks} ticks, {len(self.spikes)} packets"
        return f"Run({what}, engine {self.engine!r}, image {self.image_digest[:12]})"

    @property
    def time_ps(self) -> int | None:
        """The chip's time for the whole run; None if it was not modelled."""
        return None if self.timing is None else self.timing.time_ps

    def raster(self, population: str, channel: str = "spike") -> NDArray[np.int64]:
        """Payloads of a population's packets, shape (presentations, rows, neurons), aligned with the input's rows; 0 is no packet.

        Row t is the tick in which what the host sent in row t has come through. For a payload of 0 use ``spikes``.
        """
        layer = self._layer(population)
        presentation, row, neuron, payload = self._sent(layer, channel)
        raster = np.zeros((self.n, self.rows, layer.n), np.int64)
        raster[presentation, row, neuron] = payload
        return raster

    def _sent(self, layer: Layer, channel: str) -> tuple[Ints, Ints, Ints, Ints]:
        """Presentation, row, neuron and payload of a population's packets within the rows of the input."""
        if channel not in CHANNELS:
            raise unknown("channel", channel, CHANNELS)
        row = self.spikes.tick - layer.age
        inside = self._by(layer, channel) & (row >= 0) & (row < self.rows)
        spikes = self.spikes
        return spikes.presentation[inside], row[inside], spikes.neuron[inside] - layer.id0, spikes.payload[inside]

    def spike_counts(self, population: str) -> Ints:
        """Spikes of every neuron in every presentation, shape (presentations, neurons), whatever their payloads.

        Counted over the rows of the input; over all ticks where the network's phases last longer than these.
        """
        layer, spikes = self._layer(population), self.spikes
        mine = self._by(layer, "spike")
        if self.ticks <= self.rows + self.lag:
            mine &= (spikes.tick >= layer.age) & (spikes.tick < layer.age + self.rows)
        counts = np.zeros((self.n, layer.n), np.int64)
        np.add.at(counts, (spikes.presentation[mine], spikes.neuron[mine] - layer.id0), 1)
        return counts

    def _by(self, layer: Layer, channel: str) -> NDArray[np.bool_]:
        """Which packets a population sent on a channel."""
        mine = (self.spikes.neuron >= layer.id0) & (self.spikes.neuron < layer.id0 + layer.n)
        return np.asarray(mine & (self.spikes.channel == CHANNELS[channel]))

    @cached_property
    def prediction(self) -> Ints:
        """The class each presentation is taken for: the output with most spikes, or with the largest v if it never spikes.

        Ties go to the lowest neuron. Raises RunError if the network has no single output.
        """
        name = only_output(self.outputs, "spike_counts")
        score = self.readout[name] if name in self.readout else self.spike_counts(name)
        return np.asarray(score.argmax(axis=1), np.int64)

    def accuracy(self, labels: ArrayLike) -> float:
        """Share of presentations whose prediction is the label. Raises RunError if there is not one label a presentation."""
        return share_right(self.prediction, labels)

    def _layer(self, population: str) -> Layer:
        if population not in self.layers:
            raise unknown("population", population, self.layers)
        return self.layers[population]

    def differs(self, other: Run) -> str | None:
        """The first thing in which two runs of one image differ, in words; None if they are equal bit for bit."""
        if self.stimulus_digest != other.stimulus_digest:
            return "the runs had different input"
        if [(name, x.id0, x.shape) for name, x in self.layers.items()] != [
            (name, x.id0, x.shape) for name, x in other.layers.items()
        ]:
            return "the runs are of networks with different populations"
        packet = self._first_packet(other)
        if packet:
            return packet
        if not np.array_equal(mine := self._lengths, theirs := other._lengths):
            k = int(np.flatnonzero(mine != theirs)[0])
            return f"presentation {k} lasts {mine[k]} ticks against {theirs[k]}"
        for what in ("probes", "readout", "state", "weights"):
            mine, theirs = getattr(self, what), getattr(other, what)
            for key in sorted(mine.keys() & theirs.keys()):
                if mine[key].shape != theirs[key].shape:
                    return f"{what} {key} has shape {mine[key].shape} against {theirs[key].shape}"
                if not np.array_equal(mine[key], theirs[key]):
                    place = tuple(int(k) for k in np.argwhere(mine[key] != theirs[key])[0])
                    return f"{what} {key} at {place}: {mine[key][place]} against {theirs[key][place]}"
        different = self.counts.differs(other.counts)
        if different is None and self.timing is not None and other.timing is not None:
            return self.timing.differs(other.timing)
        return different

    @property
    def _lengths(self) -> Ints:
        return np.full(self.n, self.ticks) if self.lengths is None else self.lengths

    def _first_packet(self, other: Run) -> str | None:
        if self.spikes == other.spikes:
            return None
        mine, theirs = (np.stack([getattr(s, f) for f in Spikes.FIELDS], axis=1) for s in (self.spikes, other.spikes))
        shared = min(len(mine), len(theirs))
        unequal = np.flatnonzero((mine[:shared] != theirs[:shared]).any(axis=1))
        k = int(unequal[0]) if unequal.size else shared
        sides = [self._packet(side[k]) if k < len(side) else "nothing" for side in (mine, theirs)]
        return f"packet {k}: {sides[0]} against {sides[1]}"

    def _packet(self, packet: Ints) -> str:
        presentation, tick, channel, neuron, payload = (int(value) for value in packet)
        name = next(name for name, layer in self.layers.items() if layer.id0 <= neuron < layer.id0 + layer.n)
        label = next(label for label, number in CHANNELS.items() if number == channel)
        source = f"{name}[{neuron - self.layers[name].id0}]"
        return f"presentation {presentation}, tick {tick}, {label} of {source}, payload {payload}"

    # ---- files
    def save(
        self, folder: str | os.PathLike[str], *, extra: Mapping[str, Any] | None = None, replace: bool = False
    ) -> None:
        """Write ``run.json``, ``spikes.npz`` and the datasheet ``chip.toml`` into a new folder, whole or not at all.

        ``extra`` joins run.json (the accuracy, say). An earlier run is replaced only with ``replace=True``, for a folder is more
        than the one file that other writers replace unasked. Raises FileError, also for a folder that holds no run.
        """
        path = Path(folder)
        writable_run(path, replace=replace)
        write_folder(path, lambda inside: self._fill(inside, extra or {}), replace=replace)

    def _fill(self, folder: Path, extra: Mapping[str, Any]) -> None:
        header = {name: getattr(self, name) for name in PLAIN}
        header |= {
            "format": FORMAT,
            "layers": {name: [layer.id0, list(layer.shape), layer.age] for name, layer in self.layers.items()},
            "usage": [[core, held] for core, held in self.usage.items()],
            "counts": self.counts.rows(),
            "memory": [sorted(self.memory.weights), sorted(self.memory.registers), self.memory.commits],
            "timing": None if self.timing is None else self.timing.as_dict(),
            **extra,
        }
        (folder / "chip.toml").write_bytes(self.chip_text.encode())
        arrays = {f"spikes.{name}": getattr(self.spikes, name) for name in Spikes.FIELDS}
        arrays |= {f"probes.{population}.{register}": array for (population, register), array in self.probes.items()}
        for what in ("readout", "state", "weights"):
            arrays |= {f"{what}.{key}": array for key, array in getattr(self, what).items()}
        if self.timing is not None:
            arrays["timing.tick_ps"] = self.timing.tick_ps
        if self.lengths is not None:
            arrays["ticks.lengths"] = self.lengths
        header["digest"] = digest_of(header, self.chip_text, arrays)
        (folder / "run.json").write_bytes(json.dumps(header, indent=1).encode() + b"\n")
        with (folder / "spikes.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)


def writable_run(folder: Path, *, replace: bool) -> None:
    """Refuse a folder that exists, unless it holds a run that is to be replaced. Raises FileError."""
    writable_folder(folder, replace=replace)
    if folder.exists() and not (folder / "run.json").is_file():
        raise FileError(f"{folder}: holds no run, so it is not replaced; choose another folder")


PLAIN = ("image_digest", "stimulus_digest", "engine", "chip_path", "seed", "rows", "ticks", "lag", "n", "n_cores", "n_tiles",
          "outputs", "wall_s", "compile_s", "notes")  # fmt: skip
"""Fields of a run that run.json has as they are."""


def digest_of(header: Mapping[str, Any], chip_text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of everything a run's folder holds, as hexadecimal digits."""
    sha = hashlib.sha256(json.dumps([header, chip_text], sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}{array.dtype.str}{array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()
