"""Stages dendrite and soma of a kernel: one SIMD loop over all neurons, and what would keep it from being one apart from it."""

from __future__ import annotations

from collections.abc import Sequence

from neuroemu.engines.kernel.kernel_function import FunctionWriter
from neuroemu.engines.kernel.layout import PopulationLayout, dtype_of
from neuroemu.engines.kernel.split import Apart, Split, split, taken
from neuroemu.language.machine import site


def scratch(layout: PopulationLayout, port_bits: int) -> dict[str, str]:
    """Arrays of one element a neuron that the soma's passes leave each other, with their dtypes."""
    tag, narrow = layout.tag, "int32" if layout.owner.narrow("soma") else "int64"
    apart = split(layout.owner, "soma")
    found = {f"{tag}_bad_{name}": "uint8" for name in noted(layout, apart)}
    found |= {f"{tag}_port_{port}": dtype_of(port_bits) for port in layout.totals if port not in layout.fits}
    for part in apart.late:
        found[f"{tag}_late_{part.register}"] = "uint8"
        found |= {_spill(tag, part, name): narrow for name in part.spilled}
    return found


def noted(layout: PopulationLayout, apart: Split) -> list[str]:
    """Results and ports that may not fit, which the passes over all neurons note in an array each."""
    results = layout.owner.overflows("soma") - {part.register for part in apart.late}
    return [*sorted(results), *(port for port in layout.totals if port not in layout.fits)]


def _spill(tag: str, part: Apart, name: str) -> str:
    return f"{tag}_{name}_for_{part.register}"


class Soma:
    """Writes the soma of one population."""

    def __init__(self, kernel: FunctionWriter, layout: PopulationLayout) -> None:
        self.kernel, self.layout, self.w, self.call = kernel, layout, kernel.w, kernel.call
        self.tag, self.owner, self.n = layout.tag, layout.owner, layout.population.n
        self.apart = split(layout.owner, "soma")
        self.lines = self.call.body(layout.owner, layout.tag, "soma")
        self.key = self.call.neuron_key(layout, "soma")

    def write(self) -> None:
        """All passes."""
        self.call.site(self.tag, "soma", site("soma"))
        self.active()
        self.w("bad = i4(0)")
        for port in self.layout.totals:
            if port not in self.layout.fits:
                self.narrow_port(port)
        for part in self.apart.early:
            self.early(part)
        self.all()
        for part in self.apart.late:
            self.late(part)
        self.saturations()

    def active(self) -> None:
        """Count the neurons that something reached, and all of them."""
        w, tag = self.w, self.tag
        slices = w.arg(f"{tag}_slices")
        with w.block(f"for s in range({slices}.shape[0]):"):
            w("active = 0")
            with w.loop("i", f"{slices}[s, 1]", f"{slices}[s, 0]"):
                w(f"active += i64({tag}_touched[i])")
            w(f"{w.arg(f'{tag}_active')}[s] += active")
            w(f"{w.arg(f'{tag}_calls_soma')}[s] += {slices}[s, 1] - {slices}[s, 0]")

    # ---- dendrite
    def narrow_port(self, port: str) -> None:
        """Ports whose sum may not fit: narrow it once."""
        width, shift = self.kernel.layout.port_width, self.kernel.layout.image.chip.weight_shift
        total = f"i64({self.tag}_total_{port}[i])"
        with self.w.loop("i", self.n):
            self.w(f"y = dendrite({total}, {shift}, ({width.bits}, {width.wraps}))")
            self.note(port, f"y != {total} << {shift}")
            self.w(f"{self.tag}_port_{port}[i] = y")

    def port(self, port: str) -> None:
        """What a port gives the soma."""
        narrow, shift = self.owner.narrow("soma"), self.kernel.layout.image.chip.weight_shift
        cast = "i4" if narrow else "i64"
        if port not in self.layout.fits:
            self.w(f"port_{port} = {cast}({self.tag}_port_{port}[i])")
            return
        value = f"{cast}({self.tag}_total_{port}[i])"
        self.w(f"port_{port} = " + (f"{'i4' if narrow else ''}({value} << {shift})" if shift else value))

    # ---- soma
    def early(self, part: Apart) -> None:
        """A statement whose test is the same for all neurons."""
        test, value = taken(self.lines[part.place], part)
        self.call.load(self.owner, self.tag, "soma", self.key, None, self.inputs())
        with self.w.block(f"if {test}:"), self.w.loop("i", self.n):
            self.call.load(self.owner, self.tag, "soma", self.key, None, part.needs)
            self.w(f"{self.tag}soma_{part.register} = {value}")
            self.call.give(self.owner, self.tag, "soma", part.register, None, self.layout)

    def inputs(self) -> Sequence[str]:
        """Arguments an early test may name."""
        kinds = {argument.name: argument.kind for argument in self.owner.program.hooks["soma"].arguments}
        return [n for n, kind in kinds.items() if kind == "input" or isinstance(self.owner.params.get(n), int)]

    def all(self) -> None:
        """The loop over all neurons."""
        w, late = self.w, {part.place: part for part in self.apart.late}
        with w.loop("i", self.n):
            for port in self.layout.totals:
                self.port(port)
            self.call.load(self.owner, self.tag, "soma", self.key, None)
            for place, line in enumerate(self.lines):
                if place in late:
                    self.spill(late[place], line)
                elif place not in self.apart.places:
                    w(line)
            for name in self.owner.program.hooks["soma"].returns:
                if name not in self.apart.registers:
                    self.call.give(self.owner, self.tag, "soma", name, None, self.layout, self.note)

    def spill(self, part: Apart, line: str) -> None:
        """Leave behind what a later pass needs."""
        test, _ = taken(line, part)
        self.w(f"{self.tag}_late_{part.register}[i] = 1 if {test} else 0")
        for name in part.spilled:
            self.w(f"{_spill(self.tag, part, name)}[i] = {self.tag}soma_{name}")

    def late(self, part: Apart) -> None:
        """A statement for the neurons whose test held."""
        cast = "i4" if self.owner.narrow("soma") else "i64"
        _, value = taken(self.lines[part.place], part)
        with self.w.loop("i", self.n), self.w.block(f"if {self.tag}_late_{part.register}[i] != 0:"):
            self.call.load(self.owner, self.tag, "soma", self.key, None, part.needs - set(part.spilled))
            for name in part.spilled:
                self.w(f"{self.tag}soma_{name} = {cast}({_spill(self.tag, part, name)}[i])")
            self.w(f"{self.tag}soma_{part.register} = {value}")
            self.call.give(self.owner, self.tag, "soma", part.register, None, self.layout, self.count)

    # ---- saturations
    def note(self, name: str, test: str) -> None:
        """Note what does not fit by neuron: slices would cut the loop in pieces, and nearly always all fits."""
        self.w(f"unfit = {test}", f"{self.tag}_bad_{name}[i] = unfit", "bad = i4(bad + unfit)")

    def count(self, name: str, test: str) -> None:
        """Count what does not fit at once."""
        self.w(f"{self.w.arg(f'{self.tag}_overflow_{name}')}[{self.w.arg(f'{self.tag}_slice_of')}[i]] += {test}")

    def saturations(self) -> None:
        """Count by slice what was noted."""
        w, tag, names = self.w, self.tag, noted(self.layout, self.apart)
        if not names:
            return
        with w.block("if bad != 0:"), w.loop("i", self.n):
            w(f"s = {w.arg(f'{tag}_slice_of')}[i]")
            for name in names:
                w(f"{w.arg(f'{tag}_overflow_{name}')}[s] += {tag}_bad_{name}[i]")
