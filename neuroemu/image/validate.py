"""Whether the parts of an image hold together, as those of every compiled image do.

Engines compile without bounds checks and write numbers into text, so an image is run only if every index it holds is inside what it
points into, every value fits its register, every name is one of its programs', and its programs are proved to fit its chip.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.fields import WrongFieldError, columns_ascend, row_pointers, shortened, unfit, within
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.image.bounds import port_bound
from neuroemu.image.image import SYNAPSE_ID0, Image, ImagePopulation, ImageProjection
from neuroemu.image.memory import lasting, register_shape
from neuroemu.image.parts import Params, Part
from neuroemu.image.routing import route
from neuroemu.language.check import check_program
from neuroemu.language.interval import INT32, Interval
from neuroemu.language.isa import MAX_TICKS
from neuroemu.language.language import Program
from neuroemu.language.program import is_rule

_LARGEST_SUM = (1 << 63) - 1


def validate(image: Image) -> None:
    """Refuse an image, read from a file, whose parts do not hold together.

    Raises WrongFieldError, and DatasheetError, FirmwareError, UnknownNameError or UnsupportedError of what it embeds.
    """
    _Checks(image).all()


def _refuse_unless(sound: bool, text: str) -> None:
    if not sound:
        raise WrongFieldError(text)


class _Checks:
    def __init__(self, image: Image) -> None:
        self.image = image
        self.chip: Chip = image.chip
        self.programs: dict[str, Program] = {}
        """The whole program of each population by its name, frozen or not."""

    def all(self) -> None:
        image = self.image
        self.names("populations", [population.name for population in image.populations])
        self.names("projections", [projection.name for projection in image.projections])
        shared = {p.name for p in image.populations if not p.is_host} & {p.name for p in image.projections}
        _refuse_unless(not shared, f"a population and a projection are called '{shortened(min(shared, default=''))}'")
        _refuse_unless(bool(image.populations), "populations is an empty list, not one of at least one population")
        id0 = 0
        for number, population in enumerate(image.populations):
            place = f"populations[{number}]"
            _refuse_unless(population.id0 == id0, f"{place}.id0 is {population.id0}, not {id0}, where its ids begin")
            id0 += population.n
            enable = population.age if image.aligned else 0
            _refuse_unless(population.enable == enable, f"{place}.enable is {population.enable}, not {enable}")
            self.host(place, population) if population.program is None else self.population(place, population)
        self.slots()
        for number, projection in enumerate(image.projections):
            self.projection(f"projections[{number}]", projection)
        self.sums()
        self.routing()
        self.course()
        self.registers()

    def names(self, place: str, names: Sequence[str]) -> None:
        for name, n in Counter(names).items():
            wrong = unfit(name)
            _refuse_unless(not wrong, f"{place}: a name {wrong}")
            _refuse_unless(n == 1, f"{place}: {n} are called '{shortened(name)}'")

    def program(self, place: str, owner: ImagePopulation | ImageProjection) -> Program:
        """The owner's program, whatever of it is frozen."""
        name = owner.program
        assert name is not None
        _refuse_unless(name in self.image.programs, f"{place}.program is '{shortened(name)}', which programs lacks")
        program = self.image.whole_program_of(owner)
        assert program is not None
        return program

    # ---- populations
    def host(self, place: str, population: ImagePopulation) -> None:
        held = ("switches", "params", "widths", "slices", "compete", "groups", "frozen", "rivals")
        for name in held:
            _refuse_unless(not getattr(population, name), f"{place}.{name} is given, a host input has none")

    def population(self, place: str, population: ImagePopulation) -> None:
        program = self.program(place, population)
        _refuse_unless(
            program.is_neuron and not is_rule(program), f"{place}.program is '{population.program}', which is no neuron"
        )
        allowed = self.chip.sheet.core.programs.switches
        for name, value in population.switches.items():
            _refuse_unless(
                allowed.get(name, value) == value, f"{place}.switches.{name} is {value}, {self.chip.name} lacks that"
            )
        self.programs[population.name] = program
        self.widths(place, program, population.widths, {})
        self.params(place, program, population.params, population.n)
        if population.frozen:  # what is left of it must be a program as well
            check_program(self.known(population), self.chip)
        self.slices(place, population)
        self.compete(place, population, program)

    def known(self, owner: ImagePopulation | ImageProjection) -> Program:
        program = self.image.program_of(owner)
        assert program is not None
        return program

    def widths(self, place: str, program: Program, stated: Mapping[str, Bits], posts: Mapping[str, Bits]) -> None:
        proved = check_program(program, self.chip, posts=posts).widths
        for name in proved.keys() | stated.keys():
            found, right = stated.get(name), proved.get(name)
            _refuse_unless(
                found == right,
                f"{place}.widths.{shortened(name)} is {_width(found)}, its program has {_width(right)} on {self.chip.name}",
            )

    def params(self, place: str, program: Program, params: Params, n: int) -> None:
        """Every parameter is there, as many as there are neurons, within the ranges of program and chip."""
        wanted = program.of_kind("param", "table")
        for name in dict.fromkeys([*params, *wanted]):
            where = f"{place}.params.{shortened(name)}"
            _refuse_unless(name in wanted, f"{where} is given, program '{program.name}' has none of that name")
            _refuse_unless(name in params, f"{where} is missing, program '{program.name}' needs it")
            argument, value = program.arguments[name], np.asarray(params[name], np.int64)
            limits = Interval(*argument.limits[-2:]) if len(argument.limits) >= 2 else INT32
            if argument.kind == "table":
                fits, size = value.shape == (argument.limits[0],), f"{argument.limits[0]} entries"
            else:
                fits, size = value.shape in ((), (n,)), f"one value, or {n}"
            _refuse_unless(fits, f"{where} has shape {value.shape}, not {size}")
            within(where, value.ravel(), limits.low, limits.high)
            stated = self.chip.parameter(name) if argument.kind == "param" else None
            if stated is not None:
                within(where, value.ravel(), stated.min, stated.max)
                off = value.ravel()[value.ravel() % stated.step != 0]
                _refuse_unless(
                    not off.size, f"{where} holds {_first(off)}, {self.chip.name} takes steps of {stated.step}"
                )

    def slices(self, place: str, population: ImagePopulation) -> None:
        low = 0
        for k, part in enumerate(population.slices):
            where = f"{place}.slices[{k}]"
            _refuse_unless(
                part.low == low < part.high, f"{where} holds neurons {part.low} to {part.high - 1}, not from {low} on"
            )
            _refuse_unless(
                part.core < self.chip.n_cores,
                f"{where} is on core {part.core}, {self.chip.name} has 0..{self.chip.n_cores - 1}",
            )
            low = part.high
        _refuse_unless(low == population.n, f"{place}.slices end at neuron {low} of {population.n}")

    def slots(self) -> None:
        """No two slices take the same slots of a core."""
        taken = sorted(
            (part.core, part.slot, part.slot + part.high - part.low, population.name)
            for population in self.image.populations
            for part in population.slices
        )
        for (core, _, end, name), (other, slot, _, second) in itertools.pairwise(taken):
            _refuse_unless(
                core != other or end <= slot,
                f"slot {slot} of core {core} is taken twice, by '{shortened(name)}' and '{shortened(second)}'",
            )

    def compete(self, place: str, population: ImagePopulation, program: Program) -> None:
        flags = [*program.channels, *(["fire"] if program.fires == "fire" else [])]
        ranked = program.of_kind("state", "keep", "weight")
        for flag, register in population.compete.items():
            _refuse_unless(flag in flags, f"{place}.compete names flag '{flag}', its program sets {', '.join(flags)}")
            _refuse_unless(
                register in ranked, f"{place}.compete.{flag} is '{register}', not one of {', '.join(ranked)}"
            )
        settle = program.hooks.get("settle")
        for argument in settle.arguments if settle else ():
            flag = argument.name.rpartition("_")[0]
            if argument.kind == "input" and flag not in population.compete:
                raise WrongFieldError(f"{place}.compete lacks flag '{flag}', which its program settles")
        given = (population.groups is not None) + (population.rivals is not None)
        _refuse_unless(
            given == bool(population.compete) and (bool(population.compete) or settle is None),
            f"{place} has {given} of groups and rivals, and {len(population.compete)} flags that compete",
        )
        if population.groups is not None:
            self.groups(place, population, population.groups)
        for flag in population.rivals or ():
            self.rivals(f"{place}.rivals.{flag}", population, flag)

    def groups(self, place: str, population: ImagePopulation, groups: Ints) -> None:
        within(f"{place}.groups", groups, 0, population.n - 1)
        cores = np.full(population.n, -1, np.int64)
        cores[groups] = population.core_of
        parted = np.flatnonzero(cores[groups] != population.core_of)
        _refuse_unless(not parted.size, f"{place}.groups has neuron {_first(parted)} on another core than its group")

    def rivals(self, place: str, population: ImagePopulation, flag: str) -> None:
        """Rivals ascend, are symmetric, count oneself and share a core."""
        assert population.rivals is not None
        first, rivals = population.rivals[flag]
        n = population.n
        row_pointers(f"{place}: first", first, rivals.size)
        within(place, rivals, 0, n - 1)
        columns_ascend(place, first, rivals)
        neuron = np.repeat(np.arange(n), np.diff(first))
        there, back = neuron * n + rivals, np.sort(rivals * n + neuron)
        own = np.isin(np.arange(n) * (n + 1), there)
        _refuse_unless(np.array_equal(there, back) and bool(own.all()), f"{place} is not the same seen from both sides")
        cores = population.core_of
        parted = np.flatnonzero(cores[neuron] != cores[rivals])
        _refuse_unless(not parted.size, f"{place} has rivals of a neuron on another core, at entry {_first(parted)}")

    # ---- projections
    def projection(self, place: str, projection: ImageProjection) -> None:
        image = self.image
        pre, post = image.populations[projection.pre], image.populations[projection.post]
        _refuse_unless(not post.is_host, f"{place}.post is {projection.post}, a host input, which takes no synapses")
        self.routes(place, projection, pre, post)
        if projection.program is None:
            _refuse_unless(
                not (projection.params or projection.widths or projection.frozen or projection.switches),
                f"{place} has params, widths, switches or frozen, but no program that they are of",
            )
        else:
            self.rule(place, projection, post)
        if projection.view is not None:
            shift, half, _ = projection.view
            _refuse_unless(half in (0, 1 << (shift - 1)), f"{place}.view rounds by {half}, not 0 or {1 << (shift - 1)}")
        delays = [part.delay for part in projection.parts]
        limit = self.chip.limit("delay")
        most = MAX_TICKS if limit is None else min(limit, MAX_TICKS)
        _refuse_unless(bool(delays) and delays == sorted(set(delays)), f"{place}.delays is {delays[:8]}, not ascending")
        _refuse_unless(delays[-1] <= most, f"{place}.delays holds {delays[-1]}, {self.chip.name} has {most}")
        weights = self.image.weight_range(projection)
        for k, part in enumerate(projection.parts):
            self.part(f"{place}.{k}", part, post.n, weights, projection.program is None)
        ids = np.sort(np.concatenate([part.ids for part in projection.parts]))
        twice = np.flatnonzero(ids[1:] == ids[:-1])
        _refuse_unless(not twice.size, f"{place} has synapse id {_first(ids[twice])} twice")

    def part(self, place: str, part: Part, n_post: int, weights: tuple[int, int], still: bool) -> None:
        row_pointers(f"{place}.indptr", part.indptr, part.post.size)
        within(f"{place}.post", part.post, 0, n_post - 1)
        columns_ascend(f"{place}.post", part.indptr, part.post)
        within(f"{place}.weight", part.weight, *weights)
        within(f"{place}.ids", part.ids, SYNAPSE_ID0, 1 << 62)
        if part.kernel is not None:
            _refuse_unless(
                still and self.chip.shares_kernels, f"{place}.kernel is given, {self.chip.name} stores none for it"
            )
            within(f"{place}.kernel", part.kernel, 0, (1 << 31) - 1)

    def routes(self, place: str, projection: ImageProjection, pre: ImagePopulation, post: ImagePopulation) -> None:
        channels = ("input",) if pre.is_host else self.programs[pre.name].channels
        ports = self.programs[post.name].of_kind("port")
        for channel, entries in projection.routes.items():
            _refuse_unless(
                channel in channels,
                f"{place}.routes has '{channel}', its source sends on {', '.join(channels) or 'none'}",
            )
            for port, _ in entries:
                _refuse_unless(
                    port in ports, f"{place}.routes.{channel} names port '{port}', not one of {', '.join(ports)}"
                )

    def rule(self, place: str, projection: ImageProjection, post: ImagePopulation) -> None:
        program = self.program(place, projection)
        _refuse_unless(
            is_rule(program) and not program.is_neuron, f"{place}.program is '{projection.program}', which is no rule"
        )
        target = self.programs[post.name]
        for register in program.of_kind("post"):
            _refuse_unless(
                register in target.registers, f"{place}: its rule reads '{register}', '{shortened(post.name)}' has none"
            )
        self.widths(place, program, projection.widths, post.widths)
        self.params(place, program, projection.params, 1)
        if projection.frozen:
            check_program(self.known(projection), self.chip, posts=post.widths)

    # ---- the whole
    def sums(self) -> None:
        """A tick's exact sum at a port stays within 64 bits."""
        bits = {}
        for projection in self.image.projections:
            program = self.image.whole_program_of(projection)
            for register in program.registers.values() if program else ():
                if register.kind == "weight" and register.level == "synapse":
                    bits[projection.name] = projection.widths[register.name].bits
        for number, population in enumerate(self.image.populations):
            program = self.programs.get(population.name)
            for port in program.of_kind("port") if program else ():
                bound = port_bound(self.image.projections, number, population.n, port, bits) << self.chip.weight_shift
                _refuse_unless(
                    bound <= _LARGEST_SUM, f"populations[{number}]: a tick's sum at port '{port}' can leave 64 bits"
                )

    def routing(self) -> None:
        """The routing tables are those that the compiler makes for these synapses and cores."""
        found, right = self.image.routing, route(self.image.populations, self.image.projections)
        for name in ("axon_core", "axon_index", "axon_population", "axon_neuron"):
            _refuse_unless(
                np.array_equal(getattr(found, name), getattr(right, name)),
                f"routing.{name} is not that of its synapses",
            )
        _refuse_unless(found.entries.keys() == right.entries.keys(), "entries are not those of its projections' routes")
        for (number, channel), tables in right.entries.items():
            for name, mine, theirs in zip(("indptr", "axons"), found.entries[number, channel], tables, strict=True):
                _refuse_unless(
                    np.array_equal(mine, theirs), f"entries.{number}.{channel}.{name} is not that of its synapses"
                )
        axons = 1 << self.chip.sheet.key.axon
        within("routing.axon_index", found.axon_index, 0, axons - 1)

    def course(self) -> None:
        """Outputs, probes, phases and modulators are of populations and registers that exist."""
        image = self.image
        for number in image.outputs:
            _refuse_unless(not image.populations[number].is_host, f"outputs has {number}, a host input")
        for number, register in image.probes:
            program = self.programs.get(image.populations[number].name)
            known = program.registers if program else {}
            _refuse_unless(register in known, f"probes has register '{register}', which population {number} lacks")
        _refuse_unless(len(set(image.probes)) == len(image.probes), "probes holds one twice")
        ticks = sum(phase.ticks for phase in image.phases)
        _refuse_unless(ticks <= MAX_TICKS, f"phases last {ticks} ticks together, not at most {MAX_TICKS}")
        _refuse_unless(not (image.aligned and image.phases), "aligned is true, with phases no image is")
        for modulator in image.modulators:
            program = self.programs.get(modulator.population)
            _refuse_unless(
                program is not None and "modulate" in program.hooks,
                f"modulators names '{shortened(modulator.population)}', which has no modulate hook",
            )

    def registers(self) -> None:
        """Start values are of registers that last, in their shapes and widths."""
        known = lasting(self.image)
        for name, values in self.image.registers.items():
            _refuse_unless(name in known, f"registers names '{shortened(name)}', which does not last or does not exist")
            shape, width = register_shape(self.image, name)
            _refuse_unless(values.shape == shape, f"register.{name} has shape {values.shape}, not {shape}")
            half = 1 << (width.bits - 1)
            within(f"register.{name}", values, -half, half - 1)


def _width(width: Bits | None) -> str:
    return "none" if width is None else f"{width.bits} bits, {'wrapping' if width.wraps else 'saturating'}"


def _first(values: Ints) -> int | None:
    return int(values[0]) if values.size else None
