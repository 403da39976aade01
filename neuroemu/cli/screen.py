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
from typing import Any

from rich.console import Console

from neuroemu.engines.job import Progress
from neuroemu.results.report import WIDTH

PATIENCE_S = 2.0
"""Nothing is shown of work that is done sooner."""


ARGUMENT = re.compile(r"\b(reset|reset_timing|spike_if|decay|gain|bias|engine|timing|assume)='([^']+)'")
FLAGS = {"with split=True": "without --no-split", "align=False": "--no-align"}
"""What messages say of Python's arguments, and how a command says it."""


def as_options(message: str) -> str:
    """A message in which arguments of Python are options to paste: ``reset='zero'`` is ``--reset zero``."""
    for argument, flag in FLAGS.items():
        message = message.replace(argument, flag)
    return ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')} {shlex.quote(found[2])}", message)


class Screen:
    """Standard output for results, standard error for everything else."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=True)
        self.out = Console(
            highlight=False, soft_wrap=True, width=max(self.out.width, WIDTH)
        )  # a cut number is worse than a wrapped line
        self.err = Console(stderr=True, highlight=False)

    def result(self, data: Any, *text: Any) -> None:
        """Print the data as JSON if that was asked for, the text otherwise."""
        if self.as_json:
            print(json.dumps(data, indent=1))
        else:
            for part in text:
                self.out.print(part)

    def error(self, message: str) -> None:
        """Print an error, as JSON too if that was asked for."""
        message = as_options(message)
        if self.as_json:
            print(json.dumps({"error": message}))
        print(f"neuroemu: {message}", file=sys.stderr)

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
