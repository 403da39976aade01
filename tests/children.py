"""Processes that a test starts: an interrupt reaches them wherever pytest runs, and they end with the test, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""A shell's background job, and some CI, ignore interrupts, and what they start would too."""


@contextmanager
def child(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process, and end it and what it started if the block leaves it running. ``how`` is what Popen takes."""
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTIBLE, *command], start_new_session=True, **how)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()
