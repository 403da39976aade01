"""The command line. Exit codes: 0 done, 1 the answer is no (it differs, it does not fit), 2 bad use or bad input."""

from __future__ import annotations

import sys

import click

from neuroemu.base.errors import CapacityError, FirmwareError, NeuroemuError, UnsupportedError
from neuroemu.cli.cache import cache
from neuroemu.cli.deploy import compile_, demo, deploy, report_, run_
from neuroemu.cli.look import chips, firmware
from neuroemu.cli.match import match
from neuroemu.cli.recordings import diff, export, replay
from neuroemu.cli.screen import Screen
from neuroemu.cli.step import step
from neuroemu.cli.train import train_

NO = (CapacityError, UnsupportedError, FirmwareError)
"""Errors that answer the question with no: exit code 1."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="neuroemu")
def cli() -> None:
    """Emulate digital neuromorphic chips: does a network fit, does it still work, what does it cost."""


for command in (
    demo,
    chips,
    firmware,
    compile_,
    run_,
    report_,
    diff,
    replay,
    export,
    deploy,
    train_,
    match,
    step,
    cache,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every error a user can cause is one sentence on standard error."""
    try:
        cli(standalone_mode=False)
    except NeuroemuError as error:
        Screen("--json" in sys.argv).error(str(error))
        sys.exit(1 if isinstance(error, NO) else 2)
    except click.exceptions.Abort:
        print("neuroemu: interrupted", file=sys.stderr)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(2)
