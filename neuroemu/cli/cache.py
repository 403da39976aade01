"""The cache of compiled kernels: what it holds, emptying it, and filling it ahead."""

from __future__ import annotations

from dataclasses import asdict

import click

from neuroemu.base import shelf
from neuroemu.base.errors import FileError
from neuroemu.cli.options import as_json
from neuroemu.cli.screen import Screen
from neuroemu.cli.show import table
from neuroemu.engines.cache import MIB, chosen_folder, clear, held, most_bytes


@click.group("cache", invoke_without_command=True)
@as_json
@click.pass_context
def cache(context: click.Context, as_json: bool) -> None:
    """Show the cache of compiled kernels of engine cpu: its folder, how many it holds, and their size.

    $NEUROEMU_CACHE names another folder, one that only you can write to; $NEUROEMU_CACHE_MIB is how large it may become [1024].
    """
    if context.invoked_subcommand is not None:
        return
    folder, reason = chosen_folder()
    found, most = held(folder), most_bytes()
    facts = {"path": str(found.path), "kernels": found.kernels, "bytes": found.size, "most_bytes": most}
    text = f"{found.path}: {_amount(found.kernels, found.size)}, of {most / MIB:,.0f} MiB at most"
    unused = [f"not used: {reason}"] if reason else []
    Screen(as_json).result(facts | {"not_used": reason or None}, text, *unused)


@cache.command("clear")
@as_json
def cache_clear(as_json: bool) -> None:
    """Remove all kernels; the next run of a network compiles its own again."""
    folder, reason = chosen_folder()
    if reason:
        raise FileError(f"{reason}, so nothing is removed; set NEUROEMU_CACHE to the folder that you mean")
    gone = clear(folder)
    facts = {"path": str(folder), "removed": gone.kernels, "bytes": gone.size}
    Screen(as_json).result(facts, f"{folder}: removed {_amount(gone.kernels, gone.size)}")


@cache.command("warm")
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
@click.option("--data", default="digits", show_default=True, help="For a rule: the data set whose values it learns.")
@click.option("--chip", default="atlas", show_default=True, help="For a rule: a shipped chip's name, or a datasheet.")
@as_json
def cache_warm(rules: tuple[str, ...], data: str, chip: str, as_json: bool) -> None:
    """Compile kernels now, so that the first training does not wait: of a plan (.toml), or of a shipped RULE.

    A kernel is for one network: a rule's is a layer of 100 neurons and one of a neuron a class, as in docs/training.md.
    """
    from neuroemu.learning.warm import warm  # and with it all that trains: the other commands are quick

    screen = Screen(as_json)
    for rule in rules:
        if not rule.endswith(".toml") and rule not in shelf.rules():
            raise shelf.unknown("rule", rule, shelf.rules())
    with screen.warnings(), screen.progress() as progress:
        done = [warm(rule, data=data, chip=chip, progress=progress) for rule in rules]
    rows = table("kernels of", "network", "chip", "seconds")
    for one in done:
        rows.add_row(one.name, one.network, one.chip, f"{one.seconds:.1f}")
    screen.result([asdict(one) for one in done], rows)


def _amount(kernels: int, size: int) -> str:
    return f"{kernels} kernel{'' if kernels == 1 else 's'}, {size / MIB:,.1f} MiB"
