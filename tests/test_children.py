"""What tests start can be interrupted, and does not outlive them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from children import child

TELL = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)"
WITH_GRANDCHILD = "import subprocess; p = subprocess.Popen(['sleep', '1000']); print(p.pid, flush=True); p.wait()"
IGNORING = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path.insert(0, sys.argv[1])\n"
ASK = f"""
import subprocess, sys
from children import child
with child([sys.executable, "-c", {TELL!r}], stdout=subprocess.PIPE, text=True) as process:
    print(process.stdout.read(), end="")
"""


def test_an_interrupt_reaches_a_child_where_its_parent_ignores_them() -> None:
    tests = str(Path(__file__).parent)
    asked = subprocess.run([sys.executable, "-c", IGNORING + ASK, tests], capture_output=True, text=True, check=True)
    assert asked.stdout == "True\n"
    plainly = f"import subprocess; subprocess.run([sys.executable, '-c', {TELL!r}])"
    asked = subprocess.run(
        [sys.executable, "-c", IGNORING + plainly, tests], capture_output=True, text=True, check=True
    )
    assert asked.stdout == "False\n", "or the helper would not be needed"


def test_a_failed_test_stops_its_children() -> None:
    """The pipe ends when nobody holds it any more: the child, and what the child has started."""
    ours, theirs = os.pipe()

    def failing() -> None:
        with child([sys.executable, "-c", WITH_GRANDCHILD], stdout=theirs):
            assert int(os.read(ours, 100)) > 1
            raise AssertionError("the test fails here")

    with pytest.raises(AssertionError, match="fails here"):
        failing()
    os.close(theirs)
    assert os.read(ours, 100) == b""
    os.close(ours)
