"""A chip: its datasheet, loaded and checked, with the questions the rest of neuroemu asks of it."""

from __future__ import annotations

import itertools
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from neuroemu.base.errors import DatasheetError, UnsupportedError
from neuroemu.base.schema import in_words
from neuroemu.base.shelf import find_chip, read_text, unknown
from neuroemu.chip.aer import PAYLOAD_BITS
from neuroemu.chip.datasheet import (
    ENERGY_UNITS,
    EVENTS,
    FEATURES,
    POWER_UNITS,
    TIME_UNITS,
    Datasheet,
    Energy,
    Feature,
    Figure,
    Programs,
    Range,
    Register,
    Time,
)
from neuroemu.chip.width import Bits

LIMITS = (
    "neurons", "axons_in", "axons_out", "synapse_words", "word_bits", "delay", "payload", "targets", "axon_kinds", "weight_shift",
    "shared_kernels",
)  # fmt: skip
DEPTHS = ("fifo", "inject_fifo", "eject_fifo", "flits_spike", "flits_payload")
_MUST_BE_POSITIVE = ("hop_x", "hop_y", "flit", "eject_flit", "packet")
DEFAULT_WORD_BITS = 64
_LARGEST = Decimal(10**18)


@dataclass(frozen=True)
class Chip:
    """A datasheet that passed every check. ``text`` is its TOML, which an image embeds; ``path`` says where it came from."""

    sheet: Datasheet
    text: str
    path: str
    assumed: tuple[str, ...] = ()
    """Features that no source states and the user vouches for."""

    @property
    def name(self) -> str:
        """The chip's name."""
        return self.sheet.core.name

    @cached_property
    def n_cores(self) -> int:
        """Cores on the chip."""
        return self.sheet.mesh.width * self.sheet.mesh.height * self.sheet.mesh.cores_per_tile

    def tile(self, core: int) -> tuple[int, int]:
        """Column and row of the core's tile."""
        tile = core // self.sheet.mesh.cores_per_tile
        return tile % self.sheet.mesh.width, tile // self.sheet.mesh.width

    def bits(self, kind: str, name: str) -> Bits | None:
        """Width of a register by its role; a neuron's state or keep first by its name. None if the chip has no such register."""
        registers = self.sheet.core.registers
        named = registers.get(name) if kind in ("state", "keep") else None
        found = named or registers.get(kind)
        return Bits(found.bits, int(found.overflow == "wrap")) if found else None

    @property
    def weight_width(self) -> Bits:
        """Width of a stored weight, which every chip has."""
        return self._certain("weight")

    @property
    def port_width(self) -> Bits:
        """Width of a dendrite's port, which every chip has."""
        return self._certain("port")

    def _certain(self, register: str) -> Bits:
        width = self.bits(register, register)
        assert width is not None
        return width

    def parameter(self, name: str) -> Range | None:
        """What the parameter may be on this chip; None if the datasheet does not say."""
        return self.sheet.core.parameters.get(name)

    def limit(self, name: str) -> int | None:
        """A capacity of a core, by its key in ``[core]``; None if there is no stated limit."""
        figure: Figure | None = getattr(self.sheet.core, name)
        return None if figure is None or figure.value is None else int(figure.value)

    def source(self, key: str) -> str:
        """The short source of a capacity, for messages."""
        figure: Figure | None = getattr(self.sheet.core, key)
        return figure.source if figure else "no source"

    @property
    def payload_bits(self) -> int | None:
        """Bits of a graded payload; None if no source states that the chip has one. An assumed one has all a packet can hold."""
        return PAYLOAD_BITS if "graded_payload" in self.assumed else self.limit("payload")

    def has(self, feature: str) -> bool | None:
        """Whether the chip has a feature of datasheet.FEATURES: True (or assumed), False (a source says so), or None: unknown."""
        if feature in self.assumed:
            return True
        if feature == "graded_payload":
            payload = self.sheet.core.payload
            return None if payload is None else not payload.not_applicable
        stated = self.sheet.core.features.get(feature)
        return stated.has if stated else None

    def missing(self, feature: str) -> str:
        """The words that a chip is not known to have a feature: what a refusal says."""
        noun = FEATURES[feature][0]
        if self.has(feature) is None:
            return f"no source states {noun} for {self.name}"
        stated = self.sheet.core.payload if feature == "graded_payload" else self.sheet.core.features[feature]
        assert stated is not None
        return f"{self.name} lacks {noun} ({stated.source})"

    def assuming(self, features: str | Iterable[str]) -> Chip:
        """The chip with features that no source states taken as there: a list, or names parted by commas.

        What the chip has needs no assumption and is left out. Raises UnknownNameError, and UnsupportedError for what it lacks.
        """
        names = features.split(",") if isinstance(features, str) else list(features)
        for name in names:
            if name not in FEATURES:
                raise unknown("feature", name, FEATURES)
            if self.has(name) is False:
                raise UnsupportedError(
                    f"assume names {name}, but {self.missing(name)}; only what no source states can be assumed, "
                    "choose another chip"
                )
        added = tuple(name for name in dict.fromkeys(names) if not self.has(name))
        return replace(self, assumed=(*self.assumed, *added)) if added else self

    def __repr__(self) -> str:
        return f"Chip({self.name!r}, {self.n_cores} cores, {self.path!r})"

    @property
    def word_bits(self) -> int:
        """Bits of a memory word."""
        return self.limit("word_bits") or DEFAULT_WORD_BITS

    @property
    def weight_shift(self) -> int:
        """Left shift from stored weights to the ports they are added to."""
        return self.limit("weight_shift") or 0

    @property
    def shares_kernels(self) -> bool:
        """Whether a core stores the kernel of a convolution once, whatever the number of synapses that use it."""
        return bool(self.limit("shared_kernels"))

    @property
    def weight_range(self) -> tuple[int, int]:
        """The least and the largest weight a synapse stores."""
        weight = self.sheet.core.registers["weight"]
        half = 1 << (weight.bits - 1)
        return (-half if weight.min is None else weight.min, half - 1 if weight.max is None else weight.max)

    def energy_fj(self, event: str) -> int | None:
        """Femtojoules of one event; None where the datasheet is silent or says it is included elsewhere."""
        return _scaled(getattr(self.sheet.energy, event), ENERGY_UNITS)

    def time_ps(self, unit: str) -> int | None:
        """Picoseconds, by key of ``[time]``; None where the datasheet is silent."""
        return _scaled(getattr(self.sheet.time, unit), TIME_UNITS)

    def stated_time(self, unit: str) -> bool:
        """Whether the datasheet says anything of a unit's time: a value, that another figure includes it, or that there is none."""
        return getattr(self.sheet.time, unit) is not None

    def noc(self, key: str) -> int | None:
        """A depth of ``[noc]``; None where the datasheet is silent."""
        figure: Figure | None = getattr(self.sheet.noc, key)
        return None if figure is None or figure.value is None else int(figure.value)

    def barrier_ps(self, n_tiles: int) -> int | None:
        """Picoseconds of a barrier over that many tiles: published points, linear between two, rounded up; unknown beyond."""
        figure = self.sheet.time.barrier
        if figure is None or figure.points is None:
            return self.time_ps("barrier")
        points = [(tiles, int(value * TIME_UNITS[figure.unit])) for tiles, value in figure.points]
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            if x0 <= n_tiles <= x1:
                return y0 - (y0 - y1) * (n_tiles - x0) // (x1 - x0)
        return points[0][1] if n_tiles == points[0][0] else None

    def static_nw(self) -> int | None:
        """Static power in nanowatts; None where the datasheet is silent."""
        return _scaled(self.sheet.power.static, POWER_UNITS)


def load_chip(name: str | os.PathLike[str]) -> Chip:
    """Load a shipped chip by name (``"loihi1"``) or a datasheet by path (``"./mine.toml"``).

    Raises UnknownNameError, FileError or DatasheetError.
    """
    path = find_chip(name)
    return parse_chip(read_text(path), _place(path))


def _place(path: Path) -> str:
    return f"cores/{path.name}" if path.parent.name == "cores" else str(path)


def parse_chip(text: str, path: str) -> Chip:
    """Check a datasheet's text. ``path`` is named in errors."""
    try:
        raw = tomllib.loads(text, parse_float=_decimal)
    except ValueError as error:  # TOMLDecodeError, or int's own for thousands of digits
        raise DatasheetError(f"{path}: not TOML: {error}; correct the syntax") from None
    except RecursionError:
        raise DatasheetError(f"{path}: nested too deeply; a datasheet is tables of figures") from None
    try:
        sheet = msgspec.convert(raw, Datasheet)
    except msgspec.ValidationError as error:
        raise DatasheetError(f"{path}: {in_words(_explain(error, raw))}; docs/datasheet.md lists the keys") from None
    _Checks(sheet, path).all()
    return Chip(sheet, text, path)


def _decimal(text: str) -> Decimal:
    """A number of the text; infinite, which no figure may be, if its exponent is past what decimals hold."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("Infinity")


def _explain(error: msgspec.ValidationError, raw: dict[str, Any]) -> str:
    """msgspec's message with a dictionary's key put back where it prints ``[...]``."""
    text = str(error)
    for table, kind in (("registers", Register), ("parameters", Range), ("features", Feature)):
        if f"$.core.{table}[...]" in text:
            for key, value in raw["core"][table].items():
                try:
                    msgspec.convert(value, kind)
                except msgspec.ValidationError:
                    return text.replace(f"{table}[...]", f"{table}.{key}")
    return text


def _scaled(figure: Figure | None, units: dict[str, int]) -> int | None:
    return None if figure is None or figure.value is None else int(figure.value * units[figure.unit])


class _Checks:
    """What the schema's types cannot say."""

    def __init__(self, sheet: Datasheet, path: str) -> None:
        self.sheet = sheet
        self.path = path

    def all(self) -> None:
        core, sheet = self.sheet.core, self.sheet
        for key in LIMITS:
            self.figure(f"core.{key}", getattr(core, key), None)
        for key in Energy.__struct_fields__:
            self.figure(f"energy.{key}", getattr(sheet.energy, key), ENERGY_UNITS)
        for key in Time.__struct_fields__:
            self.figure(f"time.{key}", getattr(sheet.time, key), TIME_UNITS)
        for key in DEPTHS:
            self.figure(f"noc.{key}", getattr(sheet.noc, key), None)
        self.figure("power.static", sheet.power.static, POWER_UNITS)
        tables: dict[str, Mapping[str, Register | Range | Feature]] = {
            "registers": core.registers, "parameters": core.parameters, "features": core.features,
        }  # fmt: skip
        for table, entries in tables.items():
            for key, entry in entries.items():
                self.sourced(f"core.{table}.{key}", entry.source)
        for key, register in core.registers.items():
            self.stored(key, register)
        self.sourced("mesh", sheet.mesh.source)
        self.sourced("key", sheet.key.source)
        self.core(core.programs)
        self.key()

    def sourced(self, place: str, source: str) -> None:
        if source not in self.sheet.sources:
            known = ", ".join(self.sheet.sources) or "none"
            raise DatasheetError(
                f"{self.path}: {place}: source '{source}' is not in [sources], which has: {known}; add a line that names the work"
            )

    def figure(self, place: str, figure: Figure | None, units: dict[str, int] | None) -> None:
        if figure is None:
            return
        stated = [figure.value is not None, bool(figure.points), bool(figure.included_in), figure.not_applicable]
        if sum(stated) != 1:
            raise DatasheetError(
                f"{self.path}: {place}: states {sum(stated)} of value, points, included_in and not_applicable; "
                "state one, or leave the key out if the figure is unknown"
            )
        if figure.included_in and figure.included_in not in EVENTS:
            raise DatasheetError(
                f"{self.path}: {place}: included_in '{figure.included_in}' is no event; name one of {', '.join(EVENTS)}"
            )
        if figure.points is not None and place != "time.barrier":
            raise DatasheetError(f"{self.path}: {place}: points are for time.barrier only; state a value")
        if not (figure.value is not None or figure.points is not None):
            return
        if figure.basis is None:
            raise DatasheetError(
                f"{self.path}: {place}: no basis; add basis = silicon, simulated, derived, estimated or fit"
            )
        self.sourced(place, figure.source)
        values = [figure.value] if figure.value is not None else [value for _, value in figure.points or []]
        for value in values:
            assert value is not None
            self.value(place, value, figure.unit, units)
        counts = [count for count, _ in figure.points or []]
        if counts != sorted(set(counts)):
            raise DatasheetError(f"{self.path}: {place}: points are not in ascending order of their count; sort them")

    def stored(self, key: str, register: Register) -> None:
        """A stated range of stored values is the weight's, and within its bits."""
        half = 1 << (register.bits - 1)
        low, high = (
            default if stated is None else stated
            for stated, default in ((register.min, -half), (register.max, half - 1))
        )
        if (low, high) != (-half, half - 1) and key != "weight":
            raise DatasheetError(
                f"{self.path}: core.registers.{key}: min and max are for weight only; state the bits of a register"
            )
        if not -half <= low <= high < half:
            raise DatasheetError(
                f"{self.path}: core.registers.{key}: {low}..{high} is not a range within {register.bits} bits, "
                f"{-half}..{half - 1}; state more bits, or a smaller range"
            )

    def value(self, place: str, value: Decimal, unit: str, units: dict[str, int] | None) -> None:
        if not value.is_finite() or value < 0:
            raise DatasheetError(
                f"{self.path}: {place}: {value} is not a finite number of at least 0; correct the value"
            )
        if value > _LARGEST:
            raise DatasheetError(f"{self.path}: {place}: {value} is above 1e18; correct the value or its unit")
        if units is None:
            if value != value.to_integral_value():
                raise DatasheetError(f"{self.path}: {place}: {value} is not a whole number; a capacity is an integer")
            if value < 1 and place.startswith("noc."):
                raise DatasheetError(f"{self.path}: {place}: 0; a packet takes a slot and a flit, state at least 1")
            return
        if unit not in units:
            raise DatasheetError(
                f"{self.path}: {place}: unit '{unit}' is not one of {', '.join(units)}; convert the value"
            )
        scaled = value * units[unit]
        smallest = next(iter(units))
        if scaled != scaled.to_integral_value():
            raise DatasheetError(
                f"{self.path}: {place}: {value} {unit} is not a whole number of {smallest}; round it and say so in note"
            )
        if units is TIME_UNITS and scaled < 1 and place.removeprefix("time.") in _MUST_BE_POSITIVE:
            raise DatasheetError(f"{self.path}: {place}: 0 {unit}; the timing model needs at least 1 ps here")

    def core(self, programs: Programs) -> None:
        core = self.sheet.core
        if not core.name.isidentifier():
            raise DatasheetError(
                f"{self.path}: core.name: '{core.name}' is not an identifier; use letters, digits and _"
            )
        for key in ("port", "weight"):
            if key not in core.registers:
                raise DatasheetError(f"{self.path}: core.registers: no '{key}'; every chip states its width")
        if core.weight_shift.value is None:
            raise DatasheetError(f"{self.path}: core.weight_shift: no value; state 0 if stored weights are not shifted")
        if programs.any == bool(programs.names):
            raise DatasheetError(f"{self.path}: core.programs: state either any = true or the names of the programs")
        payload = core.payload.value if core.payload else None
        if payload is not None and not 2 <= payload <= PAYLOAD_BITS:
            raise DatasheetError(
                f"{self.path}: core.payload: {payload} bits; a packet carries 2 to {PAYLOAD_BITS}, signed: leave the key out if "
                "the chip has no graded payload"
            )
        if core.payload and core.payload.not_applicable:
            self.sourced("core.payload", core.payload.source)
        for key in core.features:
            if key not in FEATURES or key == "graded_payload":
                known = ", ".join(name for name in FEATURES if name != "graded_payload")
                instead = "state core.payload" if key == "graded_payload" else f"name one of {known}"
                raise DatasheetError(f"{self.path}: core.features: '{key}' is not stated here; {instead}")
        self.sourced("core.programs", programs.source)
        for key, entry in core.parameters.items():
            if entry.min > entry.max:
                raise DatasheetError(
                    f"{self.path}: core.parameters.{key}: min {entry.min} is above max {entry.max}; exchange them"
                )

    def key(self) -> None:
        key, mesh = self.sheet.key, self.sheet.mesh
        total = key.channel + key.chip + key.core + key.axon
        if total > 32:
            raise DatasheetError(f"{self.path}: key: fields take {total} bits, a key has 32; shorten one")
        if key.channel < 3:
            raise DatasheetError(f"{self.path}: key.channel: {key.channel} bits hold fewer than the 6 channels; use 3")
        host, tiles = self.sheet.noc.host_tile, mesh.width * mesh.height
        if host >= tiles:
            raise DatasheetError(
                f"{self.path}: noc.host_tile: {host}, the mesh has tiles 0..{tiles - 1}; name one of them"
            )
        cores = tiles * mesh.cores_per_tile
        if cores > 1 << key.core:
            need = math.ceil(math.log2(cores))
            raise DatasheetError(
                f"{self.path}: key.core: {key.core} bits address fewer than the mesh's {cores} cores; use {need}"
            )
