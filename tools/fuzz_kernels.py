"""Random networks on engine python and as the checked text of their kernels, until one differs: its seed, and a script of what is left
of it when all that does not matter is taken away. Exits 1 then, 0 if none differed.

    python tools/fuzz_kernels.py --seconds 3600
    python tools/fuzz_kernels.py --seed 1234 --n 1        # one network again
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from differential import Verdict, compared
from random_networks import Drawn, RefusedError, draw
from smaller import script, shrunk


def failing(drawn: Drawn) -> bool:
    """Whether the network differs, in whatever."""
    return compared(drawn).difference is not None


def told(seed: int, drawn: Drawn, verdict: Verdict) -> None:
    """Print what differs, and the least of it that does."""
    print(f"seed {seed}: {verdict.difference}", flush=True)
    least = shrunk(drawn, failing)
    print(f"the least of it that differs: {compared(least).difference}\n\n{script(least)}", flush=True)


def main() -> int:
    """Draw and compare until the time or the number is used up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--seconds", type=float, help="stop after so long [no limit]")
    parser.add_argument("--n", type=int, help="networks at most [no limit, 1000 without --seconds]")
    parser.add_argument("--seed", type=int, default=0, help="of the first network; the next has the next one [0]")
    options = parser.parse_args()
    most = options.n if options.n is not None else (None if options.seconds else 1000)
    warnings.simplefilter("error")
    begin, done, sent, refused = time.monotonic(), 0, 0, 0
    with tempfile.TemporaryDirectory() as files:
        while (most is None or done < most) and (not options.seconds or time.monotonic() - begin < options.seconds):
            seed, done = options.seed + done, done + 1
            try:
                drawn = draw(seed, Path(files))
            except RefusedError:
                refused += 1
                continue
            verdict = compared(drawn)
            if verdict.difference is not None:
                told(seed, drawn, verdict)
                return 1
            sent += len(verdict.run.spikes) if verdict.run else 0
    print(f"{done} networks from seed {options.seed} on, {refused} given up, {sent} packets: all alike")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("fuzz_kernels: interrupted")
