"""compile: quantise, balance, place and route a network into an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import CapacityError, NetworkError, UnsupportedError
from neuroemu.base.shelf import admitted, find_program, read_text, unknown
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.compiler.features import assumptions, refuse_missing
from neuroemu.compiler.parameters import parameters
from neuroemu.compiler.place import Placement
from neuroemu.compiler.place_and_route import place_and_route
from neuroemu.compiler.quantize import IntegerPopulation, IntegerProjection, Quantized, quantize
from neuroemu.image.bounds import port_bound
from neuroemu.image.image import MOST_NEURONS, SYNAPSE_ID0, Image, ImagePopulation, ImageProjection, Part
from neuroemu.image.neighbours import rivals
from neuroemu.language.check import check_program
from neuroemu.language.language import Program
from neuroemu.language.program import is_rule, load_program, specialize
from neuroemu.network.aliases import without_aliases
from neuroemu.network.align import align as balance
from neuroemu.network.integers import integers
from neuroemu.network.network import Network, Population, Projection, default_routes

_CONVENTIONS = {
    "subtract": ("reset by subtraction", "reset='zero'"),
    "late": ("reset in the tick after the spike", "reset_timing='now'"),
    "inclusive": ("spike at v >= threshold", "spike_if='>'"),
}
"""What a switch of the shipped neurons means to the user, and the convention that goes without it."""
_LARGEST_SUM = (1 << 63) - 1


def compile(  # noqa: A001
    network: Network,
    chip: Chip,
    *,
    weight_bits: int | Mapping[str, int] | None = None,
    verbatim: bool = False,
    bias: Literal["current", "voltage"] = "current",
    align: bool = True,
    split: bool = True,
    placement: Placement | None = None,
    assume: str | Iterable[str] = (),
) -> Image:
    """Compile a network for a chip.

    ``weight_bits``, ``verbatim`` and ``bias`` as in quantize; ``align=False`` leaves every soma running from tick 0, as a
    free-running chip does (a network with phases always does); ``split=False`` refuses to cut a population;
    ``placement`` maps populations to lists of (core, number of neurons). ``assume`` names features of the rule unit (a list, or
    parted by commas) that no source states for the chip, and that are taken as there: the image notes it, reports show it.

    Raises NetworkError, FirmwareError, UnsupportedError, CapacityError: before any run.
    """
    if not network.populations:
        raise NetworkError("the network has no populations; add some")
    neurons = sum(population.n for population in network.populations)
    if neurons > MOST_NEURONS:
        raise CapacityError(
            f"the network has {neurons} neurons with its host inputs, an image holds {MOST_NEURONS}; cut it into several"
        )
    chip = chip.assuming(assume)
    network = without_aliases(network)
    refuse_missing(chip, network)
    quantized = quantize(network, chip, weight_bits=weight_bits, verbatim=verbatim, bias=bias)
    return _Compiler(quantized, chip, align and not network.phases).image(split, placement)


class _Compiler:
    def __init__(self, quantized: Quantized, chip: Chip, aligned: bool) -> None:
        self.quantized, self.network, self.chip, self.aligned = quantized, quantized.network, chip, aligned
        self.alignment = balance(self.network, aligned)
        self.programs: dict[str, tuple[str, str]] = {}
        self.folded: dict[str, Program | None] = {}
        self.rules: dict[str, Program] = {}
        self.widths: dict[str, dict[str, Bits]] = {}
        self.number = {population.name: k for k, population in enumerate(self.network.populations)}

    def image(self, split: bool, placement: Placement | None) -> Image:
        populations, id0 = [], 0
        for population in self.network.populations:
            populations.append(self.population(self.quantized.populations[population.name], id0))
            id0 += population.n
        projections: dict[str, ImageProjection] = {}
        synapse_id = SYNAPSE_ID0
        for projection in self.network.projections:
            built = self.projection(self.quantized.projections[projection.label], synapse_id, projections)
            projections[projection.label] = built
            if projection.mirror is None:
                synapse_id += sum(part.ids.size for part in built.parts)
        built_projections = tuple(projections.values())
        self.ports(populations, built_projections)
        self.probes()
        self.modulators()
        placed, routing = place_and_route(
            populations, built_projections, self.rules, self.chip, split=split, placement=placement
        )
        return Image(
            chip_text=self.chip.text,
            chip_path=self.chip.path,
            programs=self.programs,
            populations=placed,
            projections=built_projections,
            routing=routing,
            outputs=tuple(self.number[name] for name in self.network.outputs),
            probes=tuple((self.number[name], register) for name, register in self.network.probes),
            lag=self.alignment.lag,
            aligned=self.aligned,
            phases=self.network.phases,
            modulators=self.network.modulators,
            losses=self.quantized.losses,
            notes=(*self.network.notes, *self.quantized.notes, *self.alignment.notes, *assumptions(self.chip)),
            assumed=self.chip.assumed,
            conventions=asdict(self.network.conventions),
        )

    # ---- programs
    def load(self, name: str, switches: Mapping[str, int]) -> Program:
        """The program with its switches folded, proved for the chip; its source joins the image."""
        program = load_program(name)
        path, _ = find_program(name)
        self.programs[name] = (f"{path.parent.parent.name}/{path.parent.name}/{path.name}", read_text(path))
        return specialize(program, switches)

    def population(self, integer: IntegerPopulation, id0: int) -> ImagePopulation:
        source = integer.source
        name = source.name
        age = self.alignment.age[name]
        enable = age if self.aligned else 0
        base = ImagePopulation(name, source.shape, id0, None, {}, {}, {}, age, enable, (), dict(source.compete), None)
        chosen = integer.program
        if chosen is None:
            if source.compete:
                raise NetworkError(f"population '{name}' is a host input; the host has no winner unit, give no compete")
            self.folded[name] = None
            return base
        allowed = self.chip.sheet.core.programs
        chosen = chosen if allowed.any else admitted(allowed.names, chosen) or chosen  # by name, wherever the file is
        program = self.load(chosen, self.supported(integer))
        if not program.is_neuron or is_rule(program):
            raise NetworkError(
                f"population '{name}': program '{integer.program}' has no soma or has hooks of synapses; give a neuron program"
            )
        proof = check_program(program, self.chip)
        self.folded[name], self.widths[name] = program, proof.widths
        params = parameters(self.chip, f"population '{name}'", program, integer.params, source.n)
        return replace(
            base, program=chosen, switches=integer.switches, params=params, widths=proof.widths,
            groups=self.compete(source, program), rivals=rivals(source),
        )  # fmt: skip

    def supported(self, integer: IntegerPopulation) -> dict[str, int]:
        """The population's switches, if the silicon has them."""
        allowed = self.chip.sheet.core.programs
        name = integer.source.name
        for switch, value in integer.switches.items():
            fixed = allowed.switches.get(switch, value)
            if value != fixed:
                what, instead = _CONVENTIONS.get(switch, (f"switch {switch}={value}", f"{switch}={fixed}"))
                raise UnsupportedError(
                    f"population '{name}': {what} is not in {self.chip.name} ({allowed.source}); use {instead}, "
                    "or a chip that has it, such as generic45"
                )
        return integer.switches

    def compete(self, source: Population, program: Program) -> Ints | None:
        """Group numbers of a competitive population, None if it does not compete, or in neighbourhoods."""
        if not source.compete:
            if "settle" in program.hooks:
                raise NetworkError(
                    f"population '{source.name}': program '{program.name}' has a settle hook but nothing competes; "
                    "give compete={flag: register}"
                )
            if source.groups is not None:
                raise NetworkError(
                    f"population '{source.name}' has groups but nothing competes; give compete, or no groups"
                )
            if source.neighbours is not None:
                raise NetworkError(
                    f"population '{source.name}' has neighbours but nothing competes; give compete, or no neighbours"
                )
            return None
        flags = [*program.channels, *(["fire"] if program.fires == "fire" else [])]
        for flag, register in source.compete.items():
            if flag not in flags:
                raise NetworkError(
                    f"population '{source.name}': compete names flag '{flag}'; its program sets {', '.join(flags)}"
                )
            ranked = program.of_kind("state", "keep", "weight")
            if register not in ranked:
                raise unknown(f"state, keep or weight of population '{source.name}'", register, ranked)
        self.verdict(source, program)
        if source.neighbours is not None:
            return None
        given = np.zeros(source.n, np.int64) if source.groups is None else source.groups
        groups = integers(given, f"population '{source.name}': groups").ravel()
        if groups.size != source.n:
            raise NetworkError(
                f"population '{source.name}': {groups.size} groups for {source.n} neurons; give one a neuron"
            )
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)  # 0.. in their order, whatever the numbers

    def verdict(self, source: Population, program: Program) -> None:
        """What settle asks of the winner unit must be about a flag that competes."""
        settle = program.hooks.get("settle")
        for argument in settle.arguments if settle else ():
            flag = argument.name.rpartition("_")[0]
            if argument.kind == "input" and flag not in source.compete:
                raise NetworkError(
                    f"population '{source.name}': settle of program '{program.name}' reads '{argument.name}' but flag '{flag}' "
                    f"does not compete; {', '.join(source.compete)} competes, add '{flag}' to compete"
                )

    # ---- projections
    def projection(self, integer: IntegerProjection, id0: int, built: Mapping[str, ImageProjection]) -> ImageProjection:
        source = integer.source
        name = source.label
        post = self.network.population(source.post)
        routes = {
            channel: tuple(ports)
            for channel, ports in (source.routes or default_routes(self.network.population(source.pre))).items()
        }
        self.routes(name, source, routes)
        program, params, widths = None, {}, {}
        for what, given_ in (("params", source.params), ("switches", source.switches)):
            if source.rule is None and given_:
                raise NetworkError(f"projection '{name}' has {what} but no rule that takes them; name the rule")
        if source.rule is not None:
            rules = self.chip.sheet.core.programs.rules
            known = admitted(rules, source.rule) if rules is not None else source.rule
            rule = self.rules[name] = self.load(known or source.rule, source.switches)
            if not is_rule(rule) or rule.is_neuron:
                raise NetworkError(
                    f"projection '{name}': program '{source.rule}' has no hook of axons or synapses; give a rule program"
                )
            program = known
            if rules is not None and known is None:
                has = ", ".join(rules) or "none"
                raise UnsupportedError(
                    f"projection '{name}': rule '{source.rule}' is not in {self.chip.name}, which runs the rules: {has} "
                    f"({self.chip.sheet.core.programs.source}); take the rule away, or choose a chip that learns, such as generic45"
                )
            self.posts(name, rule, post)
            widths = check_program(rule, self.chip, posts=self.widths[post.name]).widths
            given = {key: integers(value, f"projection '{name}': {key}") for key, value in source.params.items()}
            params = parameters(self.chip, f"projection '{name}'", rule, given, 1)
        ids = self.ids(integer, id0, built)
        extra = self.alignment.extra[name]
        return ImageProjection(
            name=name,
            pre=self.number[source.pre],
            post=self.number[source.post],
            routes=routes,
            program=program,
            params=params,
            widths=widths,
            parts=self.parts(integer, ids, extra, plastic=program is not None),
            view=self.view(source),
            switches=dict(source.switches),
        )

    def view(self, source: Projection) -> tuple[int, int, int] | None:
        """The datapath's view of the weights; both ends of a mirrored projection have the same."""
        view = source.view
        if source.mirror is not None and view != self.network.projection(source.mirror).view:
            raise NetworkError(
                f"projection '{source.label}' mirrors '{source.mirror}' and has another view of the weights; give both the same"
            )
        return (
            None if view is None else (view.shift, 1 << view.shift >> 1 if view.rounding == "nearest" else 0, view.bits)
        )

    def routes(self, name: str, source: Projection, routes: Mapping[str, tuple[tuple[str, str], ...]]) -> None:
        program = self.folded[source.post]
        assert program is not None
        sender = self.folded[source.pre]
        ports = program.of_kind("port")
        for channel, entries in routes.items():
            if sender is not None and channel not in sender.channels:
                raise NetworkError(
                    f"projection '{name}': population '{source.pre}' never sends on channel '{channel}'; "
                    f"it sends on {', '.join(sender.channels) or 'none'}"
                )
            for port, _ in entries:
                if port not in ports:
                    raise unknown(f"port of population '{source.post}' (projection '{name}')", port, ports)

    def posts(self, name: str, rule: Program, post: Population) -> None:
        """Registers of the destination soma that the rule reads must exist there."""
        target = self.folded[post.name]
        assert target is not None
        for register in rule.of_kind("post"):
            if register not in target.registers:
                raise unknown(
                    f"register of population '{post.name}' (rule of projection '{name}')", register, target.registers
                )

    def ids(self, integer: IntegerProjection, id0: int, built: Mapping[str, ImageProjection]) -> Ints:
        """Network-wide synapse ids in the order of the synapses; a mirror has its original's."""
        n = integer.pre.size
        if integer.source.mirror is None:
            return id0 + np.arange(n)
        original = built.get(integer.source.mirror)
        label = integer.source.label
        if original is None:
            raise unknown(f"earlier projection (mirrored by '{label}')", integer.source.mirror, built)
        pre = np.concatenate([part.pre for part in original.parts])
        post = np.concatenate([part.post for part in original.parts])
        order = np.lexsort((pre, post))
        same = n == pre.size and np.array_equal(post[order], integer.pre) and np.array_equal(pre[order], integer.post)
        if not same or len(original.parts) != 1:
            raise NetworkError(
                f"projection '{label}' mirrors '{integer.source.mirror}' but its synapses are not the same, turned round and undelayed; "
                "give the transposed weight"
            )
        return original.parts[0].ids[order]

    def parts(self, integer: IntegerProjection, ids: Ints, extra: int, *, plastic: bool) -> tuple[Part, ...]:
        """Split by delay; zeros are synapses only where a rule runs."""
        n_pre = self.network.population(integer.source.pre).n
        limit = self.chip.limit("delay")
        delay = integer.delay + extra
        keep = np.ones(ids.size, bool) if plastic else integer.weight != 0
        if limit is not None and keep.any() and delay[keep].max() > limit:
            own = (
                f"give it delays of at most {limit - extra}" if extra <= limit else "balance its paths with populations"
            )
            raise CapacityError(
                f"{self.chip.path}: projection '{integer.source.label}' needs a delay of {delay[keep].max()} ticks "
                f"({extra} of them to balance paths), {self.chip.name} has {limit} ({self.chip.source('delay')}); "
                f"{own}{', or compile with align=False' if extra else ''}"
            )
        parts = []
        kernel = self.kernel(integer, plastic)
        for ticks in np.unique(delay[keep]) if keep.any() else [extra]:
            chosen = keep & (delay == ticks)
            indptr = np.searchsorted(integer.pre[chosen], np.arange(n_pre + 1))
            parts.append(
                Part(
                    int(ticks),
                    indptr.astype(np.int64),
                    integer.post[chosen].astype(np.int32),
                    integer.weight[chosen].astype(np.int32),
                    ids[chosen],
                    None if kernel is None else kernel[chosen],
                )
            )
        return tuple(parts)

    def kernel(self, integer: IntegerProjection, plastic: bool) -> NDArray[np.int32] | None:
        """Kernel entries where this core stores them once: on a chip that can, and no rule changes them."""
        if integer.kernel is None or plastic or not self.chip.shares_kernels:
            return None
        return integer.kernel.astype(np.int32)

    def ports(self, populations: list[ImagePopulation], projections: tuple[ImageProjection, ...]) -> None:
        """A tick's exact sum at a port must stay within 64 bits."""
        weight = self.chip.weight_width
        bits = {p.name: weight.bits for p in projections if p.program is not None}
        for number, population in enumerate(populations):
            program = self.folded[population.name]
            for port in program.of_kind("port") if program else ():
                bound = port_bound(projections, number, population.n, port, bits) << self.chip.weight_shift
                if bound > _LARGEST_SUM:
                    raise CapacityError(
                        f"population '{population.name}': a tick's sum at port '{port}' can reach {bound}, "
                        f"64 bits hold {_LARGEST_SUM}; divide its weights by {-(-bound // _LARGEST_SUM)}, "
                        "or give it fewer sources with graded payloads"
                    )

    # ---- what is recorded and told
    def probes(self) -> None:
        for name, register in self.network.probes:
            program = self.folded[name]
            known: dict[str, Any] = {} if program is None else program.registers
            if register not in known:
                raise unknown(f"register of population '{name}' (probe)", register, known)

    def modulators(self) -> None:
        for modulator in self.network.modulators:
            program = self.folded[modulator.population]
            if program is None or "modulate" not in program.hooks:
                raise NetworkError(
                    f"modulator of population '{modulator.population}' at tick {modulator.tick}: nothing there has a modulate hook; "
                    "modulate a population whose program has one"
                )
