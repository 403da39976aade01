"""Run the long trainings whose results are promised, and write them to docs/gates.json and its table, docs/gates.md.

    make gates                          all of them
    make gates ONLY=sfdfa_digits        one

A training that is cut goes on when the same command is given again: finished seeds and checkpoints lie in runs/gates until their
gate is through. Only the rows of gates that ran are replaced. Exit status 1: a gate that ran fails.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neuroemu.base.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "runs" / "gates"
THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")

Row = dict[str, Any]
"""A training as its tool says it: seed, accuracy in 0..1 after the last epoch, digests of image and memory, what else it measures."""
Rows = Mapping[str, Sequence[Row]]
"""Trainings by variant, one a seed."""


# ---- what must hold
@dataclass(frozen=True)
class Check:
    """A claim in words, and how rows are judged: what was measured, and whether that will do."""

    claim: str
    judge: Callable[[Rows], tuple[str, bool]]


def mean(variant: str, least: float) -> Check:
    """Mean accuracy, in percent."""

    def judge(rows: Rows) -> tuple[str, bool]:
        values = _column(rows, variant, "accuracy")
        found = 100 * statistics.mean(values)
        return f"{found:.2f} % ({100 * min(values):.2f} to {100 * max(values):.2f})", found >= least

    return Check(f"{variant}: mean accuracy at least {least:g} %", judge)


def ahead(variant: str, other: str) -> Check:
    """Difference in accuracy, seed by seed: its 95 % interval of Student's t lies above zero."""

    def judge(rows: Rows) -> tuple[str, bool]:
        pairs = zip(*(_column(rows, name, "accuracy") for name in (variant, other)), strict=True)
        gaps = [100 * (a - b) for a, b in pairs]
        found, half = statistics.mean(gaps), student(len(gaps) - 1) * statistics.stdev(gaps) / len(gaps) ** 0.5
        return f"{found:+.2f} points, {found - half:+.2f} to {found + half:+.2f}", found - half > 0

    return Check(f"{variant} ahead of {other}, paired by seed: 95 % interval above 0", judge)


def angle(variant: str, side: Literal["under", "above"], limit: float) -> Check:
    """The angle of every seed, in degrees."""

    def judge(rows: Rows) -> tuple[str, bool]:
        values = _column(rows, variant, "angle")
        holds = max(values) < limit if side == "under" else min(values) > limit
        return f"{min(values):.1f} to {max(values):.1f} degrees", holds

    return Check(f"{variant}: angle of feedback and output weights {side} {limit:g} degrees", judge)


def near(variant: str, points: float) -> Check:
    """Mean accuracies of all variants lie within so many points of one's."""

    def judge(rows: Rows) -> tuple[str, bool]:
        means = {name: 100 * statistics.mean(_column(rows, name, "accuracy")) for name in rows}
        said = ", ".join(f"{name} {found:.2f} %" for name, found in means.items())
        return said, all(abs(found - means[variant]) <= points for found in means.values())

    return Check(f"mean accuracies within {points:g} points of {variant}'s", judge)


def _column(rows: Rows, variant: str, name: str) -> list[float]:
    return [float(row[name]) for row in rows[variant]]


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by the trapezoidal rule: right to four digits from one degree of freedom on."""
    angle = np.linspace(0, np.pi / 2, 200_001)
    weight = np.cos(angle) ** (freedom - 1)  # t = sqrt(freedom) tan(angle)
    area = np.concatenate([[0], np.cumsum(weight[1:] + weight[:-1])])
    return float(np.sqrt(freedom) * np.tan(angle[np.searchsorted(area, 0.95 * area[-1])]))


# ---- the gates
@dataclass(frozen=True)
class Gate:
    """A promised result: trainings of one tool, one for each variant and seed, and what must hold of them."""

    name: str
    about: str
    tool: str
    options: str
    seeds: tuple[int, ...]
    checks: tuple[Check, ...]
    variants: Mapping[str, str]
    checkpoint: bool = True
    """The tool can be cut: it takes --checkpoint."""
    short: bool = False
    """CI repeats one seed."""

    def words(self, variant: str, seeds: Sequence[int]) -> list[str]:
        """The command's words after `python`."""
        numbers = (str(seed) for seed in seeds)
        return [f"tools/{self.tool}", *self.options.split(), *self.variants[variant].split(), "--seeds", *numbers]

    def commands(self) -> dict[str, str]:
        """The command of every variant, all seeds."""
        return {variant: " ".join(["python", *self.words(variant, self.seeds)]) for variant in self.variants}

    def judge(self, entry: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        """Claim, measurement, verdict of every check. Results of other commands hold for nothing."""
        if entry["commands"] != self.commands():
            return [(check.claim, "by other commands: run it again", False) for check in self.checks]
        return [(check.claim, *check.judge(entry["rows"])) for check in self.checks]


MODES = {"sfdfa": "--mode sfdfa", "dfa": "--mode dfa"}

GATES = (
    Gate(
        "sfdfa_digits",
        "SFDFA and DFA, digits 1347/450, 64-100-10, 12 epochs",
        "train_sfdfa.py",
        "--epochs 12",
        tuple(range(10)),
        (mean("sfdfa", 95), ahead("sfdfa", "dfa")),
        MODES,
        short=True,
    ),
    Gate(
        "sfdfa_fashion",
        "SFDFA and DFA, Fashion-MNIST 15k/10k, 784-200-10, 5 epochs",
        "train_sfdfa.py",
        "--data fashion-mnist --train 15000 --epochs 5 --hidden 200 --threshold 0.769 --output-threshold 1.5 "
        "--rate 7 7 7 7 9 --output-rate 8 8 8 8 10",
        tuple(range(3)),
        (
            mean("sfdfa", 84.5),
            angle("sfdfa", "under", 20),
            angle("dfa", "above", 50),
        ),
        MODES,
    ),
    Gate(
        "spikegrad_digits",
        "SpikeGrad, digits 1347/450, 64-64-10, 20 epochs",
        "train_spikegrad.py",
        "--epochs 20",
        tuple(range(10)),
        (mean("spikegrad", 97),),
        {"spikegrad": ""},
        short=True,
    ),
    Gate(
        "spikegrad_fashion",
        "SpikeGrad, Fashion-MNIST 60k/10k, 784-256-10, 4 epochs, 16-bit weights",
        "train_spikegrad.py",
        "--data fashion-mnist --levels 16 --epochs 4 --hidden 256 --k 5 5 5 7",
        tuple(range(3)),
        (mean("spikegrad", 86),),
        {"spikegrad": ""},
    ),
    Gate(
        "wta_digits",
        "winner-take-all STDP, digits 1347/450, 100 neurons, 5 epochs, spike-count read-out",
        "train_wta.py",
        "--epochs 5",
        tuple(range(5)),
        (mean("wta", 87),),
        {"wta": ""},
        checkpoint=False,
    ),
    Gate(
        "wta_timescale",
        "the same; 3840 ticks a presentation, and the same spike trains stretched x0.1 and x10, trained and tested anew",
        "train_wta.py",
        "--epochs 5",
        tuple(range(5)),
        (near("x1", 2),),
        {"x0.1": "--ticks 384", "x1": "--ticks 3840", "x10": "--ticks 38400"},
        checkpoint=False,
    ),
)


# ---- running
def code(tool: str) -> str:
    """Digest of every text that can change a bit of this tool's trainings."""
    paths = [path for folder in ("neuroemu", "firmware", "cores") for path in (ROOT / folder).rglob("*.*")]
    sha = hashlib.sha256()
    for path in (*sorted(path for path in paths if path.suffix in (".py", ".toml")), ROOT / "tools" / tool):
        sha.update(f"{path.name}\0".encode() + path.read_bytes())
    return sha.hexdigest()


def repeat(gate: Gate, variant: str, seed: int, work: Path = WORK) -> Row:
    """The row of one training: one that ``work`` keeps of this command and code, or from a process of its own, one thread.

    Its key cpu_s is seconds of processor time, those before a cut included.
    """
    words = gate.words(variant, [seed])
    work.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\0".join([code(gate.tool), *words]).encode()).hexdigest()[:16]
    stem = f"{gate.name}-{variant}-{seed}-{key}"
    done, spent = work / f"{stem}.json", work / f"{stem}.cpu"
    if done.exists():
        return dict(json.loads(done.read_text()))
    command = [sys.executable, *words, "--json"]
    command += ["--checkpoint", str(work / f"{stem}.npz")] if gate.checkpoint else []
    begun, before = _children_s(), float(spent.read_text()) if spent.exists() else 0.0
    try:
        status, said = _call(command)
    finally:
        used = before + _children_s() - begun
        write_whole(spent, f"{used:.2f}".encode())
    if status:
        sys.exit(f"gates: `python {' '.join(words)}` failed with status {status}; nothing of {gate.name} was written")
    (row,) = json.loads(said)["runs"]
    row |= {"cpu_s": round(used, 2)}
    write_whole(done, json.dumps(row).encode())
    return dict(row)


def _call(command: list[str]) -> tuple[int, str]:
    """Status and standard output. An interrupt is passed on, and waited for: a training then writes its checkpoint."""
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    return process.returncode, said


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def go(gate: Gate, work: Path = WORK) -> dict[str, Any]:
    """Every training of a gate: its entry in docs/gates.json."""
    rows: dict[str, list[Row]] = {}
    for variant in gate.variants:
        rows[variant] = []
        for seed in gate.seeds:
            rows[variant].append(repeat(gate, variant, seed, work))
            print(f"{gate.name}: {variant} seed {seed}: {rows[variant][-1]['accuracy']:.4f}", flush=True)
    return {
        "commands": gate.commands(),
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "rows": rows,
    }


def machine() -> str:
    """Processor and versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, Python {platform.python_version()}, NumPy {version('numpy')}, Numba {version('numba')}"


# ---- the table
def load(folder: Path) -> dict[str, Any]:
    """docs/gates.json: entries by gate; none if there is no file."""
    path = folder / "gates.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def record(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Replace one gate's entry, keep the others, and write the table anew."""
    entries = load(folder) | {name: entry}
    entries = {gate.name: entries[gate.name] for gate in GATES if gate.name in entries}
    write_whole(folder / "gates.json", (json.dumps(entries, indent=1) + "\n").encode())
    write_whole(folder / "gates.md", table(entries).encode())


HEAD = """# Gates

Results of long trainings that are promised, as `make gates` wrote them (`make gates ONLY=name` for one): accuracy on the test split
after the last epoch, learning off. Change nothing here by hand; tests/test_gates.py holds the table against docs/gates.json and
repeats one seed of the short gates. Digests are the first 12 digits; a gate's is over those of its images.
"""


def table(entries: Mapping[str, Any]) -> str:
    """The page: one row a claim, then commands and machines, then one row a seed."""
    found = [(gate, entries[gate.name]) for gate in GATES if gate.name in entries]
    claims = _lines(
        "gate | must hold | measured | holds | seeds | digest | date | CPU s", (_claims(*pair) for pair in found)
    )
    seeds = _lines(
        "gate | variant | seed | accuracy | angle | image | memory | CPU s", (_trained(*pair) for pair in found)
    )
    notes = [
        f"**{gate.name}**: {gate.about}. {entry['machine']}.\n\n```sh\n{chr(10).join(entry['commands'].values())}\n```\n"
        for gate, entry in found
    ]
    return "\n".join([HEAD, claims, "", "## Commands", "", *notes, "## Seeds", "", seeds]) + "\n"


def _lines(head: str, groups: Iterable[Iterable[Sequence[str]]]) -> str:
    rows = [" | ".join(cells) for group in groups for cells in group]
    return "\n".join(f"| {row} |" for row in [head, " | ".join("-" for _ in head.split(" | ")), *rows])


def _claims(gate: Gate, entry: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    every = [row for rows in entry["rows"].values() for row in rows]
    digest = hashlib.sha256("".join(row["image"] for row in every).encode()).hexdigest()[:12]
    seeds = " ".join(dict.fromkeys(str(row["seed"]) for row in every))
    cpu = f"{sum(row['cpu_s'] for row in every):.0f}"
    for claim, measured, holds in gate.judge(entry):
        yield gate.name, claim, measured, "yes" if holds else "NO", seeds, digest, entry["date"], cpu


def _trained(gate: Gate, entry: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for variant, rows in entry["rows"].items():
        for row in rows:
            said = str(row["seed"]), f"{row['accuracy']:.4f}", f"{row['angle']:.1f}" if "angle" in row else ""
            yield gate.name, variant, *said, row["image"][:12], row["memory"][:12], f"{row['cpu_s']:.0f}"


# ---- the command
def main(argv: Sequence[str] | None = None, docs: Path = ROOT / "docs", work: Path = WORK) -> None:
    """Run what the command line asks for."""
    names = [gate.name for gate in GATES]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(names)} [all]")
    parser.add_argument("--table", action="store_true", help="run nothing, write the table from docs/gates.json anew")
    options = parser.parse_args(argv)
    for name in options.names:
        if name not in names:
            parser.error(f"no gate '{name}'; choose from {', '.join(names)}")
    if options.table:
        write_whole(docs / "gates.md", table(load(docs)).encode())
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and then its trainings do
    failed = []
    for gate in GATES:
        if options.names and gate.name not in options.names:
            continue
        entry = go(gate, work)
        record(docs, gate.name, entry)
        for file in work.glob(f"{gate.name}-*"):
            file.unlink()
        for claim, measured, holds in gate.judge(entry):
            print(f"{gate.name}: {claim}: {measured}: {'holds' if holds else 'FAILS'}", flush=True)
            failed += [] if holds else [gate.name]
    if failed:
        sys.exit(f"gates: {', '.join(dict.fromkeys(failed))} failed")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("gates: interrupted; the same command goes on from here")
