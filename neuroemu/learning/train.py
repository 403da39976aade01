"""Train an image on the emulated chip: presentations in a seeded order, commits, evaluation with learning off, checkpoints.

The presentation index is epoch x N + position, whatever the number of workers or the place where a run was cut: a training that is
killed and resumed ends with the same bits.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.engines.job import Progress, silent
from neuroemu.engines.run import run
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory, with_memory
from neuroemu.language.draws import permutation
from neuroemu.learning.checkpoint import Keeper
from neuroemu.learning.encoders import NamedEncoder
from neuroemu.learning.options import TrainingOptions
from neuroemu.learning.samples import (
    VOTE,
    Encode,
    Plain,
    Readout,
    Samples,
    answers,
    encoder,
    has_modulator,
    output_of,
    plain,
    readout_of,
)
from neuroemu.learning.schedule import Schedule, at_epoch, check_schedule, digest, freeze, learns
from neuroemu.learning.training import Epoch, Training, TrainingState, patience_is_over
from neuroemu.learning.vote import label_neurons, vote
from neuroemu.learning.watch import Watch
from neuroemu.network.stimulus import Stimulus
from neuroemu.results.counts import Counts
from neuroemu.results.report import learning_fj, price
from neuroemu.results.report_units import FJ, amount
from neuroemu.results.run import Run

AT_ONCE = 256
"""Presentations encoded and run at a time."""
SAY_EVERY_S = 1.0
"""Seconds between prices of an epoch that is under way."""


def train(
    image: Image,
    dataset: Samples,
    *,
    epochs: int = 1,
    test: Samples | None = None,
    commit_every: int = 1,
    lanes: int | None = None,
    engine: str = "cpu",
    workers: int | None = None,
    seed: int = 0,
    encode: Encode | str | None = None,
    ticks: int | None = None,
    output: str | None = None,
    readout: Readout | None = None,
    schedule: Schedule | None = None,
    frozen: Collection[str] = (),
    patience: int | None = None,
    start: Memory | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every_s: float = 60.0,
    progress: Progress = silent,
    watch: Watch | None = None,
) -> Training:
    """Train on a Dataset, or on (inputs, labels) of shapes (n, features...) and (n,).

    Every epoch goes through the data in an order drawn from (``seed``, epoch), commits after ``commit_every`` presentations
    and at its end, and then evaluates ``test`` with learning off. After ``patience`` epochs without a better test accuracy no more
    follow. ``lanes`` is how many presentations may run side by side, at most ``commit_every``; with ``workers`` (threads of engine
    ``cpu``) it is execution and never changes a bit.
    ``watch`` records what it is asked to, and changes no bit.

    ``encode`` is an encoder's name (ttfs, rate, graded), with ``ticks`` rows a presentation, or a function of values and the
    first one's number that returns a Stimulus; ``samples.encoder`` says what the defaults are. The host tells population
    ``output`` (the image's only one) which neuron is right, on channel target, if a modulator is there. ``readout`` is the probed
    register of the output whose largest value is the answer, ties to the lowest neuron, or ``vote``: each neuron gets the label it
    answers to after the epoch, with learning off, and the most active one decides.

    ``schedule`` gives parameters by epoch: ``{"w1.rate": {0: 16, 4: 17}}``. ``frozen`` names projections and populations that do
    not learn. ``checkpoint`` is a file written every ``every_s`` seconds and when interrupted; if it is there the training goes on
    from it, with the same bits as if it had never stopped.

    Raises UnknownNameError, RunError, StimulusError, NetworkError, UnsupportedError, FileError.
    """
    samples, tests = plain(dataset), None if test is None else plain(test)
    options = TrainingOptions(epochs, commit_every, lanes, engine, workers, seed, patience, every_s)
    if patience is not None and tests is None:
        raise RunError("patience waits for a better test accuracy and there is no test data; give test")
    schedule, output = schedule or {}, output_of(image, output)
    read = readout_of(image, output, readout)
    check_schedule(image, schedule)
    encoded = encoder(image, samples, encode, ticks=ticks, seed=options.seed, vote=read == VOTE)
    reading = _Reading(encoded, output, read, engine, options.threads, options.seed)
    work = _Trainer(freeze(image, frozen), samples, tests, reading, schedule, options, watch)
    begin = start or Memory()
    keeper = Keeper(checkpoint, every_s, work.identity(begin) if checkpoint else {}, samples.labels.size)
    state = work.epochs(keeper.begin(TrainingState(begin)), keeper, progress)
    last = at_epoch(image, schedule, max(state.epoch - 1, 0))
    return Training(
        with_memory(last, state.memory),
        state.memory,
        state.history,
        work.neuron_labels(state) if read == VOTE else None,
        state.epoch < epochs,
    )


@dataclass(frozen=True, eq=False)
class _Reading:
    """How samples go in and answers come out."""

    encode: Encode
    output: str
    readout: Any
    engine: str
    workers: int | None
    seed: int

    def runs(self, image: Image, samples: Plain, memory: Memory | None) -> Any:
        """Runs with learning off over all samples, a few at a time, with their presentations."""
        for low in range(0, samples.labels.size, AT_ONCE):
            values = samples.inputs[low : low + AT_ONCE]
            yield run(
                image, self.encode(values, low), engine=self.engine, workers=self.workers, seed=self.seed, start=memory
            )

    def counts(self, image: Image, samples: Plain, memory: Memory | None) -> Ints:
        """Spikes of the output neurons, shape (n, neurons)."""
        return np.concatenate([done.spike_counts(self.output) for done in self.runs(image, samples, memory)])

    def labels(self, image: Image, samples: Plain, memory: Memory | None) -> tuple[Ints, float]:
        """The label of every output neuron, and the share of the same samples that the vote then gets right."""
        counts = self.counts(image, samples, memory)
        found = label_neurons(counts, samples.labels, int(samples.labels.max()) + 1)
        return found, float(np.mean(vote(counts, found) == samples.labels))

    def accuracy(self, image: Image, samples: Plain, memory: Memory | None, neuron_labels: ArrayLike | None) -> float:
        """Share of samples whose answer is their label."""
        if self.readout != VOTE:
            found = np.concatenate([answers(done, self.readout) for done in self.runs(image, samples, memory)])
        elif neuron_labels is None:
            raise RunError("a vote needs the labels of the neurons; give neuron_labels, such as Training.neuron_labels")
        else:
            found = vote(self.counts(image, samples, memory), neuron_labels)
        return float(np.mean(found == samples.labels))


@dataclass(eq=False)
class _Trainer:
    """What is the same all through a training, and the image of every epoch."""

    image: Image
    samples: Plain
    tests: Plain | None
    reading: _Reading
    schedule: Schedule
    options: TrainingOptions
    watch: Watch | None
    said: tuple[float, str] = (0.0, "")
    images: dict[tuple[int, ...], Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not learns(self.image):
            raise RunError("nothing in the image learns; wire a rule into the network, or freeze less of it")
        n, labels = self.image.population(self.reading.output).n, self.samples.labels
        self.modulated = has_modulator(self.image, self.reading.output)
        wrong = labels[(labels < 0) | (labels >= n)]
        if self.modulated and wrong.size:
            raise RunError(
                f"label {wrong[0]} has no neuron: output '{self.reading.output}' has {n}; use labels 0..{n - 1}, or a larger output"
            )

    def identity(self, begin: Memory) -> dict[str, Any]:
        """What a checkpoint must be of for this training to go on from it."""
        encode = self.reading.encode
        return {
            "image": self.image.digest,
            "data": self.samples.digest,
            "encoder": str(encode) if isinstance(encode, NamedEncoder) else "a function",
            "schedule": digest(self.schedule),
            "seed": self.options.seed,
            "commit_every": self.options.commit_every,
            "start": begin.digest,
        }

    def epochs(self, state: TrainingState, keeper: Keeper, progress: Progress) -> TrainingState:
        """Go on from a state to the last epoch, or until patience is over."""
        n, options = self.samples.labels.size, self.options
        try:
            while state.epoch < options.epochs and not patience_is_over(state.history, options.patience):
                order = permutation(n, options.seed, state.epoch)
                while state.position < n:
                    state = self.some(state, order)
                    if progress is not silent:
                        progress(self.say(state), state.position, n)
                    keeper.keep(state)
                state = self.finish(state)
        finally:
            keeper.end(state)
        return state

    def image_in(self, epoch: int) -> Image:
        """The image of an epoch, the same object as long as its parameters are: engines keep their kernels by it."""
        key = tuple(max((e for e in values if e <= epoch), default=-1) for values in self.schedule.values())
        if key not in self.images:
            self.images[key] = at_epoch(self.image, self.schedule, epoch)
        return self.images[key]

    def some(self, state: TrainingState, order: Ints) -> TrainingState:
        """The next presentations of an epoch, up to a commit."""
        begun = time.perf_counter()
        number = state.epoch * order.size + state.position
        room = AT_ONCE if self.watch is None else min(AT_ONCE, self.watch.room(self.image, state.memory, number))
        size = max(room // self.options.commit_every, 1) * self.options.commit_every
        chosen = order[state.position : state.position + size]
        done = run(
            self.image_in(state.epoch),
            self.stimulus(chosen, number),
            engine=self.reading.engine,
            plastic=True,
            commit_every=self.options.commit_every,
            workers=self.reading.workers,
            seed=self.reading.seed,
            start=state.memory,
        )
        counts = Counter(state.counts)
        counts.update(done.counts.table)
        if self.watch is not None:
            self.watch.after(done, number + chosen.size)
        return replace(
            state,
            memory=done.memory,
            right=state.right + self.right(done, chosen),
            counts=counts,
            position=state.position + chosen.size,
            wall_s=state.wall_s + time.perf_counter() - begun - done.compile_s,
        )

    def stimulus(self, chosen: Ints, first: int) -> Stimulus:
        """The input of some samples, and for every output neuron whether it is the right one: 1 or 0."""
        given = replace(self.reading.encode(self.samples.inputs[chosen], first), first=first)
        if not self.modulated:
            return given
        neurons = np.arange(self.image.population(self.reading.output).n)
        right = (self.samples.labels[chosen][:, None] == neurons).astype(np.int64)
        return replace(given, values={**given.values, self.reading.output: right})

    def right(self, done: Run, chosen: Ints) -> int:
        """How many answers were right while learning; a vote has none yet."""
        if self.reading.readout == VOTE:
            return 0
        return int(np.sum(answers(done, self.reading.readout) == self.samples.labels[chosen]))

    def priced(self, state: TrainingState) -> tuple[float, int, int]:
        """Spikes, femtojoules and what of them is learning, a presentation of the epoch so far."""
        rows = price(Counts(state.counts), self.image.chip)
        spikes = sum(count for (key, *_), count in state.counts.items() if key == "send_spike")
        total = sum(row.energy_fj or 0 for row in rows)
        return spikes / state.position, total // state.position, learning_fj(rows) // state.position

    def say(self, state: TrainingState) -> str:
        """The epoch so far in words, priced anew once a second."""
        at, cost = self.said
        if time.monotonic() - at >= SAY_EVERY_S:
            spikes, energy, _ = self.priced(state)
            cost = f"{spikes:,.1f} spikes and {amount(energy, FJ)} a sample"
            self.said = time.monotonic(), cost
        right = "" if self.reading.readout == VOTE else f"{state.right / state.position:.1%} right, "
        return f"epoch {state.epoch + 1} of {self.options.epochs}: {right}{cost}"

    def neuron_labels(self, state: TrainingState) -> Ints:
        """The label of every output neuron, as what the chip remembers answers now."""
        return self.reading.labels(self.image_in(max(state.epoch - 1, 0)), self.samples, state.memory)[0]

    def finish(self, state: TrainingState) -> TrainingState:
        """Close an epoch: evaluate, price, and go to the next."""
        image, labels, accuracy = self.image_in(state.epoch), None, None
        share = state.right / state.position
        if self.reading.readout == VOTE:
            labels, share = self.reading.labels(image, self.samples, state.memory)
        if self.tests is not None:
            accuracy = self.reading.accuracy(image, self.tests, state.memory, labels)
        self.said = (0.0, "")
        if self.watch is not None:
            self.watch.epoch()
        epoch = Epoch(state.epoch, share, accuracy, *self.priced(state), round(state.wall_s, 3))
        return TrainingState(state.memory, state.epoch + 1, history=(*state.history, epoch))


def evaluate(
    image: Image,
    dataset: Samples,
    *,
    encode: Encode | str | None = None,
    ticks: int | None = None,
    output: str | None = None,
    readout: Readout | None = None,
    neuron_labels: ArrayLike | None = None,
    memory: Memory | None = None,
    engine: str = "cpu",
    workers: int | None = None,
    seed: int = 0,
) -> float:
    """Share of samples whose answer is their label, with learning off: nothing of the image or memory changes.

    Arguments as in ``train``; read-out ``vote`` needs the ``neuron_labels`` of a Training. Raises what ``train`` raises.
    """
    samples, output = plain(dataset), output_of(image, output)
    read = readout_of(image, output, readout)
    encoded = encoder(image, samples, encode, ticks=ticks, seed=seed, vote=read == VOTE)
    return _Reading(encoded, output, read, engine, workers, seed).accuracy(image, samples, memory, neuron_labels)
