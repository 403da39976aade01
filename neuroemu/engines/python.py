"""Engine ``python``: the interpreted reference. The whole network as one core, packets handed over without a network."""

from __future__ import annotations

from collections import Counter

import numpy as np

from neuroemu.engines.core import Arrival, Core, Moment, Send
from neuroemu.engines.job import Job, Outcome, by_slice
from neuroemu.engines.record import Recorder, state_of
from neuroemu.isa import CHANNELS, RULE_HOOKS
from neuroemu.network import Ints
from neuroemu.tally import Raw, host_sends, tally


def run(job: Job) -> Outcome:
    """Run every presentation, one after the other."""
    return _Whole(job).run()


class _Whole:
    def __init__(self, job: Job) -> None:
        self.job, self.image = job, job.image
        chip = {number: np.arange(p.n) for number, p in enumerate(self.image.populations) if not p.is_host}
        self.core = Core(self.image, chip, job.seed, job.plastic)
        self.recorder = Recorder(job)
        self.raw = Raw(plastic=job.plastic, presentations=job.stimulus.n, ticks=job.ticks * job.stimulus.n)
        self.raw.sends, self.raw.unsent = host_sends(self.image, job.stimulus, job.ticks, job.deepest)
        for number, population in enumerate(self.image.populations):
            program = self.image.program_of(population)
            for channel in program.channels if program else ():
                self.raw.sends[number, channel] = np.zeros(population.n, np.int64)
                self.raw.unsent[number, channel] = np.zeros((job.deepest + 1, population.n), np.int64)
        self.due: dict[int, list[Arrival]] = {}

    def run(self) -> Outcome:
        for low, high in self.job.batches():
            for presentation in range(low, high):
                self.presentation(presentation)
                self.job.progress("running", presentation + 1, self.job.stimulus.n)
            if self.job.plastic:
                self.core.commit(high - low)
                self.raw.commits += 1
        self.gather()
        state, weights = state_of(self.image, [self.core])
        return self.recorder.outcome(tally(self.image, self.raw), state, weights)

    def presentation(self, presentation: int) -> None:
        phases, phase_ticks = self.job.schedule
        self.core.begin()
        self.due = {}
        moment = Moment(self.job.seed, self.job.stimulus.first + presentation, 0)
        for tick in range(self.job.ticks):
            moment.tick, moment.phase, moment.phase_tick = tick, int(phases[tick]), int(phase_ticks[tick])
            self.tick(presentation, moment)
        moment.tick = self.job.ticks
        self.core.end(moment)
        self.recorder.end(presentation, [self.core])

    def tick(self, presentation: int, moment: Moment) -> None:
        tick = moment.tick
        arrivals = sorted(self.due.pop(tick, []))  # deliver
        self.core.synapse(arrivals, moment)
        for number in self.job.modulations.get(tick, ()):
            name = self.image.populations[number].name
            self.core.modulate(number, self.job.stimulus.values[name][presentation])
        windows = {number: self.job.window(self.image.populations[number]) for number in self.core.neurons}
        sends = self.core.soma(moment, {number for number, (low, high) in windows.items() if low <= tick < high})
        for number, neuron, payload in self.job.input_packets(presentation, tick):
            self.send(Send(number, neuron, "input", payload), tick)
        for send in sends:  # axon_out
            self.send(send, tick)
            self.count(send, tick)
        self.recorder.tick(presentation, tick, sends, [self.core])
        self.core.rules(moment)
        # barrier: nothing to wait for here

    def send(self, send: Send, tick: int) -> None:
        for number, projection in enumerate(self.image.projections):
            if projection.pre == send.population and send.channel in projection.routes:
                for place, part in enumerate(projection.parts):
                    if part.fan_out[send.neuron]:
                        arrival = Arrival(number, CHANNELS[send.channel], send.neuron, place, send.payload)
                        self.due.setdefault(tick + 1 + part.delay, []).append(arrival)

    def count(self, send: Send, tick: int) -> None:
        key = (send.population, send.channel)
        self.raw.sends[key][send.neuron] += 1
        back = self.job.ticks - 1 - tick
        if back <= self.job.deepest:
            self.raw.unsent[key][back, send.neuron] += 1

    def gather(self) -> None:
        """Move what the core counted into the form that tally reads."""
        raw = self.raw
        for number, neurons in self.core.neurons.items():
            population = neurons.population
            raw.active[number] = by_slice(population, neurons.active)
            raw.soma[number] = by_slice(population, _of(neurons.calls, "soma"))
            for hook, into in (("settle", raw.settle), ("modulate", raw.modulate)):
                into[number] = by_slice(population, _of(neurons.calls, hook))
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
