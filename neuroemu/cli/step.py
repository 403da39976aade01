"""Look inside: step through a presentation, by commands typed, given or piped in."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

import neuroemu as ne
from neuroemu.base.errors import NeuroemuError, RunError
from neuroemu.base.formats import read_arrays
from neuroemu.cli.options import as_json, input_options, one_of_input_and_ticks
from neuroemu.cli.screen import Screen
from neuroemu.cli.stepper import Answer, Stepper
from neuroemu.engines.run import as_stimulus, host_sizes
from neuroemu.image.image import Image
from neuroemu.network.stimulus import Stimulus, stimulus, with_values


@click.command()
@click.argument("image")
@input_options
@click.option("--values", "values_path", help=".npy or .npz of (samples, neurons): what modulators say.")
@click.option(
    "--presentation", type=click.IntRange(min=0), default=0, show_default=True, help="Which sample to begin with."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of random numbers in programs.")
@click.option("--plastic", is_flag=True, help="Run the learning rules.")
@click.option("--do", "script", help="Commands to do, with ; between them, instead of asking.")
@as_json
def step(
    image: str,
    input_path: str | None,
    ticks: int | None,
    values_path: str | None,
    presentation: int,
    seed: int,
    plastic: bool,
    script: str | None,
    as_json: bool,
) -> None:
    """Step through a run and look inside: registers, packets, one synapse. `help` lists the commands.

    Commands come from --do, from the terminal, or from standard input. A bad one ends --do with exit code 2; elsewhere the
    session goes on. With --json every command gives one line.
    """
    one_of_input_and_ticks(input_path, ticks)
    screen, loaded = Screen(as_json), ne.load_image(image)
    session = ne.Session(loaded, seed=seed, plastic=plastic)
    stepper = Stepper(session, events(loaded, input_path, ticks, values_path), presentation)
    if script is not None:
        for line in filter(str.strip, script.split(";")):
            if not stepper.done:
                show(screen, line, stepper.do(line))
    elif not converse(screen, stepper):
        sys.exit(2)


def events(image: Image, input_path: str | None, ticks: int | None, values_path: str | None) -> Stimulus:
    """The input's events, and the modulators' values: those of one modulated population, or by name."""
    values = read_arrays(values_path) if values_path else {}
    if not isinstance(values, dict):
        values = {modulator.population: values for modulator in image.modulators}
    if input_path is None:
        return with_values(as_stimulus(image, None, ticks), values)
    return stimulus(read_arrays(input_path), host_sizes(image), values=values)


def converse(screen: Screen, stepper: Stepper) -> bool:
    """Do what is typed or piped in, to the end of it. Whether every command was understood, on a terminal always True."""
    if sys.stdin is None:
        raise RunError("standard input is closed; give commands with --do, or pipe them in")
    asking, good = sys.stdin.isatty(), True
    for line in typed(stepper) if asking else piped():
        if not line.strip():
            continue
        try:
            with pausing(stepper, asking):
                show(screen, line, stepper.do(line))
        except NeuroemuError as error:
            screen.error(str(error))
            good = asking
        if stepper.done:
            break
    return good


def piped() -> Iterator[str]:
    """Lines of standard input. Raises RunError for what is no text."""
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        raise RunError(f"standard input is no {error.encoding} text; pipe in commands, a line each") from None


def typed(stepper: Stepper) -> Iterator[str]:
    """Lines from the terminal, with editing and history where Python has them, until its end of file."""
    with suppress(ImportError):  # Windows edits lines by itself
        import readline  # noqa: F401
    print("help lists the commands, quit leaves")
    while True:
        try:
            yield input(f"{stepper.session.presentation}:{stepper.session.tick}> ")
        except EOFError:
            return


@contextmanager
def pausing(stepper: Stepper, asking: bool) -> Iterator[None]:
    """At a terminal an interrupt stops what runs after the tick it is in, and not the program."""
    if not asking:
        yield
        return

    def pause(*_: object) -> None:
        stepper.paused = True

    before = signal.signal(signal.SIGINT, pause)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def show(screen: Screen, line: str, answer: Answer) -> None:
    """One command's answer: a line of JSON, or text."""
    if screen.as_json:
        print(json.dumps({"command": line.strip(), **answer.data}), flush=True)
    else:
        screen.result(answer.data, *answer.text)
