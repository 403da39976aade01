"""Read a run from its folder: data that somebody else may have written, so every value is checked before anything is made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import FileError
from neuroemu.base.fields import Arrays, Field, WrongFieldError, within
from neuroemu.base.reading import MOST_TEXT, load_arrays, open_regular, read_json_file
from neuroemu.chip.aer import CHANNELS
from neuroemu.image.image import MOST_NEURONS
from neuroemu.image.load import MOST_CORES
from neuroemu.image.memory import Memory
from neuroemu.language.isa import MAX_TICKS
from neuroemu.results.counts import Counts
from neuroemu.results.run import FORMAT, PLAIN, Layer, Run, Spikes, digest_of
from neuroemu.results.timing import Timing

_INT64 = 1 << 63
_OTHERS = ("layers", "usage", "counts", "memory", "timing")


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read a run's folder. Raises FileError if it is not one, is damaged, or holds a value that no run has."""
    path = Path(folder)
    try:
        header = read_json_file(path / "run.json")
        with open_regular(path / "chip.toml") as file:
            chip_text = file.read(MOST_TEXT).decode()
        arrays = load_arrays(path / "spikes.npz")
        if not isinstance(arrays, dict):
            raise ValueError("one bare array")
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{path}: is not the folder of a run ({error.strerror or error}); make one with `neuroemu run`"
        ) from None
    except ValueError:
        raise FileError(f"{path}: the run is damaged; run the image again") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FileError(
            f"{path}: the run is of another format; this neuroemu reads format {FORMAT}, run the image again"
        )
    if header.pop("digest", None) != digest_of(header, chip_text, arrays):
        raise FileError(f"{path}: the run is damaged; run the image again")
    try:
        return _Reader(header, Arrays(arrays)).run(chip_text)
    except WrongFieldError as error:
        raise FileError(f"{path}: the run is damaged, {error}; run the image again") from None


def stored_accuracy(folder: str | os.PathLike[str]) -> float | None:
    """The accuracy that was saved with a run, if there was one."""
    try:
        stored = read_json_file(Path(folder) / "run.json").get("accuracy")
        return None if stored is None else Field(stored, "accuracy").number()
    except (OSError, ValueError, AttributeError):
        return None


class _Reader:
    """The parts of a run, out of a header and arrays of which nothing is taken for granted."""

    def __init__(self, header: dict[str, Any], arrays: Arrays) -> None:
        self.arrays = arrays
        others = [key for key in header if key not in (*PLAIN, *_OTHERS)]  # ``extra`` of Run.save
        self.fields = Field(header, "").table((*PLAIN, *_OTHERS), others)
        self.n = self.fields["n"].integer(0, (1 << 32) - 1)
        self.ticks = self.fields["ticks"].integer(0, MAX_TICKS)
        self.layers = {name: self.layer(entry) for name, entry in self.fields["layers"].mapping().items()}
        id0 = 0
        for name, layer in self.layers.items():
            if layer.id0 != id0:
                raise WrongFieldError(f"layers.{name}[0] is {layer.id0}, not {id0}, where its ids begin")
            id0 += layer.n
        self.neurons = id0

    @staticmethod
    def layer(entry: Field) -> Layer:
        id0, shape, age = entry.items(3)
        sizes = tuple(size.integer(1, MOST_NEURONS) for size in shape.items())
        n = 1
        for size in sizes:
            n *= size
        if not 1 <= len(sizes) <= 32 or n > MOST_NEURONS:
            raise shape.wrong(f"1 to 32 sizes of together at most {MOST_NEURONS} neurons")
        return Layer(id0.integer(0, MOST_NEURONS), sizes, age.integer(0, MAX_TICKS))

    def run(self, chip_text: str) -> Run:
        fields = self.fields
        state, weights = self.group("state"), self.group("weights", 1)
        lengths = None
        if "ticks.lengths" in self.arrays.arrays:
            lengths = self.arrays.take("ticks.lengths", np.int64, (self.n,))
            within("array 'ticks.lengths'", lengths, 0, self.ticks)
        run = Run(
            image_digest=fields["image_digest"].text(),
            stimulus_digest=fields["stimulus_digest"].text(),
            engine=fields["engine"].text(),
            chip_path=fields["chip_path"].text(),
            seed=fields["seed"].integer(-_INT64, _INT64 - 1),
            rows=fields["rows"].integer(0, MAX_TICKS),
            lag=fields["lag"].integer(0, MAX_TICKS),
            n=self.n,
            ticks=self.ticks,
            n_cores=fields["n_cores"].integer(0, MOST_CORES),
            n_tiles=fields["n_tiles"].integer(0, MOST_CORES),
            outputs=tuple(entry.choice(self.layers) for entry in fields["outputs"].items()),
            wall_s=fields["wall_s"].number(),
            compile_s=fields["compile_s"].number(),
            notes=tuple(entry.text() for entry in fields["notes"].items()),
            chip_text=chip_text,
            layers=self.layers,
            usage=self.usage(),
            counts=counts_of(fields["counts"]),
            spikes=self.spikes(),
            probes=self.probes(),
            readout={name: self.by_neuron(f"readout.{name}", name, ()) for name in self.names("readout")},
            state=state,
            weights=weights,
            memory=self.memory(weights, state),
            timing=self.timing(),
            lengths=lengths,
        )
        self.arrays.rest()
        return run

    # ---- arrays
    def names(self, what: str) -> list[str]:
        return [name.partition(".")[2] for name in self.arrays.arrays if name.startswith(f"{what}.")]

    def group(self, what: str, ndim: int | None = None) -> dict[str, Ints]:
        """Arrays of integers of any length whose names begin so."""
        found = {}
        for name in self.names(what):
            given = self.arrays.arrays[f"{what}.{name}"].ndim
            shape = (None,) * (min(max(given, 1), 2) if ndim is None else ndim)
            found[name] = self.arrays.take(f"{what}.{name}", np.int64, shape)
        return found

    def spikes(self) -> Spikes:
        size = None
        columns = {}
        limits = {"presentation": self.n, "tick": self.ticks, "channel": len(CHANNELS), "neuron": self.neurons}
        for name in Spikes.FIELDS:
            column = self.arrays.take(f"spikes.{name}", np.int64, (size,))
            size = column.size
            low, high = (0, limits[name] - 1) if name in limits else (-(1 << 31), (1 << 31) - 1)
            within(f"array 'spikes.{name}'", column, low, high)
            columns[name] = column
        spikes = Spikes(**columns)
        if spikes != Spikes.of(columns[name] for name in Spikes.FIELDS):
            raise WrongFieldError("spikes are not sorted by presentation, tick, channel and neuron")
        return spikes

    def by_neuron(self, array: str, population: str, ticks: tuple[int, ...]) -> Ints:
        """An array of shape (presentations, neurons), or (presentations, ticks, neurons)."""
        if population not in self.layers:
            raise WrongFieldError(f"array '{array}' is of a population that layers lacks")
        return self.arrays.take(array, np.int64, (self.n, *ticks, self.layers[population].n))

    def probes(self) -> dict[tuple[str, str], Ints]:
        found = {}
        for name in self.names("probes"):
            population, _, register = name.rpartition(".")
            found[population, register] = self.by_neuron(f"probes.{name}", population, (self.ticks,))
        return found

    # ---- tables
    def usage(self) -> dict[int, dict[str, int]]:
        found = {}
        for entry in self.fields["usage"].items():
            core, held = entry.items(2)
            limits = held.table(("neurons", "axons_in", "axons_out", "synapse_words"))
            found[core.integer(0, MOST_CORES)] = {name: value.integer(0, _INT64 - 1) for name, value in limits.items()}
        return found

    def memory(self, weights: Mapping[str, NDArray[Any]], state: Mapping[str, NDArray[Any]]) -> Memory:
        """What lasts is among the weights and registers that a run keeps anyhow."""
        named_weights, registers, commits = self.fields["memory"].items(3)
        return Memory(
            {entry.choice(weights): weights[entry.value] for entry in named_weights.items()},
            {entry.choice(state): state[entry.value] for entry in registers.items()},
            commits.integer(0, _INT64 - 1),
        )

    def timing(self) -> Timing | None:
        stated = self.fields["timing"]
        if stated.value is None:
            return None
        return Timing.restore(stated, self.arrays.take("timing.tick_ps", np.int64, (self.n, None)))


def counts_of(field: Field) -> Counts:
    """Counts out of rows [key, core, owner, number]."""
    found = {}
    for row in field.items():
        key, core, owner, n = row.items(4)
        found[key.text(), core.integer(-1, MOST_CORES), owner.text()] = n.integer(0, _INT64 - 1)
    return Counts(found)
