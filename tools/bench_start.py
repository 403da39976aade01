"""How long a user waits: the demo network from nothing to spikes, with an empty kernel cache and with a warm one.

Each run is a process of its own. `cold` includes Numba's compilation of the kernel; both include the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

SCRIPT = """
import json, time
start = time.perf_counter()
import neuroemu as ne
imported = time.perf_counter()
nir_file, spikes, labels = ne.demo_data()
image = ne.compile(ne.read_nir(nir_file), ne.load_chip("loihi1"), weight_bits=8)
compiled = time.perf_counter()
run = ne.run(image, spikes)
end = time.perf_counter()
print(json.dumps({"import": imported - start, "compile": compiled - imported, "kernel": run.compile_s, "run": run.wall_s,
                  "accuracy": run.accuracy(labels)}))
"""


def once(cache: str) -> dict[str, float]:
    """One process; its own figures and the whole time it took."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"NEUROEMU_CACHE": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout) | {"whole": time.perf_counter() - start}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="processes per row [5]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as cache:
            rows["cold"].append(once(cache))
            rows["warm"].append(once(cache))
    medians = {
        kind: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for kind, runs in rows.items()
    }
    if arguments.json:
        print(json.dumps(medians, indent=1))
        return
    print(f"demo network, 360 samples, median of {arguments.runs} processes, seconds")
    print(f"{'':6}{'whole':>8}{'import':>8}{'compile':>8}{'kernel':>8}{'run':>8}")
    for kind, row in medians.items():
        print(f"{kind:6}" + "".join(f"{row[key]:8.2f}" for key in ("whole", "import", "compile", "kernel", "run")))


if __name__ == "__main__":
    main()
