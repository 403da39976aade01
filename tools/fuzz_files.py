"""Change files of every kind that neuroemu reads and use what can still be read: no code may run, nothing may crash, hang or eat memory.

    .venv/bin/python tools/fuzz_files.py --n 100000                # every kind
    .venv/bin/python tools/fuzz_files.py --kind image --n 300 --seed 5

Prints a line of JSON for each kind: how many mutants were refused, read and run, the slowest one, and the memory the process took.
Exits with 1 and the number of the mutant if there was a fault: ``--seed S --first K --n 1`` makes it again. tests/test_fuzz_files.py
runs 300 of each kind; tests/fuzz_kinds.py says what is done to each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from fuzz_kinds import KINDS  # noqa: E402
from mutants import MARKER  # noqa: E402

from neuroemu import NeuroemuError  # noqa: E402

LONGEST_S = 100
"""Seconds after which a single mutant hangs; those that are read run a network in a fraction of one."""


def most_used() -> int:
    """The most memory that this process held, in MiB. `ru_maxrss` would count what the parent held when it made this process."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if peak is not None:
            return int(peak.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def fuzz(kind: str, seed: int, first: int, n: int, seconds: float) -> dict[str, object]:
    """Use mutants first to first + n - 1 of a kind, or as many as the seconds allow. Raises AssertionError at the first fault."""
    outcomes: Counter[str] = Counter()
    slowest, end = (0.0, 0), time.monotonic() + seconds
    signal.signal(signal.SIGALRM, _hangs)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        place = Path(folder) / "work"
        place.mkdir()
        use = KINDS[kind](place)
        for k in range(first, first + n):
            begun = time.monotonic()
            if begun > end:
                break
            signal.alarm(LONGEST_S)
            try:
                outcomes[use(random.Random(f"{seed} {kind} {k}"))] += 1
            except NeuroemuError as error:
                outcomes["refused" if str(error).strip() else "refused without a word"] += 1
            except Exception as error:
                traceback.print_exc()
                raise AssertionError(f"{kind} {k}: {type(error).__name__}: {error}") from error
            finally:
                signal.alarm(0)
            assert not Path(MARKER).exists(), f"{kind} {k}: code ran"
            slowest = max(slowest, (time.monotonic() - begun, k))
        os.chdir("/")
    return {
        "kind": kind,
        "n": outcomes.total(),
        "seed": seed,
        **outcomes,
        "slowest_s": round(slowest[0], 2),
        "slowest": slowest[1],
        "mebibytes": most_used(),
    }


def _hangs(*_: object) -> None:
    raise AssertionError(f"a mutant took more than {LONGEST_S} s")


def main() -> None:
    """Fuzz what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--n", type=int, default=300, help="mutants of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="stop a kind after so long, whatever --n says"
    )
    options = parser.parse_args()
    for kind in KINDS if options.kind == "all" else [options.kind]:
        try:
            print(json.dumps(fuzz(kind, options.seed, options.first, options.n, options.seconds)), flush=True)
        except AssertionError as fault:
            sys.exit(f"{fault} (seed {options.seed})")


if __name__ == "__main__":
    main()
