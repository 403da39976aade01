"""What a datasheet's schema cannot say: units, sources, bounds, tables that must agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from neuroemu.base.errors import DatasheetError
from neuroemu.chip.aer import PAYLOAD_BITS
from neuroemu.chip.datasheet import (
    ENERGY_UNITS,
    EVENTS,
    FEATURES,
    MOST,
    MOST_TILES,
    MOST_TIME_PS,
    POWER_UNITS,
    TIME_UNITS,
    WIDEST_WEIGHT,
    Datasheet,
    Energy,
    Feature,
    Figure,
    Programs,
    Range,
    RegisterTable,
    Time,
)

LIMITS = (
    "neurons", "axons_in", "axons_out", "synapse_words", "word_bits", "delay", "payload", "targets", "axon_kinds", "weight_shift",
    "shared_kernels", "tick_events", "own_rows", "row_synapses", "serial",
)  # fmt: skip
DEPTHS = ("fifo", "inject_fifo", "eject_fifo", "flits_spike", "flits_payload")
_MUST_BE_POSITIVE = ("hop_x", "hop_y", "flit", "eject_flit", "packet")
_LARGEST = Decimal(10**18)


def scaled(figure: Figure | None, units: dict[str, int]) -> int | None:
    """A figure in the smallest unit; None if it is not stated."""
    return None if figure is None or figure.value is None else int(figure.value * units[figure.unit])


class Checks:
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
        tables: dict[str, Mapping[str, RegisterTable | Range | Feature]] = {
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

    def stored(self, key: str, register: RegisterTable) -> None:
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
        if key == "weight" and register.bits > WIDEST_WEIGHT:
            raise DatasheetError(
                f"{self.path}: core.registers.weight: {register.bits} bits; an image stores weights of up to {WIDEST_WEIGHT}"
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
            most = MOST.get(place.partition(".")[2])
            if most is not None and value > most:
                raise DatasheetError(
                    f"{self.path}: {place}: {value} is above {most}, the most neuroemu takes; correct it"
                )
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
        if units is TIME_UNITS and scaled > MOST_TIME_PS:
            raise DatasheetError(
                f"{self.path}: {place}: {value} {unit} is above a second; correct the value or its unit"
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
        for name in programs.timed:
            if not programs.any and name not in programs.names:
                raise DatasheetError(
                    f"{self.path}: core.programs.timed: '{name}' is not in names, which has: {', '.join(programs.names)}; name one of these"
                )
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
        if cores > MOST_TILES:
            raise DatasheetError(f"{self.path}: mesh: {cores} cores, neuroemu takes up to {MOST_TILES}; state fewer")
        if cores > 1 << key.core:
            need = math.ceil(math.log2(cores))
            raise DatasheetError(
                f"{self.path}: key.core: {key.core} bits address fewer than the mesh's {cores} cores; use {need}"
            )
