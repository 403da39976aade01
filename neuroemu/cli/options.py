"""Options that commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from neuroemu.network.conventions import OLD_NAMES, Conventions

Decorated = Callable[..., Any]
POSITIVE = click.IntRange(min=1)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
chip_option = click.option("--chip", required=True, help="A shipped chip's name, or the path of a datasheet.")
assume_option = click.option(
    "--assume", default=(), multiple=True, metavar="FEATURE",
    help="Take a feature that no source states for the chip as there; the report says so.",
)  # fmt: skip
force = click.option("--force", is_flag=True, help="Replace what the outputs hold already.")


def engine_option(text: str) -> Callable[[Decorated], Decorated]:
    """The choice of an engine; only commands that run something import what knows the engines."""
    from neuroemu.engines.available import ENGINES

    return click.option("--engine", type=click.Choice(list(ENGINES)), default="cpu", show_default=True, help=text)


def assumed(given: tuple[str, ...]) -> list[str]:
    """Features by ``--assume``, which may be given several times and several names parted by commas."""
    return [name for text in given for name in text.split(",")]


def by_node(flag: str, text: str, hidden: bool = False) -> Callable[[Decorated], Decorated]:
    """A convention: ``--reset subtract`` for all nodes, ``--reset lif1=zero`` for one; may be given several times."""
    name = flag.removeprefix("--").replace("-", "_")
    choices = Conventions.CHOICES[OLD_NAMES.get(name, name)]

    def read(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Any:
        del context, parameter
        found: dict[str, str] = {}
        for text in values:
            node, equals, value = text.rpartition("=") if text not in choices else ("*", "=", text)
            if not equals or value not in choices:
                raise click.BadParameter(
                    f"{text!r} is neither one of {', '.join(choices)} nor NODE=VALUE with one of them", param_hint=flag
                )
            if node in found:
                what = "all nodes" if node == "*" else f"node '{node}'"
                raise click.BadParameter(f"{what} got two values, {found[node]} and {value}; give one", param_hint=flag)
            found[node] = value
        return None if not found else found.get("*") if set(found) == {"*"} else found

    return click.option(
        flag,
        multiple=True,
        callback=read,
        metavar=f"[NODE=]{'|'.join(choices)}",
        help=f"{text} Repeatable.",
        hidden=hidden,
    )


def conventions(command: Decorated) -> Decorated:
    """Options for what NIR does not say."""
    for option in reversed(
        (
            click.option("--dt", type=float, help="Seconds a tick [file's metadata, else 1e-4]."),
            by_node("--reset", "Reset to v_reset, or by the threshold [zero]."),
            by_node("--reset-timing", "In the tick of the spike, or the next [now]."),
            by_node("--spike-if", "How v must meet the threshold [>]."),
            by_node("--compare", "", hidden=True),
            by_node("--decay", "1 - dt/tau, or exp(-dt/tau) [euler]."),
            by_node("--gain", "Scale inputs by r as NIR says, or not at all [nir]."),
            click.option("--graded-input", is_flag=True, help="Let the input's values multiply the weights."),
        )
    ):
        command = option(command)
    return command


def compiling(command: Decorated) -> Decorated:
    """Options of compile."""
    for option in reversed(
        (
            click.option("--weight-bits", type=int, help="Use fewer bits than the chip's weights have."),
            click.option("--verbatim", is_flag=True, help="Take weights and parameters as register units."),
            click.option("--bias", type=click.Choice(["current", "voltage"]), default="current", show_default=True,
                         help="Where the bias of a current-based neuron goes."),
            click.option("--no-align", is_flag=True, help="Run every soma from tick 0, as a free-running chip does."),
            assume_option,
            click.option("--no-split", is_flag=True, help="Refuse to cut a population over cores."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def input_options(command: Decorated) -> Decorated:
    """What the host sends: a file, or nothing for so many ticks."""
    shape = ".npy or .npz of (ticks, neurons) or (ticks, samples, neurons...)."
    command = click.option("--ticks", type=POSITIVE, help="Run so many ticks without input.")(command)
    return click.option("--input", "input_path", help=shape)(command)


def one_of_input_and_ticks(input_path: str | None, ticks: int | None) -> None:
    """Refuse a command that is told neither what the host sends nor for how long it sends nothing, or both."""
    if input_path is None and ticks is None:
        raise click.UsageError("Missing option '--input'; a network that runs without input takes '--ticks' instead.")
    if input_path is not None and ticks is not None:
        raise click.UsageError("The rows of '--input' are its ticks; leave out '--ticks', or '--input'.")


def running(command: Decorated) -> Decorated:
    """Options of run."""
    for option in reversed(
        (
            input_options,
            click.option("--labels", "labels_path", help=".npy of one label a sample."),
            engine_option("All give the same bits."),
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of random numbers in programs."),
            click.option(
                "--timing",
                type=click.Choice(["twin"]),
                help="Time every tick on the network-on-chip, as engine event does unasked.",
            ),
            click.option("--workers", type=POSITIVE, help="Threads of engine cpu [one a processor]."),
            click.option("--record", help="Also write every packet to this file (.aer), for diff and replay."),
        )
    ):
        command = option(command)
    return command
