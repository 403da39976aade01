"""What is known of a chip and of a program on a chip, as plain data for tables and JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuroemu.base.errors import FirmwareError, UnsupportedError
from neuroemu.base.shelf import admitted, find_program, read_text, unknown
from neuroemu.chip.checks import LIMITS
from neuroemu.chip.chip import Chip
from neuroemu.chip.datasheet import FEATURES, Energy, Figure, Time
from neuroemu.compiler.features import of_program, require
from neuroemu.language.check import Proof, check_program
from neuroemu.language.language import Program
from neuroemu.language.program import own_name, specialize
from neuroemu.language.reader import read_file, read_programs
from neuroemu.results.report_units import FJ, amount
from neuroemu.results.tally import per_call


def chip_facts(chip: Chip) -> dict[str, Any]:
    """Capacities, widths, costs and times of a chip, each with basis, source and note; and what is unknown."""
    sheet, tables = chip.sheet, {}
    unknown: list[str] = []

    def figures(title: str, holder: object, names: tuple[str, ...], prefix: str) -> None:
        rows = []
        for name in names:
            figure: Figure | None = getattr(holder, name)
            if figure is None:
                unknown.append(f"{prefix}{name}")
            else:
                rows.append(_figure(name, figure))
        tables[title] = rows

    figures("capacity of a core", sheet.core, LIMITS, "")
    tables["register"] = [
        {"name": name, "value": _register(name, chip), "basis": r.basis, "source": r.source, "note": r.note}
        for name, r in sheet.core.registers.items()
    ]
    programs = sheet.core.programs
    switches = "".join(f", {name}={value} only" for name, value in programs.switches.items())
    value = f"any{switches}" if programs.any else f"{', '.join(programs.names)}{switches}"
    if programs.rules is not None:
        value += f"; rules: {', '.join(programs.rules) or 'none'}"
    tables["neuron programs"] = [
        {
            "name": "programs",
            "value": value,
            "basis": programs.basis or "",
            "source": programs.source,
            "note": programs.note,
        }
    ]
    tables["parameter"] = [
        {
            "name": name,
            "value": f"{r.min}..{r.max}" + (f" in steps of {r.step}" if r.step > 1 else ""),
            "basis": r.basis,
            "source": r.source,
            "note": r.note,
        }
        for name, r in sheet.core.parameters.items()
    ]
    tables["rule feature"] = _features(chip)
    unknown += [f"feature {name}" for name in FEATURES if chip.has(name) is None]
    events = tuple(name for name in Energy.__struct_fields__ if name != "visit" or chip.row_synapses is not None)
    figures("energy", sheet.energy, events, "energy of ")
    times = tuple(name for name in Time.__struct_fields__ if name != "reference" or programs.timed)
    figures("time", sheet.time, times, "time of ")
    figures("power", sheet.power, ("static",), "power ")
    return {
        "name": chip.name,
        "title": sheet.core.title,
        "cores": chip.n_cores,
        "tables": {title: rows for title, rows in tables.items() if rows},
        "unknown": unknown,
        "sources": dict(sheet.sources),
    }


def _features(chip: Chip) -> list[dict[str, str]]:
    rows = []
    for name in FEATURES:
        stated = chip.sheet.core.payload if name == "graded_payload" else chip.sheet.core.features.get(name)
        if stated is not None:
            value = "has" if chip.has(name) else "lacks"
            rows.append(
                {
                    "name": name,
                    "value": value,
                    "basis": stated.basis or "",
                    "source": stated.source,
                    "note": stated.note,
                }
            )
    return rows


def _register(name: str, chip: Chip) -> str:
    register = chip.sheet.core.registers[name]
    low, high = chip.weight_range
    stored = f", stores {low}..{high}" if register.min is not None or register.max is not None else ""
    return f"{register.bits} bits, {register.overflow}s{stored}"


def _figure(name: str, figure: Figure) -> dict[str, str]:
    if figure.value is not None:
        value = f"{figure.value} {figure.unit}"
    elif figure.points is not None:
        value = ", ".join(f"{count}: {v} {figure.unit}" for count, v in figure.points)
    else:
        value = "not applicable" if figure.not_applicable else f"in {figure.included_in}"
    return {"name": name, "value": value, "basis": figure.basis or "", "source": figure.source, "note": figure.note}


@dataclass(frozen=True)
class HookFacts:
    """A hook on a chip: arithmetic, operations, energy of a call in femtojoules (known part), what has no price, overflows."""

    program: str
    hook: str
    bits: int
    operations: dict[str, int]
    energy_fj: int
    included_in: list[str]
    unknown: list[str]
    overflows: list[str]
    switches: dict[str, int]
    """What the program's switches were folded to."""

    @property
    def program_text(self) -> str:
        """The program, with the switches that are 1."""
        return " ".join((self.program, *(f"{name}=1" for name, value in self.switches.items() if value)))

    @property
    def arithmetic(self) -> str:
        """Width of the arithmetic that suffices."""
        return f"{self.bits} bits"

    @property
    def operations_text(self) -> str:
        """Operations by class."""
        return ", ".join(f"{n} {kind}" for kind, n in self.operations.items() if n) or "none"

    @property
    def energy_text(self) -> str:
        """The price of a call."""
        parts = (
            [f"{'at least ' if self.unknown else ''}{amount(self.energy_fj, FJ)}"]
            if self.energy_fj or not self.included_in
            else []
        )
        parts += [f"in {name}" for name in self.included_in]
        return " + ".join(parts) + (f", unknown: {', '.join(self.unknown)}" if self.unknown else "")

    @property
    def overflows_text(self) -> str:
        """Registers that can saturate or wrap."""
        return "; ".join(self.overflows) or "nothing"


def check_file(path: str | os.PathLike[str], chip: Chip, switches: Mapping[str, int]) -> list[HookFacts]:
    """Prove every program of a firmware file for a chip, or the one that is named, and price its hooks. Nothing of it is run.

    ``switches`` are folded, each in the programs that have it; an alias (``stdp.nearest``) brings its own.

    Raises FirmwareError, UnsupportedError (the chip runs only certain programs), FileError, UnknownNameError.
    """
    named = os.fspath(path)
    programs, switches = _programs(named, switches)
    _known(named, programs, switches)
    facts = []
    for program in programs:
        _allowed(named, program, chip, switches)
        require(chip, list(of_program(program)))
        check_program(program, chip)  # whatever the switches
        chosen = {name: switches.get(name, 0) for name in program.of_kind("switch")}
        folded = specialize(program, chosen)
        proof = check_program(folded, chip)
        facts += [_hook_facts(folded, proof, hook, chip, chosen) for hook in proof.hooks]
    return facts


def _programs(path: str, switches: Mapping[str, int]) -> tuple[list[Program], dict[str, int]]:
    """The programs that a file or a program's name asks for, and the switches with those of an alias."""
    found, member = find_program(path)
    name, all_switches = own_name(path, switches)
    stem, _, part = member.partition(".")
    shown = path.removesuffix(f".{part}") if part else path
    programs = read_programs(read_text(found), shown, stem)
    if not part:
        return list(programs.values()), all_switches
    wanted = f"{stem}.{name.rpartition('.')[2]}"
    if wanted not in programs:
        raise unknown("program", member, [*programs, *read_file(read_text(found), shown, stem).aliases])
    return [programs[wanted]], all_switches


def _known(path: str, programs: list[Program], switches: Mapping[str, int]) -> None:
    """Refuse a switch that none of the programs has."""
    known = list(dict.fromkeys(name for program in programs for name in program.of_kind("switch")))
    for name in switches:
        if name not in known:
            raise FirmwareError(
                f"{path}: no program here has a switch '{name}'; they have: {', '.join(known) or 'none'}"
            )


def _allowed(path: str, program: Program, chip: Chip, switches: Mapping[str, int]) -> None:
    """Refuse a program that the chip does not run, or not with these switches."""
    allowed, found = chip.sheet.core.programs, find_program(path)[0]
    member = program.name.partition(".")[2]
    text = f"{found}.{member}" if member else str(found)
    if program.is_neuron and not allowed.any and admitted(allowed.names, text) is None:
        raise UnsupportedError(
            f"{path}: {chip.name} runs only the neuron programs {', '.join(allowed.names)} ({allowed.source}); "
            "choose a chip that runs any, such as generic45"
        )
    if not program.is_neuron and allowed.rules is not None and admitted(allowed.rules, text) is None:
        raise UnsupportedError(
            f"{path}: {chip.name} runs only the rules: {', '.join(allowed.rules) or 'none'} ({allowed.source}); "
            "choose a chip that runs any, such as generic45"
        )
    for name, value in switches.items():
        fixed = allowed.switches.get(name, value)
        if program.is_neuron and name in program.of_kind("switch") and value != fixed:
            raise UnsupportedError(
                f"{path}: {chip.name} has '{program.name}' with {name}={fixed} only ({allowed.source}); "
                "leave the switch, or choose a chip that has it, such as generic45"
            )


def _hook_facts(program: Program, proof: Proof, hook: str, chip: Chip, switches: dict[str, int]) -> HookFacts:
    events = per_call(program, proof, hook, chip.word_bits)
    prices = {event: chip.energy_fj(event) for event in events}
    figures: dict[str, Figure | None] = {event: getattr(chip.sheet.energy, event) for event in events}
    proved = proof.hooks[hook]
    return HookFacts(
        program=program.name,
        hook=hook,
        bits=32 if proved.fits_int32 else 64,
        operations=proved.operations,
        energy_fj=sum((prices[event] or 0) * n for event, n in events.items()),
        included_in=sorted({f.included_in for f in figures.values() if f and f.included_in}),
        unknown=[event for event, figure in figures.items() if figure is None],
        overflows=[str(overflow) for overflow in proved.overflows],
        switches=switches,
    )
