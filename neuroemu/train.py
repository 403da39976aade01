"""Train an image on the emulated chip: presentations in a seeded order, commits, evaluation with learning off, checkpoints.

The presentation index is epoch x N + position, whatever the number of workers or the place where a run was cut: a training that is
killed and resumed ends with the same bits.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.draws import permutation
from neuroemu.engines import run
from neuroemu.engines.job import Progress, silent
from neuroemu.errors import FileError, RunError
from neuroemu.files import load_arrays, write_whole
from neuroemu.image import Image
from neuroemu.memory import Memory, with_memory
from neuroemu.network import Ints
from neuroemu.report import report
from neuroemu.run import Counts, Run
from neuroemu.stimulus import Stimulus
from neuroemu.watch import Watch

Encode = Callable[[Ints, int], Stimulus]
"""Values of presentations, shape (n, features), and the number of the first one: their input."""
AT_ONCE = 256
"""Presentations encoded and run at a time."""
FORMAT = 1


@dataclass(frozen=True)
class Epoch:
    """One epoch: accuracies in 0..1 (test: None without test data), spikes and joules a presentation, seconds of wall time."""

    epoch: int
    train_accuracy: float
    test_accuracy: float | None
    spikes: float
    energy_fj: int
    """Priced energy of a presentation, learning included, rounded down."""
    learning_fj: int
    """What of it rule operations, weight memory and weight updates take."""
    wall_s: float


@dataclass(frozen=True, eq=False)
class Training:
    """A trained image, what the chip remembers, and one Epoch for every epoch."""

    image: Image
    memory: Memory
    history: tuple[Epoch, ...]

    def save_history(self, path: str | os.PathLike[str]) -> None:
        """Write the history as JSON or, by the name's end, CSV."""
        rows = [asdict(epoch) for epoch in self.history]
        if Path(path).suffix == ".csv":
            lines = [",".join(rows[0])] + [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
            write_whole(Path(path), ("\n".join(lines) + "\n").encode())
        else:
            write_whole(Path(path), (json.dumps(rows, indent=1) + "\n").encode())


@dataclass
class _State:
    """Where a training is."""

    memory: Memory = field(default_factory=Memory)
    epoch: int = 0
    position: int = 0
    right: int = 0
    counts: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    wall_s: float = 0.0
    history: list[Epoch] = field(default_factory=list)


def readout_of(done: Run, readout: tuple[str, str]) -> Ints:
    """A probed register at the end of every presentation, shape (presentations, neurons)."""
    if readout not in done.probes:
        raise RunError(
            f"register '{readout[1]}' of population '{readout[0]}' is not probed; add it to the network's probes"
        )
    return done.probes[readout][:, -1]


def train(
    image: Image,
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    encode: Encode,
    output: str,
    readout: tuple[str, str],
    epochs: int = 1,
    test: tuple[ArrayLike, ArrayLike] | None = None,
    commit_every: int = 1,
    engine: str = "cpu",
    workers: int | None = None,
    seed: int = 0,
    start: Memory | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every_s: float = 60.0,
    progress: Progress = silent,
    watch: Watch | None = None,
) -> Training:
    """Train on ``inputs`` (n, features) with ``labels`` (n,).

    The host tells population ``output`` which neuron is right, on channel target. ``encode`` makes the input of some
    presentations; ``readout`` names the probed register whose largest value is the answer, ties to the lowest neuron.
    Every epoch goes through the data in an order drawn from (``seed``, epoch), commits after ``commit_every`` presentations
    and at its end, and then evaluates ``test`` with learning off. ``checkpoint`` is a file written every ``every_s`` seconds
    and when interrupted; if it is there the training goes on from it, with the same bits as if it had never stopped.
    ``watch`` records what it is asked to, and changes no bit.

    Raises RunError, StimulusError, FileError.
    """
    values, classes = np.asarray(inputs), np.asarray(labels, np.int64).ravel()
    if len(values) != classes.size or not classes.size:
        raise RunError(f"{classes.size} labels for {len(values)} samples; give one a sample, and at least one sample")
    work = _Trainer(image, encode, output, readout, commit_every, engine, workers, seed, watch)
    path = None if checkpoint is None else Path(checkpoint)
    state = _load(path, work) if path is not None and path.exists() else _State(start or Memory())
    saved = time.monotonic()
    try:
        while state.epoch < epochs:
            order = permutation(classes.size, seed, state.epoch)
            while state.position < classes.size:
                work.some(state, values, classes, order)
                progress(f"epoch {state.epoch + 1} of {epochs}", state.position, classes.size)
                if path is not None and time.monotonic() - saved > every_s:
                    _save(path, work, state)
                    saved = time.monotonic()
            work.finish(state, test, classes.size)
    finally:
        if path is not None:
            _save(path, work, state)
    return Training(with_memory(image, state.memory), state.memory, tuple(state.history))


@dataclass
class _Trainer:
    image: Image
    encode: Encode
    output: str
    readout: tuple[str, str]
    commit_every: int
    engine: str
    workers: int | None
    seed: int
    watch: Watch | None

    def some(self, state: _State, values: Any, labels: Ints, order: Ints) -> None:
        """The next presentations of an epoch, up to a commit."""
        begun = time.perf_counter()
        number = state.epoch * labels.size + state.position
        room = AT_ONCE if self.watch is None else min(AT_ONCE, self.watch.room(self.image, state.memory, number))
        size = max(room // self.commit_every, 1) * self.commit_every
        chosen = order[state.position : state.position + size]
        done = run(
            self.image,
            self.told(values[chosen], labels[chosen], number),
            engine=self.engine,
            plastic=True,
            commit_every=self.commit_every,
            workers=self.workers,
            seed=self.seed,
            start=state.memory,
        )
        state.memory = done.memory
        state.right += int(np.sum(readout_of(done, self.readout).argmax(axis=1) == labels[chosen]))
        state.counts.update(done.counts.table)
        state.position += chosen.size
        state.wall_s += time.perf_counter() - begun
        self.last = done
        if self.watch is not None:
            self.watch.after(done, number + chosen.size)

    def told(self, values: Any, labels: Ints, first: int) -> Stimulus:
        """The input of some presentations, and the label for every output neuron: 1 for the right one, 0 for the others."""
        stimulus = self.encode(values, first)
        n = self.image.population(self.output).n
        right = (labels[:, None] == np.arange(n)[None, :]).astype(np.int64)
        return replace(stimulus, first=first, values={**stimulus.values, self.output: right})

    def finish(self, state: _State, test: tuple[ArrayLike, ArrayLike] | None, n: int) -> None:
        """Close an epoch: evaluate, price, and go to the next."""
        accuracy = None
        if test is not None:
            accuracy = evaluate(
                self.image, *test, encode=self.encode, readout=self.readout, memory=state.memory, engine=self.engine, seed=self.seed,
                workers=self.workers,
            )  # fmt: skip
        priced = report(replace(self.last, counts=Counts(dict(state.counts))))
        learning = priced.by_part["learning"]
        spikes = sum(count for (key, *_), count in state.counts.items() if key == "send_spike")
        state.history.append(
            Epoch(
                state.epoch,
                state.right / n,
                accuracy,
                spikes / n,
                priced.total_fj // n,
                learning // n,
                round(state.wall_s, 3),
            )
        )
        state.epoch, state.position, state.right, state.wall_s = state.epoch + 1, 0, 0, 0.0
        state.counts = Counter()
        if self.watch is not None:
            self.watch.epoch()


def evaluate(
    image: Image,
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    encode: Encode,
    readout: tuple[str, str],
    memory: Memory | None = None,
    engine: str = "cpu",
    workers: int | None = None,
    seed: int = 0,
) -> float:
    """Share of samples whose largest ``readout`` is at their label, with learning off: nothing of the image or memory changes."""
    values, classes = np.asarray(inputs), np.asarray(labels, np.int64).ravel()
    right = 0
    for low in range(0, classes.size, AT_ONCE):
        part = slice(low, low + AT_ONCE)
        done = run(image, encode(values[part], low), engine=engine, workers=workers, seed=seed, start=memory)
        right += int(np.sum(readout_of(done, readout).argmax(axis=1) == classes[part]))
    return right / classes.size


# ---- checkpoints
def _save(path: Path, work: _Trainer, state: _State) -> None:
    header = {
        "format": FORMAT,
        "image": work.image.digest,
        "seed": work.seed,
        "commit_every": work.commit_every,
        "epoch": state.epoch,
        "position": state.position,
        "right": state.right,
        "wall_s": state.wall_s,
        "commits": state.memory.commits,
        "counts": [[*where, n] for where, n in sorted(state.counts.items())],
        "history": [asdict(epoch) for epoch in state.history],
        "digest": state.memory.digest,
    }
    buffer = io.BytesIO()
    arrays = {f"weight.{name}": array for name, array in state.memory.weights.items()}
    arrays |= {f"register.{name}": array for name, array in state.memory.registers.items()}
    np.savez_compressed(
        buffer, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays
    )
    write_whole(path, buffer.getvalue())


def _load(path: Path, work: _Trainer) -> _State:
    try:
        arrays = load_arrays(path)
        if not isinstance(arrays, Mapping):
            raise ValueError("one bare array")
        header = json.loads(arrays["header"].tobytes())
        memory = Memory(
            {name.removeprefix("weight."): array for name, array in arrays.items() if name.startswith("weight.")},
            {name.removeprefix("register."): array for name, array in arrays.items() if name.startswith("register.")},
            header["commits"],
        )
        history = [Epoch(**epoch) for epoch in header["history"]]
        counts = Counter({(key, core, owner): n for key, core, owner, n in header["counts"]})
        sound = header["format"] == FORMAT and header["digest"] == memory.digest
        state = _State(memory, header["epoch"], header["position"], header["right"], counts, header["wall_s"], history)
        mine = (header["image"], header["seed"], header["commit_every"])
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); give the path of a checkpoint") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise FileError(f"{path}: the checkpoint is damaged; remove it to start anew")
    if mine != (work.image.digest, work.seed, work.commit_every):
        raise FileError(
            f"{path}: is the checkpoint of another training (image, seed or commit_every differ); remove it, or choose another path"
        )
    return state
