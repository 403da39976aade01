"""A chip: its datasheet, loaded and checked, with the questions the rest of neuroemu asks of it."""

from __future__ import annotations

import itertools
import os
import tomllib
from collections.abc import Iterable
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
from neuroemu.chip.checks import Checks, scaled
from neuroemu.chip.datasheet import (
    ENERGY_UNITS,
    FEATURES,
    POWER_UNITS,
    TIME_UNITS,
    Datasheet,
    Feature,
    Figure,
    Range,
    RegisterTable,
)
from neuroemu.chip.width import Bits

DEFAULT_WORD_BITS = 64


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
    def has_own_rows(self) -> bool:
        """Whether a neuron's packets find an axon by the neuron's address, so that neurons and sources share a core's axons."""
        return bool(self.limit("own_rows"))

    @property
    def row_synapses(self) -> int | None:
        """Synapses that an event at a crossbar visits, whatever their weights; None where it visits those that are."""
        return self.limit("row_synapses")

    @property
    def weight_range(self) -> tuple[int, int]:
        """The least and the largest weight a synapse stores."""
        weight = self.sheet.core.registers["weight"]
        half = 1 << (weight.bits - 1)
        return (-half if weight.min is None else weight.min, half - 1 if weight.max is None else weight.max)

    def energy_fj(self, event: str) -> int | None:
        """Femtojoules of one event; None where the datasheet is silent or says it is included elsewhere."""
        return scaled(getattr(self.sheet.energy, event), ENERGY_UNITS)

    def time_ps(self, unit: str) -> int | None:
        """Picoseconds, by key of ``[time]``; None where the datasheet is silent."""
        return scaled(getattr(self.sheet.time, unit), TIME_UNITS)

    def stated_time(self, unit: str) -> bool:
        """Whether the datasheet says anything of a unit's time: a value, that another figure includes it, or that there is none."""
        return getattr(self.sheet.time, unit) is not None

    def without_time(self, unit: str) -> bool:
        """Whether the datasheet says that a unit takes no time of its own: another figure includes it, or there is none."""
        figure: Figure | None = getattr(self.sheet.time, unit)
        return figure is not None and (figure.not_applicable or bool(figure.included_in))

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
        return scaled(self.sheet.power.static, POWER_UNITS)


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
    Checks(sheet, path).all()
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
    for table, kind in (("registers", RegisterTable), ("parameters", Range), ("features", Feature)):
        if f"$.core.{table}[...]" in text:
            for key, value in raw["core"][table].items():
                try:
                    msgspec.convert(value, kind)
                except msgspec.ValidationError:
                    return text.replace(f"{table}[...]", f"{table}.{key}")
    return text
