"""Which conventions a recording was made under: match."""

from __future__ import annotations

import sys
from typing import Any

import click

import neuroemu as ne
from neuroemu.base.formats import read_arrays
from neuroemu.cli.options import as_json, conventions
from neuroemu.cli.screen import Screen
from neuroemu.inspect.match import TOLERANCE


@click.command()
@click.argument("network")
@click.option(
    "--input", "input_path", required=True, help=".npy or .npz of (ticks, neurons) or (ticks, samples, neurons...)."
)
@click.option("--expect", "expect_path", required=True, help="Spikes another framework gave, in the same layout.")
@click.option(
    "--tolerance",
    type=float,
    default=TOLERANCE,
    show_default=True,
    help="Share of the recorded spikes that may be missed or too many.",
)
@click.option("--lag", type=int, default=0, show_default=True, help="Ticks by which the expected spikes are later.")
@conventions
@as_json
def match(network: str, input_path: str, expect_path: str, tolerance: float, lag: int, graded_input: bool, as_json: bool,
          **options: Any) -> None:  # fmt: skip
    """Find the conventions (dt, reset, ...) under which NETWORK gives the expected spikes; exit code 1 if none does.

    A convention given as an option is taken as known.
    """
    screen = Screen(as_json)
    known = {name: value for name, value in options.items() if value is not None}
    inputs, expected = read_arrays(input_path), read_arrays(expect_path)
    with screen.progress() as progress:
        found = ne.match(
            network,
            inputs,
            expected,
            tolerance=tolerance,
            lag=lag,
            graded_input=graded_input,
            progress=progress,
            **known,
        )
    paste = found.options  # in the table it may go on in the next line
    screen.result(found.as_dict(), *found.renderables(), *([f"to paste: {paste}"] if found.matched and paste else []))
    sys.exit(0 if found.matched else 1)
