"""A session: an image run tick by tick, with everything inside to read. Its results are those of ``run``, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.engines.interpreted.neurons import Send
from neuroemu.engines.interpreted.python import ChipState
from neuroemu.engines.interpreted.record import columns, state_of
from neuroemu.engines.job import Job, silent
from neuroemu.engines.run import as_stimulus, check, check_payload
from neuroemu.image.image import Image
from neuroemu.inspect.condition import Condition, condition, expression
from neuroemu.inspect.follow import Flight, Journey, Sent, SynapseLog, SynapseRow, flight, journey
from neuroemu.inspect.inside import Cell, Inside
from neuroemu.language.isa import MAX_TICKS
from neuroemu.network.integers import integer
from neuroemu.network.stimulus import PAYLOAD_LIMIT, Stimulus
from neuroemu.results.counts import Counts
from neuroemu.results.run import Spikes

OPEN = 1 << 16
"""Ticks of a presentation that was begun without a stimulus, in a network without phases."""


@dataclass(frozen=True)
class Stop:
    """Why a session stopped: the condition, what was found, and where: ``stage`` is tick, end or commit."""

    condition: str
    found: str
    presentation: int
    tick: int
    phase: int
    stage: str = "tick"

    def __str__(self) -> str:
        where = f"tick {self.tick}" if self.stage == "tick" else f"the {self.stage} after tick {self.tick}"
        return f"'{self.condition}' in {where} of presentation {self.presentation}: {self.found}"


@dataclass(eq=False)
class _Break:
    condition: Condition
    held: bool

    def look(self, sends: Sequence[Send]) -> str | None:
        """What is found, unless it is steady and was there the last time."""
        found = self.condition.look(sends)
        before, self.held = self.held, found is not None
        return None if before and self.condition.steady else found


class Session:
    """Runs an image on the interpreted engine, stopping where it is told.

    ``load`` a presentation of a stimulus, or ``begin`` one and ``inject`` packets; ``step``; ``end``; if plastic, ``commit``. ``tick``
    is the tick that comes next: what is read is as the tick before left it. ``plastic`` runs the learning rules.
    Raises RunError for a seed past 64 bits.
    """

    def __init__(self, image: Image, *, seed: int = 0, plastic: bool = False) -> None:
        seed, plastic = integer(seed, "seed", RunError), bool(plastic)
        if not -(1 << 63) <= seed < 1 << 63:
            raise RunError(f"seed is {seed}; use one from -2**63 to 2**63 - 1")
        self.image, self.seed, self.plastic = image, seed, plastic
        self._chip_state = ChipState(image, seed, plastic)
        self.inside = Inside(image, self._chip_state.core)
        self._breaks: dict[int, _Break] = {}
        self._logs: list[SynapseLog] = []
        self._job: Job | None = None
        self._sends: list[Send] = []
        self._injected: dict[int, list[Send]] = {}
        self._columns: list[tuple[int, int, int, int, int]] = []
        self._begun = self._uncommitted = 0
        self._number = -1

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled: hooks and registers are bound to each other, and a copy would change this one's."""
        raise RunError(
            "a session is not copied; make another with ne.Session(image), and load and step it as this one was"
        )

    # ---- where it is
    @property
    def running(self) -> bool:
        """Whether a presentation has begun and not ended."""
        return self._job is not None

    @property
    def presentation(self) -> int:
        """The number of the presentation, which random numbers depend on; before the first: -1."""
        return self._number

    @property
    def tick(self) -> int:
        """The tick that comes next."""
        return self._chip_state.next

    @property
    def ticks(self) -> int:
        """How many ticks the presentation has, at most where a phase lasts until quiet; 0 if none is running."""
        return self.tick + self.left if self._job else 0

    @property
    def left(self) -> int:
        """How many ticks of the presentation may still come; 0 if none is running."""
        return self._chip_state.course.left if self._job else 0

    @property
    def phase(self) -> int:
        """The number of the phase that the last tick was in."""
        return self._chip_state.moment.phase

    # ---- what goes in
    def begin(self, rows: int | None = None) -> None:
        """Begin the next presentation without input: registers are reset, ``inject`` says what comes.

        ``rows``: for how many ticks the host may send and the somas run [the phases' ticks, or 65536 without phases].
        Raises RunError while another one is running.
        """
        phases = sum(phase.ticks for phase in self.image.phases if self.plastic or not phase.learning)
        rows = rows if rows is not None else phases or OPEN
        if not 1 <= rows <= MAX_TICKS:
            raise RunError(f"rows is {rows}; begin with 1 to {MAX_TICKS}")
        self._start(Stimulus(rows, 1, {}, first=self._number + 1), 0, checked=not self.image.modulators)

    def load(self, inputs: Stimulus | ArrayLike | Mapping[str, ArrayLike], presentation: int = 0) -> None:
        """Begin a presentation of a stimulus (or of arrays as for ``run``); one just begun gets its input from it instead.

        Raises StimulusError as ``run`` does, and RunError if a presentation has gone further, or has no such number.
        """
        stimulus = as_stimulus(self.image, inputs)
        if not 0 <= presentation < stimulus.n:
            raise RunError(
                f"the stimulus has presentations 0..{stimulus.n - 1}, not {presentation}; choose one of these"
            )
        self._start(stimulus, presentation, checked=True, instead=self.tick == 0 and not self._injected)

    def _start(self, stimulus: Stimulus, presentation: int, *, checked: bool, instead: bool = False) -> None:
        if self.running and not instead:
            raise RunError(
                f"presentation {self._number} is running, {self.tick} of {self.ticks} ticks done; end it before another begins"
            )
        job = Job(self.image, stimulus, self.seed, self.plastic, 1, 1, silent)
        if checked:
            check(job)
        self._begun += 0 if self.running else 1
        self._job, self._number = job, stimulus.first + presentation
        self._sends, self._injected = [], {}
        self._chip_state.begin(job, presentation)
        self._look("begin")

    def inject(
        self, population: str, neuron: int, payload: int = 1, channel: str = "input", tick: int | None = None
    ) -> None:
        """Send one packet from the host, or in a neuron's name, in ``tick`` [the next]; it arrives a tick later, plus the delay.

        It counts and is recorded as sent by the neuron; the neuron itself does not notice. Raises RunError, UnknownNameError,
        StimulusError if nothing would read its payload.
        """
        job, tick = self._running(), self.tick if tick is None else tick
        self.inside.population(population)
        number = self.inside.populations[population]
        channels = [c for n, c in self._chip_state.raw.sends if n == number]
        if channel not in channels:
            raise unknown(f"channel of population '{population}'", channel, channels)
        self.inside.neuron(population, neuron)
        if not self.tick <= tick < self.ticks:
            raise RunError(
                f"tick {tick} is not one of those that come: {self.tick}..{self.ticks - 1}; inject in one of them"
            )
        if not -PAYLOAD_LIMIT <= payload < PAYLOAD_LIMIT:
            raise RunError(f"payload {payload} does not fit; a payload has 32 bits")
        if payload != 1:
            check_payload(self.image, population, np.array([payload], np.int32))
        others = [(s.population, s.neuron, s.channel) for s in self._injected.get(tick, ())]
        others += [(n, i, "input") for n, i, _ in job.input_packets(self._chip_state.presentation, tick)]
        if (number, neuron, channel) in others:
            raise RunError(
                f"{population}[{neuron}] already sends on channel {channel} in tick {tick}; a neuron sends one packet a channel and tick"
            )
        self._injected.setdefault(tick, []).append(Send(number, neuron, channel, payload))

    # ---- going on
    def step(self, n: int = 1) -> Stop | None:
        """Run n ticks, fewer if a break is met or a last phase is quiet; returns what stopped it.

        Raises RunError if there are not that many left, or a phase is not quiet within its cap.
        """
        self._running()
        left = self.left
        if not 1 <= n <= left:
            raise RunError(
                f"{n} ticks asked for, presentation {self._number} has {left} of {self.ticks} left; ask for 1 to {left}"
                if left
                else f"presentation {self._number} has no tick left of {self.ticks}; end it and begin another"
            )
        for _ in range(n):
            stop = self._tick()
            if stop is not None or not self.left:
                return stop
        return None

    def go(self) -> Stop | None:
        """Run to the last tick of the presentation or the next break; returns what stopped it."""
        self._running()
        return self.step(max(self.left, 1))

    def run_until(self, text: str, limit: int | None = None) -> Stop | None:
        """Run until a condition holds after a tick, at most ``limit`` ticks [to the last]; breaks stop it too.

        Returns what stopped it, None if nothing did. Raises RunError, UnknownNameError.
        """
        self._running()
        if limit is not None and limit < 1:
            raise RunError(f"limit is {limit}; run for at least 1 tick")
        wanted, left = self._condition(text), max(self.left, 1)
        try:
            for _ in range(left if limit is None else min(limit, left)):
                stop = self.step()
                found = wanted.look(self._sends)
                if found is not None:
                    return self._stop(wanted.text, found, "tick")
                if stop is not None or not self.left:
                    return stop
            return None
        finally:
            wanted.close()

    def end(self) -> Stop | None:
        """End the presentation, all its ticks done or not: hooks ``end``; what is still under way is dropped. Raises RunError if
        none is running."""
        self._running()
        self._chip_state.end()
        self._job = None
        self._uncommitted += 1
        return self._look("end")

    def commit(self) -> Stop | None:
        """Change the weights by what was summed since the last commit. Raises RunError if that is nothing."""
        if not self.plastic:
            raise RunError("the session is not plastic, there is nothing to commit; make it with plastic=True")
        if self.running:
            raise RunError(f"presentation {self._number} is running; end it before a commit")
        if not self._uncommitted:
            raise RunError("no presentation has ended since the last commit; end one first")
        self._chip_state.commit(self._uncommitted)
        self._uncommitted = 0
        return self._look("commit")

    def _tick(self) -> Stop | None:
        for number in self._running().modulations.get(self.tick, ()):
            name = self.image.populations[number].name
            if name not in self._running().stimulus.values:
                raise RunError(
                    f"population '{name}' is modulated in tick {self.tick} and there are no values for it; load a stimulus with values"
                )
        tick = self.tick
        self._chip_state.tick(self._injected.pop(tick, []), more=bool(self._injected))
        self._sends = list(self._chip_state.late[-1])
        recorded = [send for send in self._sends if not self.image.populations[send.population].is_host]
        self._columns += columns(self.image, self._begun - 1, tick, recorded)
        return self._look("tick")

    def _look(self, stage: str) -> Stop | None:
        """After a tick, an end or a commit: the logs' rows, then the breaks. A begin only resets what they compare with."""
        for log in self._logs if stage != "begin" else ():
            log.note(self._chip_state, self._number, self.tick - 1, stage)
        found = [(b.condition.text, b.look(self._sends if stage == "tick" else ())) for b in self._breaks.values()]
        for text, what in found:
            if what is not None and stage != "begin":
                return self._stop(text, what, stage)
        return None

    def _stop(self, text: str, found: str, stage: str) -> Stop:
        return Stop(text, found, self._number, self.tick - 1, self.phase, stage)

    def _running(self) -> Job:
        if self._job is None:
            raise RunError("no presentation is running; load a stimulus or begin one")
        return self._job

    # ---- breaks
    def break_when(self, text: str) -> int:
        """Stop when a condition comes true; returns its number. See docs/firmware.md for what conditions are.

        Raises RunError or UnknownNameError with the place in the condition.
        """
        found = self._condition(text)
        number = max(self._breaks, default=0) + 1
        self._breaks[number] = _Break(found, found.steady and found.look(()) is not None)
        return number

    @property
    def breaks(self) -> dict[int, str]:
        """Conditions to stop at, by the number that ``break_when`` gave them."""
        return {number: found.condition.text for number, found in self._breaks.items()}

    def clear(self, number: int | None = None) -> None:
        """Forget a break, or all. Raises UnknownNameError."""
        if number is not None and number not in self._breaks:
            raise unknown("break", str(number), map(str, self._breaks))
        for k in list(self._breaks) if number is None else [number]:
            self._breaks.pop(k).condition.close()

    def value(self, text: str) -> int:
        """The value of an expression now, as ``out.v[3]`` or ``max(out.v)``. Raises RunError, UnknownNameError."""
        return int(expression(text, self.inside, self.names)())

    def _condition(self, text: str) -> Condition:
        return condition(text, self.inside, self.names)

    @property
    def names(self) -> dict[str, Cell]:
        """What conditions may use besides registers: the presentation, its last tick, that tick's phase."""
        return {"tick": lambda: self.tick - 1, "presentation": lambda: self._number, "phase": lambda: self.phase}

    # ---- what is inside
    def register(self, owner: str, name: str) -> Ints:
        """A copy of a register of a population (n,), of a projection's synapses in the order of their ids, of its axons (delays, n_pre),
        its ``weight``, or what came to a port in the last tick; int64. Raises UnknownNameError."""
        return self.inside.register(owner, name)

    @property
    def packets(self) -> tuple[Flight, ...]:
        """What waits in the cores' delay buffers, by the tick it is due, once for each core and projection."""
        return tuple(self.flights())

    def flights(self) -> Iterator[Flight]:
        """The ``packets`` one by one: a look at the first of very many costs no more than these."""
        return (flight(self.image, waiting) for waiting in (self._chip_state.waiting() if self.running else ()))

    @property
    def n_packets(self) -> int:
        """How many ``packets`` there are, without making them."""
        return self._chip_state.n_waiting() if self.running else 0

    @property
    def sent(self) -> tuple[Sent, ...]:
        """What was sent in the last tick, by the host and by neurons."""
        return tuple(self._sent(send) for send in self._sends)

    @property
    def n_sent(self) -> int:
        """How many packets were ``sent``, without making them."""
        return len(self._sends)

    def _sent(self, send: Send) -> Sent:
        population = self.image.populations[send.population]
        core = int(population.core_of[send.neuron])
        return Sent(self.tick - 1, population.name, send.neuron, core, send.channel, send.payload)

    @property
    def counts(self) -> Counts:
        """Every count so far. What is under way counts as sent, and neither as arrived nor as dropped."""
        return self._chip_state.counts()

    @property
    def spikes(self) -> Spikes:
        """Every packet of a neuron so far; ``presentation`` counts those of this session from 0."""
        return Spikes.of(np.array(self._columns, np.int64).reshape(-1, len(Spikes.FIELDS)).T)

    @property
    def state(self) -> dict[str, Ints]:
        """Every register by ``owner.register``, as Run.state."""
        return state_of(self.image, [self._chip_state.core])[0]

    @property
    def weights(self) -> dict[str, Ints]:
        """The weights of every projection in the order of their ids, as Run.weights."""
        return state_of(self.image, [self._chip_state.core])[1]

    # ---- following
    def follow_synapse(
        self, projection: str, pre: int, post: int, *, delay: int | None = None,
        tell: Callable[[SynapseRow], object] | None = None,
    ) -> SynapseLog:  # fmt: skip
        """Log one synapse from now on: a row for every tick, end and commit; ``tell=print`` shows each as it comes.

        ``delay`` chooses among several synapses of one pair. Raises RunError, UnknownNameError.
        """
        k = self.inside.synapse(projection, pre, post, delay)
        pre_name, post_name = (
            self.image.populations[number].name
            for number in (
                self.inside.synapses(projection).projection.pre,
                self.inside.synapses(projection).projection.post,
            )
        )
        name = f"{projection}: {pre_name}[{pre}] -> {post_name}[{post}], delay {self.inside.place(projection, k)[2]}"
        log = SynapseLog(name, self.inside.projections[projection], k, self.inside, tell)
        self._logs.append(log)
        return log

    def unfollow(self, log: SynapseLog) -> None:
        """Take no more rows of a synapse."""
        log.close()
        self._logs = [other for other in self._logs if other is not log]

    def follow_packet(self, packet: Sent | Flight) -> Journey:
        """The way of one of ``sent`` to every core it goes to, or of one of ``packets`` to its core: routers, axon-in, the ticks it is
        due, the synapses and ports it feeds."""
        if isinstance(packet, Flight):
            return journey(self.inside, packet.sent, packet.core)
        return journey(self.inside, packet)
