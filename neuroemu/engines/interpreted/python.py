"""Engine ``python``: the interpreted reference. The whole network as one core, packets handed over without a network."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.interpreted.core import Arrival, Core
from neuroemu.engines.interpreted.neurons import Moment, Send
from neuroemu.engines.interpreted.record import Recorder, state_of
from neuroemu.engines.job import Course, Job, Outcome, by_slice
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory
from neuroemu.language.isa import RULE_HOOKS
from neuroemu.results.counts import Counts
from neuroemu.results.tally import Raw, Tables, tally


def run(job: Job) -> Outcome:
    """Run every presentation, one after the other."""
    whole, recorder = Whole(job.image, job.seed, job.plastic, job.start), Recorder(job)
    for low, high in job.batches():
        for presentation in range(low, high):
            whole.begin(job, presentation)
            while not whole.course.over:
                recorder.tick(presentation, whole.next, whole.tick(), [whole.core])
            whole.end()
            recorder.end(presentation, [whole.core])
            job.progress("running", presentation + 1, job.stimulus.n)
        if job.plastic:
            whole.commit(high - low)
    state, weights = state_of(job.image, [whole.core])
    return recorder.outcome(whole.counts(), state, weights)


CHANNEL_NAMES = {number: name for name, number in CHANNELS.items()}
"""Channels by their number."""


class Waiting(NamedTuple):
    """A packet in the delay buffer of a core: the tick it is due, its core, and where it will arrive."""

    due: int
    core: int
    arrival: Arrival


class Whole:
    """The chip as one core, tick by tick: the run above goes through, a Session stops where it is told.

    ``next`` is the tick that comes next, ``arrivals`` what the last one delivered, ``due`` what is under way, by tick.
    """

    def __init__(self, image: Image, seed: int, plastic: bool, start: Memory | None = None) -> None:
        self.image = image
        chip = {number: np.arange(p.n) for number, p in enumerate(image.populations) if not p.is_host}
        self.core = Core(image, chip, seed, plastic, start)
        self.raw = Raw(plastic=plastic)
        self.taken: dict[tuple[int, str], Ints] = {}
        self.came: dict[tuple[int, int, str], Ints] = {}
        self.learning = self.raw.learning = Raw(taken=self.taken, arrived=self.came)
        deepest = max((part.delay for projection in image.projections for part in projection.parts), default=0)
        for number, population in enumerate(image.populations):
            program = image.program_of(population)
            for channel in program.channels if program else ("input",):
                self.raw.sends[number, channel] = np.zeros(population.n, np.int64)
                self.raw.unsent[number, channel] = np.zeros((deepest + 1, population.n), np.int64)
                self.learning.sends[number, channel] = np.zeros(population.n, np.int64)
                self.taken[number, channel] = np.zeros(population.n, np.int64)
        for number, projection in enumerate(image.projections):
            for place, channel in itertools.product(range(len(projection.parts)), projection.routes):
                self.came[number, place, channel] = np.zeros(image.populations[projection.pre].n, np.int64)
        self.late: deque[list[Send]] = deque(maxlen=deepest + 1)
        self.due: dict[int, list[Arrival]] = {}
        self.arrivals: list[Arrival] = []
        self.moment = Moment(seed, 0, 0)
        self.next = 0
        self.cores_reached: dict[tuple[int, int], Ints] = {}
        """How many cores a packet goes to, by projection, part and pre neuron: worked out when it is asked for."""

    def begin(self, job: Job, presentation: int) -> None:
        """Start a presentation of a job for this image; it is the job's that decides phases, windows, inputs and values."""
        self.job, self.presentation, self.next = job, presentation, 0
        self.course = Course(job, presentation)
        self.moment.presentation, self.moment.tick = job.stimulus.first + presentation, 0
        self.core.begin()
        self.due, self.arrivals = {}, []
        self.late.clear()

    def tick(self, injected: Iterable[Send] = (), more: bool = False) -> list[Send]:
        """One tick; ``injected`` joins what the host sends in it, ``more`` says that more will be. Returns what the chip's neurons sent."""
        job, moment, tick = self.job, self.moment, self.next
        moment.tick, moment.phase, moment.phase_tick = tick, self.course.phase, self.course.phase_tick
        moment.learning = self.course.learning
        self.arrivals = sorted(self.due.pop(tick, []))  # deliver
        if moment.learning:
            self.learn()
        self.core.synapse(self.arrivals, moment)
        for number in job.modulations.get(tick, ()):
            self.core.modulate(number, job.stimulus.values[self.image.populations[number].name][self.presentation])
        windows = {number: job.window(self.image.populations[number]) for number in self.core.neurons}
        sends = self.core.soma(moment, {number for number, (low, high) in windows.items() if low <= tick < high})
        host = [
            Send(number, neuron, "input", payload)
            for number, neuron, payload in job.input_packets(self.presentation, tick)
        ]
        for send in (everything := [*host, *injected, *sends]):  # axon_out
            self.send(send, tick)
            self.raw.sends[send.population, send.channel][send.neuron] += 1
            if moment.learning:
                self.learning.sends[send.population, send.channel][send.neuron] += 1
        self.late.append(everything)
        self.core.rules(moment)
        self.raw.ticks += 1
        self.learning.ticks += moment.learning
        self.next += 1
        waiting = bool(self.due) or more or tick <= job.last_word[self.presentation]
        self.course.advance(quiet=not (self.arrivals or everything or waiting))
        return sends  # barrier: nothing to wait for here

    def learn(self) -> None:
        """Count what reaches cores and synapses in a tick of a learning phase."""
        for send in self.late[-1] if self.late else ():
            self.taken[send.population, send.channel][send.neuron] += 1
        for arrival in self.arrivals:
            self.came[arrival.projection, arrival.part, CHANNEL_NAMES[arrival.channel]][arrival.neuron] += 1

    def send(self, send: Send, tick: int) -> None:
        for number, projection in enumerate(self.image.projections):
            if projection.pre == send.population and send.channel in projection.routes:
                for place, part in enumerate(projection.parts):
                    if part.fan_out[send.neuron]:
                        arrival = Arrival(number, CHANNELS[send.channel], send.neuron, place, send.payload)
                        self.due.setdefault(tick + 1 + part.delay, []).append(arrival)

    def end(self) -> None:
        """End the presentation; what is still under way is dropped."""
        self.moment.tick = self.next
        self.core.end(self.moment)
        self.raw.unsent = self.unsent()
        self.raw.presentations += 1
        self.due, self.arrivals = {}, []
        self.late.clear()

    def commit(self, batch: int) -> None:
        """Commit the sums of the last ``batch`` presentations."""
        self.core.commit(batch)
        self.raw.commits += 1

    # ---- counting
    def unsent(self) -> dict[tuple[int, str], Ints]:
        """Raw.unsent as if the presentation ended here."""
        unsent = {key: values.copy() for key, values in self.raw.unsent.items()}
        for back, sends in enumerate(reversed(self.late)):
            for send in sends:
                unsent[send.population, send.channel][back, send.neuron] += 1
        return unsent

    def waiting(self) -> Iterator[Waiting]:
        """What is under way, once for each core that it goes to."""
        for due, arrivals in sorted(self.due.items()):
            for arrival in sorted(arrivals):
                projection = self.image.projections[arrival.projection]
                part = projection.parts[arrival.part]
                posts = part.post[part.indptr[arrival.neuron] : part.indptr[arrival.neuron + 1]]
                for core in np.unique(self.image.populations[projection.post].core_of[posts]).tolist():
                    yield Waiting(due, core, arrival)

    def n_waiting(self) -> int:
        """How many ``waiting`` gives, without making them: asked after every command of a session."""
        found = 0
        for arrival in (arrival for arrivals in self.due.values() for arrival in arrivals):
            key = arrival.projection, arrival.part
            if key not in self.cores_reached:
                by_core = Tables(self.image).fan_out(*key)
                self.cores_reached[key] = np.sum([fan_out > 0 for _, fan_out in by_core], axis=0)
            found += int(self.cores_reached[key][arrival.neuron])
        return found

    def counts(self) -> Counts:
        """Every count so far; a packet under way counts as sent, and neither as arrived nor as dropped."""
        self.gather()
        counts = tally(self.image, replace(self.raw, unsent=self.unsent()))
        table = Counter(counts.table)
        for waiting in self.waiting():
            source = self.image.populations[self.image.projections[waiting.arrival.projection].pre]
            table["dropped", waiting.core, source.name] -= 1
        return Counts(table)

    def gather(self) -> None:
        """Move what the core counted into the form that tally reads."""
        raw = self.raw
        raw.saturations, raw.axon_saturations = {}, {}
        for number, neurons in self.core.neurons.items():
            population = neurons.population
            raw.active[number] = by_slice(population, neurons.active)
            raw.soma[number] = by_slice(population, _of(neurons.calls, "soma"))
            for hook, into in (("settle", raw.settle), ("modulate", raw.modulate)):
                into[number] = by_slice(population, _of(neurons.calls, hook))
            learned = (("active", self.learning.active), ("soma", self.learning.soma), ("settle", self.learning.settle))
            for hook, into in learned:
                into[number] = by_slice(population, _of(neurons.learning_calls, hook))
            self.learning.modulate[number] = raw.modulate[number]
            for bound in neurons.hooks.values():
                for register, seen in bound.saturations.items():
                    _add(raw.saturations, (population.name, register), by_slice(population, seen))
            for port, seen in neurons.port_saturations.items():
                _add(raw.saturations, (population.name, port), by_slice(population, seen))
        for number, synapses in self.core.synapses.items():
            population = synapses.neurons.population
            raw.fire_pre[number] = synapses.fire_ticks
            for hook in RULE_HOOKS:
                if hook in synapses.bound:
                    raw.synapse_hooks[number, hook] = by_slice(population, _of(synapses.calls, hook))
            self.rule_saturations(number)

    def rule_saturations(self, number: int) -> None:
        synapses = self.core.synapses[number]
        if synapses.program is None:
            return
        population, name = synapses.neurons.population, synapses.projection.name
        where = {segment: pair for pair, segment in synapses.segments.items()}
        for bound in synapses.bound.values():
            for register, seen in bound.saturations.items():
                level = synapses.program.level_of(register)
                if level == "axon":
                    for segment, n in seen.items():
                        part, axon = where[segment]
                        size = synapses.projection.parts[part].indptr.size - 1
                        self.raw.axon_saturations.setdefault((number, part, register), np.zeros(size, np.int64))[
                            axon
                        ] += n
                    continue
                by_post: Counter[int] = Counter()
                for index, n in seen.items():
                    by_post[synapses.post[index] if level == "synapse" else index] += n
                _add(self.raw.saturations, (name, register), by_slice(population, by_post))


def _of(calls: Counter[tuple[str, int]], hook: str) -> Counter[int]:
    return Counter({neuron: n for (name, neuron), n in calls.items() if name == hook})


def _add(into: dict[tuple[str, str], Ints], key: tuple[str, str], values: Ints) -> None:
    into[key] = into[key] + values if key in into else values
