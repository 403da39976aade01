"""The command line. Exit codes: 0 done, 1 the answer is no (it differs, it does not fit), 2 bad use, bad input or no output."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

import click

from neuroemu.base.errors import CapacityError, FirmwareError, NeuroemuError, UnsupportedError
from neuroemu.cli.group import Group

NO = (CapacityError, UnsupportedError, FirmwareError)
"""Errors that answer the question with no: exit code 1."""
INTERRUPTED = 130
COMPLETING = "_NEUROEMU_COMPLETE"
"""Set by a shell that asks what could come next on its line."""
COMMANDS = {
    "demo": (
        "deploy.demo",
        "Deploy a trained network for handwritten digits onto a chip, and check the engines against each other.",
    ),
    "chips": ("look.chips", "List the chips, or show one with its capacities, widths and costs, each with its source."),
    "firmware": ("look.firmware", "Programs: neuron models and learning rules."),
    "compile": ("deploy.compile_", "Compile a network (NIR, or lava-dl's .net) into an image for a chip."),
    "run": ("deploy.run_", "Run an image on input events, whose rows are its ticks, or for --ticks without input."),
    "report": ("deploy.report_", "Price a run: events, energy by provenance, time bound."),
    "diff": (
        "recordings.diff",
        "Compare two runs bit for bit, or two recordings (.aer) packet by packet, and name the first difference.",
    ),
    "replay": (
        "recordings.replay",
        "Run a recording's input again and compare every packet with the recorded one.",
    ),
    "export": (
        "recordings.export",
        "Write a recording's spikes and input for other tools: AEDAT 2.0 (.aedat), which jAER reads.",
    ),
    "deploy": ("deploy.deploy", "Compile, run and report in one."),
    "train": (
        "train.train_",
        "Train on the emulated chip: PLAN is a TOML file (docs/training.md), or a NIR file with --rule and --data.",
    ),
    "match": (
        "match.match",
        "Find the conventions (dt, reset, ...) under which NETWORK gives the expected spikes; exit code 1 if none does.",
    ),
    "step": (
        "step.step",
        "Step through a run and look inside: registers, packets, one synapse. `help` lists the commands.",
    ),
    "cache": (
        "cache.cache",
        "Show the cache of compiled kernels of engine cpu: its folder, how many it holds, and their size.",
    ),
}
"""Module and name of every command, and what it does: a command's libraries are imported when it is called."""


class Commands(Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(".")
        command: click.Command = getattr(importlib.import_module(f"neuroemu.cli.{module}"), name)
        return command

    def described(self, ctx: click.Context) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        return [(name, what) for name, (_, what) in COMMANDS.items()]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="neuroemu")
def cli() -> None:
    """Emulate digital neuromorphic chips: does a network fit, does it still work, what does it cost."""


def main() -> None:
    """Run the command line; every error a user can cause is one sentence on standard error.

    As click's own ``main``, which exits with 1 where nobody reads on, and 1 means that the answer is no.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:  # a name in another encoding is shown with escapes, not as a traceback
            reconfigure(errors="backslashreplace")
    if COMPLETING in os.environ:
        cli()
    try:
        _run()
    except BrokenPipeError:  # neuroemu chips | head -1
        _drop_output()
        sys.exit(2)


def _run() -> None:
    try:
        with cli.make_context("neuroemu", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except NeuroemuError as error:
        _refuse(str(error), 1 if isinstance(error, NO) else 2)
    except (KeyboardInterrupt, click.exceptions.Abort):
        print("neuroemu: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:
        raise
    except (OSError, MemoryError, OverflowError, RecursionError) as error:
        _refuse(_sentence(error), 2)


def _sentence(error: OSError | MemoryError | OverflowError | RecursionError) -> str:
    """What the system or Python itself refused, in one sentence."""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}the system refused ({error.strerror or error}); check paths, permissions and the space left"
    said = f" ({error})" if str(error) else ""
    if isinstance(error, MemoryError):
        return f"there is not enough memory{said}; give fewer samples or ticks at a time, or use a larger machine"
    if isinstance(error, OverflowError):
        return f"a number is too large to compute with{said}; give a smaller one"
    return f"something is nested too deeply{said}; make the file or the expression flatter"


def _refuse(message: str, code: int) -> NoReturn:
    from neuroemu.cli.screen import Screen

    try:
        Screen("--json" in sys.argv).error(message)
    except OSError:  # the output is what failed
        _drop_output()
    sys.exit(code)


def _drop_output() -> None:
    """Let what could not be printed go: Python would try again at its end, and say so."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
