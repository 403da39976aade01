"""Function ``run`` of a kernel: presentations, ticks and their stages, under the names of docs/machine.md."""

from __future__ import annotations

from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.kernel.kernel_fire import fire
from neuroemu.engines.kernel.kernel_function import FunctionWriter
from neuroemu.engines.kernel.kernel_soma import Soma
from neuroemu.engines.kernel.kernel_store import allocate, local_registers
from neuroemu.engines.kernel.kernel_synapse import deliver
from neuroemu.engines.kernel.layout import Layout, PopulationLayout, ProjectionLayout, named
from neuroemu.language.machine import COMMIT_TICK, site


class RunFunction(FunctionWriter):
    """Presentations lo to hi-1, until the record is half full: returns the next presentation, the record's length and the record.

    The record grows within a presentation. Told to stop, it returns -1 for the next presentation; where a phase is not quiet in time,
    that presentation and -1 - the phase's place for the length.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.fixed = (
            "lo", "hi", "first", "rows", "seed", "phases", "stop", "record", "length", "commits",
        )  # fmt: skip

    def write(self) -> None:
        w = self.w
        w.depth = 1
        allocate(self)
        w("next_one = hi")
        with w.block("for b in range(lo, hi):"):
            with w.block("if 2 * length > record.shape[1]:"):
                w("next_one = b", "break")
            with self.stage("begin"):
                self.begin()
            w("ticks = i64(0)")  # for a plain 0 Numba compiles every stage once more
            self.course()
            with self.stage("undelivered"):
                self.undelivered()
            self.end()
        with self.stage("give_back"):
            self.give_back()
        w("return next_one, length, record")

    def course(self) -> None:
        """The phases and their ticks; a row of ``phases`` is a phase's number, its ticks, whether it lasts until quiet, and whether it is
        for learning."""
        w, until_quiet = self.w, self.layout.job.until_quiet
        learns = any(phase.learning for phase in self.layout.job.phases)
        if until_quiet:
            w("due = -1", f"host = {w.arg('host_until')}[b]")
        with w.block("for place in range(phases.shape[0]):"):
            w("phase = phases[place, 0]")
            if until_quiet:
                w("quiet = 0", f"{w.arg('starts')}[b, place] = ticks")
            if learns:
                self.apart("-=")
            self.ticks()
            if until_quiet:
                with w.block("if phases[place, 2] != 0 and quiet == 0:"):
                    w("return b, i64(-1) - place, record")
            if learns:
                self.apart("+=")
        if until_quiet:
            w(f"{w.arg('lengths')}[b] = ticks")

    def ticks(self) -> None:
        """The ticks of a phase, up to its last, to quiet, or to an order to stop.

        The record is made longer between runs of ticks that it has room for in any case, a power of two packets a tick: an array that
        a loop assigns costs that loop a count of its references in every tick.
        """
        w, most, until_quiet = self.w, self.layout.most_a_tick, self.layout.job.until_quiet
        shift = (most - 1).bit_length()
        w("done = 0")
        with w.block("while done < phases[place, 1]:"):
            w("last = phases[place, 1]")
            if most:
                with w.block(f"if length + {1 << shift} > record.shape[1]:"):
                    w(f"record = grown(record, length, {1 << shift})")
                w(f"last = min(last, done + ((record.shape[1] - length) >> {shift}))")
            with w.block("for phase_tick in range(done, last):"):
                with w.block("if stop[0] != 0:"):
                    w("return i64(-1), length, record")
                w("tick = ticks")
                self.base("u64(first + b)", "u64(tick)")
                if until_quiet:
                    w("before = length")
                self.tick()
                w("ticks += 1")
                if until_quiet:
                    self.until_quiet()
            w("done = last")
            if until_quiet:
                with w.block("if quiet != 0:"):
                    w("break")

    def apart(self, sign: str) -> None:
        """Around a learning phase: what is counted in it, once more apart."""
        w = self.w
        with w.block("if phases[place, 3] != 0:"):
            for layout in self.layout.populations:
                for name in ("active", "calls_settle"):
                    apart, whole = (w.arg(f"{layout.tag}_{part}{name}") for part in ("learning_", ""))
                    with w.loop("s", len(layout.population.slices)):
                        w(f"{apart}[s] {sign} {whole}[s]")

    def until_quiet(self) -> None:
        """Leave a phase with its first tick that delivered and sent nothing and left nothing waiting.

        ``due`` is the last tick in which something sent by a neuron is delivered, ``host`` that of the host's own doings.
        """
        w = self.w
        with w.block("if length == before and due < tick and host < tick:"), w.block("if phases[place, 2] != 0:"):
            w("quiet = 1", "break")
        for layout in self.layout.populations:
            for channel in layout.owner.program.channels:
                reach = w.arg(f"{layout.tag}_reach_{channel}")
                w(f"slot = tick % {self.layout.ring}")
                with w.loop("e", f"{layout.tag}_count_{channel}[slot]"):
                    w(f"due = max(due, tick + {reach}[{layout.tag}_list_{channel}[slot, e]])")

    def base(self, presentation: str, tick: str) -> None:
        if self.layout.keyed:
            self.w(f"base = tick_key(u64(i64(seed)), {presentation}, {tick})")

    # ---- storage
    def begin(self) -> None:
        w, registers = self.w, local_registers(self)
        for layout in self.layout.populations:
            own = {local.name: local.init for local in registers if local.name.startswith(f"{layout.tag}__")}
            w.fill(own, (layout.population.n,))
            self.rest(layout)
            w.fill(
                {f"{layout.tag}_count_{channel}": 0 for channel in layout.owner.program.channels}, (self.layout.ring,)
            )
        for local in registers:  # those of synapses may be large: one array at a time
            if not local.name.startswith("p"):
                w.fill({local.name: local.init}, local.kept)

    def rest(self, layout: PopulationLayout) -> None:
        """Clear the ports of a population."""
        for port in layout.totals:
            self.w.fill({f"{layout.tag}_total_{port}": 0}, (layout.population.n,))
        self.w.fill({f"{layout.tag}_touched": 0}, (layout.population.n,))

    def give_back(self) -> None:
        """Registers after the last presentation, for Run.state."""
        for local in local_registers(self):
            self.w.copy(self.w.arg(f"out_{local.name}"), local.name, local.shape, local.transposed)

    # ---- a tick
    def tick(self) -> None:
        w = self.w
        w("# deliver, synapse")
        for layout in self.layout.projections:
            if layout.owner and "tick_pre" in layout.owner.hooks:
                with self.stage(f"tick_pre_{layout.tag}"):
                    self.axons(layout, "tick_pre")
        for layout in self.layout.projections:
            for channel in sorted(layout.projection.routes, key=lambda name: CHANNELS[name]):
                with self.stage(f"deliver_{layout.tag}_{channel}"), self.delays(layout):
                    deliver(self, layout, channel)
        for tick, numbers in self.layout.job.modulations.items():
            with w.block(f"if tick == {tick}:"):
                for number in numbers:
                    self.modulate(self.layout.population(number))
        for population in self.layout.populations:
            with self.stage(f"soma_{population.tag}"):
                self.population(population)
            with self.stage(f"axon_out_{population.tag}", "length"):
                for channel in population.owner.program.channels:
                    self.axon_out(population, channel)
        w("# record")
        self.probes()
        w("# rules")
        for layout in self.layout.projections:
            if layout.owner:
                with self.stage(f"rules_{layout.tag}"):
                    self.rules(layout)
        w("# barrier: the lanes of a batch never wait for each other")

    def axons(self, layout: ProjectionLayout, hook: str) -> None:
        with self.segments(layout):
            self.call.rule(layout, hook)

    def modulate(self, layout: PopulationLayout) -> None:
        w = self.w
        with w.loop("i", layout.population.n):
            w(f"value = {w.arg(f'{layout.tag}_values')}[b, i]")
            w(f"s = {w.arg(f'{layout.tag}_slice_of')}[i]")
            self.call.clear_saturations(layout.tag, "modulate")
            self.call.neuron(layout, "modulate")
            w(f"{w.arg(f'{layout.tag}_calls_modulate')}[s] += 1")
            self.call.add_saturations(layout.tag, "modulate")

    # ---- a population
    def population(self, layout: PopulationLayout) -> None:
        w, tag, program = self.w, layout.tag, layout.owner.program
        w(f"# dendrite, soma: {layout.population.name!r}")
        with w.block(f"if {w.arg(f'{tag}_first')} <= tick and tick < {w.arg(f'{tag}_last')}:"):
            Soma(self, layout).write()
            if layout.population.compete:
                self.settle(layout)
            if self.layout.ruled(layout.number) and program.fires:
                fired = (
                    f"{tag}_flag_{program.fires}"
                    if layout.population.compete or program.fires == "spike"
                    else f"{tag}_fired"
                )
                if fired != f"{tag}_fired":
                    w.copy(f"{tag}_fired", fired, (layout.population.n,))
        with w.block("else:"):
            flags = [f"{tag}_flag_{channel}" for channel in program.channels]
            flags += [f"{tag}_fired"] if self.layout.ruled(layout.number) else []
            w.fill(dict.fromkeys(flags, 0), (layout.population.n,))
        self.rest(layout)

    def settle(self, layout: PopulationLayout) -> None:
        """The winner unit, then hook settle in every group in which something was flagged."""
        if layout.population.rivals is not None:
            self.settle_neighbours(layout)
            return
        w, tag, n = self.w, layout.tag, layout.population.n
        groups, compete = w.arg(f"{tag}_groups"), layout.population.compete
        with w.block(f"for group in range({w.arg(f'{tag}_n_groups')}):"):
            for flag, score in compete.items():
                w(f"won_{flag} = winner({tag}_flag_{flag}, {named(tag, score)}, {groups}, 0, {n}, group)")
            some = " or ".join(f"won_{flag} >= 0" for flag in compete)
            with w.block(f"if {some}:"), w.loop("i", n), w.block(f"if {groups}[i] == group:"):
                for flag in compete:
                    w(f"{tag}_flag_{flag}[i] = 1 if won_{flag} == i64(i) else 0")
                    w(f"{flag}_any = 1 if won_{flag} >= 0 else 0", f"{flag}_won = 1 if won_{flag} == i64(i) else 0")
                self.settle_hook(layout)

    def settle_neighbours(self, layout: PopulationLayout) -> None:
        """The winner unit with neighbourhoods, then hook settle where a winner is near."""
        w, tag, n, compete = self.w, layout.tag, layout.population.n, layout.population.compete
        for flag, score in compete.items():
            who = ", ".join(w.arg(f"{tag}_{what}_{flag}") for what in ("first", "rivals"))
            w(f"contest({tag}_flag_{flag}, {named(tag, score)}, {who}, {tag}_won_{flag}, {tag}_near_{flag})")
        for flag in compete:
            w.copy(f"{tag}_flag_{flag}", f"{tag}_won_{flag}", (n,))
        with w.loop("i", n), w.block(f"if {' or '.join(f'{tag}_near_{flag}[i] != 0' for flag in compete)}:"):
            for flag in compete:
                w(f"{flag}_any = i64({tag}_near_{flag}[i])", f"{flag}_won = i64({tag}_won_{flag}[i])")
            self.settle_hook(layout)

    def settle_hook(self, layout: PopulationLayout) -> None:
        w, tag = self.w, layout.tag
        if "settle" in layout.owner.hooks:
            w(f"s = {w.arg(f'{tag}_slice_of')}[i]")
            self.call.clear_saturations(tag, "settle")
            self.call.neuron(layout, "settle")
            w(f"{w.arg(f'{tag}_calls_settle')}[s] += 1")
            self.call.add_saturations(tag, "settle")

    def axon_out(self, layout: PopulationLayout, channel: str) -> None:
        w, tag = self.w, layout.tag
        graded = channel in layout.owner.program.payloads
        w(f"# axon_out: {layout.population.name!r}, {channel}")
        w(f"slot = tick % {self.layout.ring}", "n = 0")
        with w.loop("i", layout.population.n), w.block(f"if {tag}_flag_{channel}[i] != 0:"):
            w(f"{tag}_list_{channel}[slot, n] = i")
            if graded:
                w(f"{tag}_payloads_{channel}[slot, n] = {tag}_payload_{channel}[i]")
            w(f"{w.arg(f'{tag}_sends_{channel}')}[i] += 1", "n += 1")
        w(f"{tag}_count_{channel}[slot] = n")
        with w.loop("e", "n"):
            w("record[0, length] = b", "record[1, length] = tick", f"record[2, length] = {CHANNELS[channel]}")
            w(f"record[3, length] = {layout.population.id0} + {tag}_list_{channel}[slot, e]")
            w(f"record[4, length] = {f'{tag}_payloads_{channel}[slot, e]' if graded else 1}", "length += 1")

    def probes(self) -> None:
        for place, (number, register) in enumerate(self.layout.image.probes):
            self.w.copy(
                f"{self.w.arg(f'probe{place}')}[b, tick,",
                named(f"p{number}", register),
                (self.layout.population(number).population.n,),
            )

    # ---- rules, end
    def rules(self, layout: ProjectionLayout) -> None:
        w, owner = self.w, layout.owner
        assert owner is not None
        post = self.layout.population(layout.projection.post)
        if "tick_post" in owner.hooks:
            self.call.site(layout.tag, "tick_post", site("tick_post"))
            with w.loop("i", post.population.n):
                w(f"fired = {post.tag}_fired[i]", f"s = {w.arg(f'{post.tag}_slice_of')}[i]")
                self.call.clear_saturations(layout.tag, "tick_post")
                self.call.rule(layout, "tick_post")
                self.call.add_saturations(layout.tag, "tick_post")
        if "fire_synapse" in owner.hooks or "fire_pre" in owner.hooks:
            self.fired_list(post)
            with w.block("if n_fired != 0:"):
                if "fire_synapse" in owner.hooks:
                    fire(self, layout)
                if "fire_pre" in owner.hooks:
                    self.axons(layout, "fire_pre")
                    w(f"{w.arg(f'{layout.tag}_fire_ticks')}[0] += 1")
        if "tick_synapse" in owner.hooks:
            self.call.site(layout.tag, "tick_synapse", site("tick_synapse"))
            self.synapses(layout, "tick_synapse")

    def undelivered(self) -> None:
        """Count what the last ticks sent, by how far before the end: some of it never comes due."""
        w, ring = self.w, self.layout.ring
        for layout in self.layout.populations:
            for channel in layout.owner.program.channels:
                with w.block(f"for back in range(min({ring}, ticks)):"):
                    w(f"slot = (ticks - 1 - back) % {ring}")
                    with w.loop("e", f"{layout.tag}_count_{channel}[slot]"):
                        w(f"{w.arg(f'{layout.tag}_unsent_{channel}')}[back, {layout.tag}_list_{channel}[slot, e]] += 1")

    def end(self) -> None:
        w = self.w
        self.base("u64(first + b)", "u64(ticks)")
        for layout in self.layout.populations:
            if "end" in layout.owner.hooks:
                with self.stage(f"end_{layout.tag}"):
                    self.neurons(layout, "end")
        immediate = self.layout.immediate
        if immediate:
            w("batch = 1")
        if immediate and self.layout.keyed:
            w(f"commit_base = tick_key(u64(i64(seed)), u64(commits + b), u64({COMMIT_TICK}))")
        for projection in self.layout.projections:
            if projection.owner and "end_synapse" in projection.owner.hooks:
                with self.stage(f"end_{projection.tag}"):
                    if self.layout.fused_sums(projection):
                        self.learn(projection)
                    else:
                        self.call.site(projection.tag, "end_synapse", site("end_synapse"))
                        self.synapses(projection, "end_synapse")
        for number in self.layout.readouts:
            w.copy(
                f"{w.arg(f'readout{number}')}[b,",
                named(f"p{number}", "v"),
                (self.layout.population(number).population.n,),
            )
        if immediate:
            self.commit()
