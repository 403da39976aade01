"""What the command line shows: results as text or JSON, errors as one sentence, progress when it takes longer."""

from __future__ import annotations

import json
import re
import shlex
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from neuroemu.base.errors import FileError
from neuroemu.cli.show import fit_width

if TYPE_CHECKING:
    from neuroemu.engines.job import Progress

PATIENCE_S = 2.0
"""Nothing is shown of work that is done sooner."""


ARGUMENT = re.compile(r"\b(reset|reset_timing|spike_if|decay|gain|bias|engine|timing|assume)='([^']+)'")
FLAGS = {
    "assume names": "--assume names",
    "choose weight_bits": "choose --weight-bits",
    "ticks=N": "--ticks N",
    "replace=True": "--force",
    "give them, or run with plastic=False": "give them with --values, or leave out --plastic",
    "make it with plastic=True": "start it with --plastic",
    "load a stimulus with values": "give --values",
    "read what is there with strict=False": "read what is there in Python, with strict=False",
    "with split=True": "without --no-split",
    "align=False": "--no-align",
}
"""What messages say of Python's arguments, and how a command says it."""


def as_options(message: str) -> str:
    """A message in which arguments of Python are options to paste: ``reset='zero'`` is ``--reset zero``."""
    for argument, flag in FLAGS.items():
        message = message.replace(argument, flag)
    return ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')} {shlex.quote(found[2])}", message)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let main() say what the exit code is."""
        raise


class Screen:
    """Standard output for results, standard error for everything else."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.out = _Console(highlight=False)
        self.err = Console(stderr=True, highlight=False)

    def result(self, data: Any, *text: Any) -> None:
        """Print the data as JSON if that was asked for, the text otherwise. Raises FileError where output cannot go."""
        try:
            if self.as_json:
                print(json.dumps(data, indent=1), flush=True)
            else:
                for part in text:
                    if isinstance(part, Table):
                        fit_width(part, self.out)
                    self.out.print(
                        part, soft_wrap=isinstance(part, str)
                    )  # lines are for the terminal, and grep, to wrap
        except BrokenPipeError:
            raise
        except OSError as error:
            raise FileError(
                f"standard output: cannot be written ({error.strerror or error}); free some space, or send it elsewhere"
            ) from None

    def error(self, message: str) -> None:
        """Print an error, as JSON too if that was asked for."""
        message = as_options(message)
        print(f"neuroemu: {message}", file=sys.stderr)
        if self.as_json:
            print(json.dumps({"error": message}), flush=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A callback for long work: a status line on a terminal, single lines elsewhere, once patience has run out."""
        status = self.err.status("") if self.err.is_terminal else None
        shown: set[str] = set()
        late = threading.Event()
        timer = threading.Timer(PATIENCE_S, lambda: start())
        now = ["working"]

        def start() -> None:
            late.set()
            if status is not None:
                status.update(now[0])
                status.start()
            else:
                line(now[0])

        def line(text: str) -> None:
            stage = text.split(":")[0]
            if stage not in shown:
                shown.add(stage)
                print(f"neuroemu: {stage} ...", file=sys.stderr)

        def tell(stage: str, done: int, total: int) -> None:
            now[0] = f"{stage}: {done} of {total}" if total > 1 else stage
            if late.is_set():
                if status is not None:
                    status.update(now[0])
                else:
                    line(now[0])

        timer.daemon = True
        timer.start()
        try:
            yield tell
        finally:
            timer.cancel()
            if status is not None:
                status.stop()

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Show warnings as one line each on standard error, when they come: code that is about to run is named before it runs."""
        shown: set[str] = set()

        def show(message: Warning | str, *_: object, **__: object) -> None:
            if str(message) not in shown:
                shown.add(str(message))
                print(f"neuroemu: warning: {as_options(str(message))}", file=sys.stderr)

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield
