"""Watch a rule at work: weights, registers, rates, saturations and feedback angles, recorded while ``ne.train`` runs.

watch = ne.Watch(weights=["w1", "w2[3, 5]"], registers=["hidden.nbar"], angles=[("feedback->hidden", "w2")], every=100)
ne.train(image, ..., watch=watch)
watch.save("watch.npz")

It reads what the runs leave behind and changes no bit of them.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import FileError, RunError
from neuroemu.base.files import load_arrays, write_whole
from neuroemu.base.shelf import unknown
from neuroemu.chip.aer import CHANNELS
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory, check_memory, lasting
from neuroemu.learning.alignment import angle, endpoints, projection_of, weights_of
from neuroemu.learning.health import Finding, Thresholds, Window, health
from neuroemu.results.run import Run

FORMAT = 1
EPOCH = "epoch"
MOST_BYTES = 1 << 28
CHOSEN = re.compile(r"(.+)\[\s*(\d+)\s*,\s*(\d+)\s*\]")
Record = dict[str, NDArray[Any]]


class Watch:
    """What to record of a training, and what was recorded.

    ``weights``: projections, or synapses of them by pre and post neuron as "w2[3, 5]"; ``registers``: ``owner.register`` of
    those that last; ``angles``: pairs of a feedback projection and the forward one it stands for (or several, in order).
    ``every`` is "epoch" or a number of presentations; a record is made at the first commit from each multiple of it on. Rates
    of every population that can spike and saturations are always recorded, over the presentations since the moment before. Once the records
    take more than ``most_bytes`` every second one is dropped and from then on only half as many are made, so that a long
    training is recorded whole, and coarser.

    ``presentations`` (n_records,) numbers the presentations done; ``series`` holds arrays with n_records rows: "weight.w1"
    (…, n_synapses), "register.hidden.nbar" in the shapes of Memory, "rate.hidden" (…, neurons) in spikes a presentation,
    "angle.feedback->hidden" in degrees, "saturation.w1.sum_w" in times.

    A training that is resumed goes on with the records of the watch it is given, if that was saved and loaded; records from
    later than where it goes on are dropped. Raises RunError, UnknownNameError when the training begins.
    """

    def __init__(
        self,
        weights: Sequence[str] = (),
        registers: Sequence[str] = (),
        angles: Sequence[tuple[str, str | Sequence[str]]] = (),
        every: int | Literal["epoch"] = "epoch",
        most_bytes: int = MOST_BYTES,
        thresholds: Thresholds = Thresholds(),  # noqa: B008
    ) -> None:
        if every != EPOCH and not (isinstance(every, int) and every >= 1):
            raise RunError(f"watch: every is {every!r}; give 'epoch' or a number of presentations from 1")
        self.weights, self.registers = tuple(weights), tuple(registers)
        self.angles = tuple((back, (way,) if isinstance(way, str) else tuple(way)) for back, way in angles)
        self.every, self.most_bytes, self.thresholds = every, most_bytes, thresholds
        self.findings: tuple[Finding, ...] = ()
        """Warnings of the last epoch."""
        self.stride = 1
        self._records: list[tuple[int, Record]] = []
        self._due, self._size = 0, 0
        self._image: Image | None = None
        self._memory = Memory()
        self._since: _Sums | None = None
        self._epoch: _Sums | None = None
        self._before: Window | None = None
        self._at = 0

    # ---- what a training calls
    def room(self, image: Image, memory: Memory, done: int) -> int:
        """Presentations until the next record is due, after ``done``. The first call of a training checks what is asked for."""
        if self._image is not image or done < self._at or not self._records:
            self._begin(image, memory, done)
        return 1 << 62 if not isinstance(self.every, int) else self.every - done % self.every

    def after(self, run: Run, done: int) -> None:
        """Take in a run that ended with ``done`` presentations done since the training began."""
        for sums in (self._since, self._epoch):
            assert sums is not None
            sums.add(run)
        self._memory = run.memory
        before, self._at = self._at, done
        if isinstance(self.every, int) and done // self.every > before // self.every:
            self._record(done)

    def epoch(self) -> None:
        """An epoch is over."""
        assert self._epoch is not None
        assert self._image is not None
        window = self._epoch.window()
        self.findings = health(self._image, self._memory, window, self._before, self.thresholds)
        self._before, self._epoch = window, _Sums(self._image)
        if self.every == EPOCH:
            self._record(self._at)

    # ---- what was recorded
    @property
    def presentations(self) -> Ints:
        """Presentations done at each record, (n_records,)."""
        return np.array([done for done, _ in self._records], np.int64)

    @property
    def series(self) -> dict[str, NDArray[Any]]:
        """Arrays with a row for each record; saturations of registers that had none yet are 0."""
        names = dict.fromkeys(name for _, record in self._records for name in record)
        return {
            name: np.stack([record.get(name, np.zeros((), np.int64)) for _, record in self._records]) for name in names
        }

    @property
    def rates(self) -> dict[str, NDArray[np.float64]]:
        """Spikes a presentation of every neuron since the record before, (n,) by population: those of the last record."""
        last = self._records[-1][1] if self._records else {}
        return {name.removeprefix("rate."): rate for name, rate in last.items() if name.startswith("rate.")}

    def as_dict(self) -> dict[str, Any]:
        """Warnings and scalars by record, for JSON; arrays are in the file."""
        scalars = {name: array.tolist() for name, array in self.series.items() if array.ndim == 1}
        return {
            "presentations": self.presentations.tolist(),
            "mean_rate": {
                name.removeprefix("rate."): array.mean(axis=1).tolist()
                for name, array in self.series.items()
                if name.startswith("rate.")
            },
            **scalars,
            "warnings": [finding.as_dict() for finding in self.findings],
        }

    # ---- recording
    def _begin(self, image: Image, memory: Memory, done: int) -> None:
        self._image, self._memory, self._at = image, memory, done
        check_memory(image, memory)
        self._places = {spec: _place(image, spec) for spec in self.weights}
        known = lasting(image)
        for name in self.registers:
            if name not in known:
                raise unknown("register that lasts", name, known)
        for back, way in self.angles:
            angle(image, memory, feedback=back, forward=way)
        self._since, self._epoch, self._before = _Sums(image), _Sums(image), None
        if not done:  # another training, perhaps of another image: nothing of the one before belongs to it
            self._records, self._due, self.stride = [], 0, 1
        self._records = [(at, record) for at, record in self._records if at <= done]
        self._size = sum(_bytes(record) for _, record in self._records)
        if not self._records:
            self._record(done)

    def _record(self, done: int) -> None:
        image, since = self._image, self._since
        assert image is not None
        assert since is not None
        window = since.window()
        self._since = _Sums(image)
        self._due += 1
        if (self._due - 1) % self.stride:
            return
        record: Record = {f"weight.{spec}": self._weights(image, spec) for spec in self.weights}
        for name in self.registers:
            value = self._memory.registers.get(name, image.registers.get(name))
            record[f"register.{name}"] = _start(image, name) if value is None else np.asarray(value, np.int64).copy()
        for back, way in self.angles:
            record[f"angle.{back}"] = np.float64(angle(image, self._memory, feedback=back, forward=way))  # type: ignore[assignment]
        record |= {f"rate.{name}": rate for name, rate in window.rates.items()}
        record |= {f"saturation.{name}": np.int64(n) for name, n in window.saturations.items()}  # type: ignore[misc]
        self._records.append((done, record))
        self._size += _bytes(record)
        while len(self._records) > 2 and self._size > self.most_bytes:
            self._records = self._records[::2]
            self._size = sum(_bytes(kept) for _, kept in self._records)
            self.stride *= 2

    def _weights(self, image: Image, spec: str) -> Ints:
        name, chosen = self._places[spec]
        return np.asarray(weights_of(image, name, self._memory)[chosen], np.int64)

    # ---- files
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as .npz, whole or not at all: the series, ``presentations``, and ``header``, JSON.

        An earlier file is replaced. Raises FileError.
        """
        header = {
            "format": FORMAT, "weights": self.weights, "registers": self.registers, "angles": self.angles, "every": self.every,
            "most_bytes": self.most_bytes, "stride": self.stride, "due": self._due, "thresholds": vars(self.thresholds),
            "findings": [finding.as_dict() for finding in self.findings],
        }  # fmt: skip
        buffer = io.BytesIO()
        packed = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez_compressed(buffer, allow_pickle=False, header=packed, presentations=self.presentations, **self.series)
        write_whole(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Watch:
        """A watch as it was saved, to read or to go on with. Raises FileError."""
        try:
            arrays = load_arrays(path)
            if not isinstance(arrays, dict):
                raise ValueError("one bare array")
            header = json.loads(arrays.pop("header").tobytes())
            if header["format"] != FORMAT:
                raise ValueError("another format")
            names = ("weights", "registers", "angles", "every", "most_bytes")
            watch = cls(**{name: header[name] for name in names}, thresholds=Thresholds(**header["thresholds"]))
            watch.stride, watch._due = header["stride"], header["due"]
            watch.findings = tuple(Finding(**finding) for finding in header["findings"])
            numbers = arrays.pop("presentations")
            watch._records = [
                (int(at), {name: rows[k] for name, rows in arrays.items()}) for k, at in enumerate(numbers)
            ]
        except OSError as error:
            raise FileError(
                f"{path}: cannot be read ({error.strerror or error}); give the path of what Watch.save wrote"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, RunError):
            raise FileError(f"{path}: is no recording of a watch, or is damaged; train again with it") from None
        return watch


class _Sums:
    """Spikes and saturations of the presentations of a window; of populations whose program can send a spike at all."""

    def __init__(self, image: Image) -> None:
        programs = {population: image.program_of(population) for population in image.populations}
        self.spikes = {
            population.name: np.zeros(population.n, np.int64)
            for population, program in programs.items()
            if program is not None and "spike" in program.channels
        }
        self.saturations: Counter[str] = Counter()
        self.n, self.ticks = 0, 1

    def add(self, run: Run) -> None:
        """Spikes of all ticks of a run, whatever row they belong to."""
        ids = run.spikes.neuron[run.spikes.channel == CHANNELS["spike"]]
        for name, sums in self.spikes.items():
            layer = run.layers[name]
            inside = ids[(ids >= layer.id0) & (ids < layer.id0 + layer.n)] - layer.id0
            sums += np.bincount(inside, minlength=layer.n)
        self.saturations.update(run.counts.by_owner("saturation"))
        self.n, self.ticks = self.n + run.n, run.ticks

    def window(self) -> Window:
        """The means."""
        rates = {name: spikes / max(self.n, 1) for name, spikes in self.spikes.items()}
        return Window(self.n, self.ticks, rates, dict(self.saturations))


def window_of(image: Image, *runs: Run) -> Window:
    """What some runs did, as ``ne.health`` takes it: an evaluation, say."""
    sums = _Sums(image)
    for run in runs:
        sums.add(run)
    return sums.window()


def _place(image: Image, spec: str) -> tuple[str, Any]:
    """A projection and which of its synapses."""
    known = [projection.name for projection in image.projections]
    found = CHOSEN.fullmatch(spec)
    if spec in known or found is None:
        return projection_of(image, spec).name, slice(None)
    name, pre, post = found[1], int(found[2]), int(found[3])
    sources, targets = endpoints(projection_of(image, name))
    chosen = np.flatnonzero((sources == pre) & (targets == post))
    if not chosen.size:
        raise RunError(
            f"watch: projection '{name}' has no synapse from neuron {pre} to {post}; its pre neurons are 0 to {sources.max()}, its "
            f"post neurons 0 to {targets.max()}"
        )
    return name, chosen


def _start(image: Image, name: str) -> Ints:
    """What a register starts with where neither memory nor image has it: its program's value, one number for all."""
    owner, _, register = name.rpartition(".")
    population = next((p for p in image.populations if p.name == owner), None)
    program = image.program_of(population or projection_of(image, owner))
    assert program is not None
    if population is not None:
        shape: tuple[int, ...] = (population.n,)
    else:
        projection = projection_of(image, owner)
        n_pre, n_post = (image.populations[end].n for end in (projection.pre, projection.post))
        levels = {
            "synapse": (endpoints(projection)[0].size,),
            "axon": (len(projection.parts), n_pre),
            "post": (n_post,),
        }
        shape = levels[program.registers[register].level]
    return np.full(shape, program.registers[register].init, np.int64)


def _bytes(record: Record) -> int:
    return sum(array.nbytes for array in record.values())
