"""What is there: chips, programs, and whether a program fits a chip."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from neuroemu.base import shelf
from neuroemu.chip.chip import Chip, load_chip
from neuroemu.chip.datasheet import json_schema
from neuroemu.cli.group import Group
from neuroemu.cli.options import as_json, assume_option, assumed, chip_option
from neuroemu.cli.screen import Screen
from neuroemu.cli.show import table as new_table


@click.command()
@click.argument("name", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON schema of datasheets, for editors.")
@as_json
def chips(name: str | None, schema: bool, as_json: bool) -> None:
    """List the chips, or show one with its capacities, widths and costs, each with its source."""
    screen = Screen(as_json)
    if schema:
        return Screen(True).result(json_schema())
    if name is None:
        found = [load_chip(chip) for chip in shelf.chips()]
        table = new_table("name", "chip", "cores", "neurons a core", "weight bits")
        for chip in found:
            table.add_row(
                chip.name,
                chip.sheet.core.title,
                str(chip.n_cores),
                str(chip.limit("neurons") or "no limit"),
                str(_weight_bits(chip)),
            )
        return screen.result([{"name": c.name, "title": c.sheet.core.title, "cores": c.n_cores} for c in found], table)
    chip = load_chip(name)
    from neuroemu.inspect.facts import chip_facts

    facts = chip_facts(chip)
    return screen.result(facts, *_chip_tables(chip, facts))


@click.group(cls=Group)
def firmware() -> None:
    """Programs: neuron models and learning rules."""


@firmware.command("list")
@as_json
def firmware_list(as_json: bool) -> None:
    """List the shipped programs."""
    from neuroemu.language.reader import read_file

    table = new_table("program", "what it is")
    rows = []
    found = [shelf.find_program(name)[0] for name in shelf.neurons()]
    found += [shelf.find_program(name, rule=True)[0] for name in shelf.rules()]
    for path in found:
        file = read_file(shelf.read_text(path), str(path), path.stem)
        rows += [{"name": name, "doc": program.doc} for name, program in file.programs.items()]
        for name, alias in file.aliases.items():
            switches = " and ".join(f"{switch}={value}" for switch, value in alias.switches.items())
            rows.append({"name": name, "doc": f"{alias.program}{' with ' if switches else ''}{switches}"})
    rows.sort(key=lambda row: row["name"])
    for row in rows:
        table.add_row(row["name"], " ".join(row["doc"].split("\n\n")[0].split()))
    Screen(as_json).result(rows, table)


@firmware.command("check")
@click.argument("file")
@chip_option
@click.option(
    "--set",
    "switches",
    multiple=True,
    metavar="SWITCH=0|1",
    help="Fold a switch to this value, in every program that has it [0].",
)
@assume_option
@as_json
def firmware_check(file: str, chip: str, switches: tuple[str, ...], assume: tuple[str, ...], as_json: bool) -> None:
    """Prove that the programs of FILE, or one by its name, fit a chip; show what each hook costs and what can overflow."""
    from neuroemu.inspect.facts import check_file

    results = check_file(file, load_chip(chip).assuming(assumed(assume)), dict(_switch(text) for text in switches))
    table = new_table("program", "hook", "arithmetic", "operations a call", "energy a call", "can overflow")
    for result in results:
        table.add_row(
            result.program_text,
            result.hook,
            result.arithmetic,
            result.operations_text,
            result.energy_text,
            result.overflows_text,
        )
    Screen(as_json).result([asdict(result) for result in results], f"{file} fits {load_chip(chip).name}", table)


def _switch(text: str) -> tuple[str, int]:
    name, sep, value = text.partition("=")
    if not sep or value not in ("0", "1"):
        raise click.BadParameter(f"'{text}' is not SWITCH=0 or SWITCH=1", param_hint="--set")
    return name, int(value)


def _weight_bits(chip: Chip) -> int:
    width = chip.weight_width
    return width.bits


def _chip_tables(chip: Chip, facts: dict[str, Any]) -> list[Any]:
    parts: list[Any] = [f"{chip.name}: {chip.sheet.core.title}, {chip.n_cores} cores"]
    for title, rows in facts["tables"].items():
        table = new_table(title, "value", "basis", "source", "note")
        for row in rows:
            table.add_row(row["name"], row["value"], row["basis"], row["source"], row["note"])
        parts.append(table)
    parts.append("unknown (no source states them): " + ", ".join(facts["unknown"]))
    return [*parts, *(rf"\[{key}] {text}" for key, text in chip.sheet.sources.items())]
