"""Recordings for tests: of cases, and of packets made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cases import CASES, Case, Rng, random_placement

import neuroemu as ne
from neuroemu.results.recording import NOWHERE, PACKET, Header, KeyBits, Packets, Place, write_recording

HEADER = Header(
    image="0" * 64,
    stimulus="1" * 64,
    chip="generic45",
    key=KeyBits(3, 0, 6, 23),
    layers={"in": Place(0, (4,), 0, "input"), "out": Place(4, (6,), 1, "chip")},
    seed=0,
    plastic=False,
    commit_every=1,
    first=0,
    presentations=1 << 20,
    ticks=50,
    rows=40,
    lag=1,
)


def drawn(name: str, draw: int = 0) -> tuple[Case, ne.Image]:
    """A case, placed at random."""
    rng: Rng = np.random.default_rng([draw, *name.encode()])
    case = CASES[name](rng)
    return case, case.image(random_placement(rng, case.image(), 9))


def record(case: Case, image: ne.Image, engine: str, path: Path, seed: int = 7) -> ne.Run:
    """Run a case and record it."""
    return ne.run(
        image,
        case.stimulus(),
        engine=engine,
        seed=seed,
        plastic=case.plastic,
        commit_every=case.commit_every,
        record=path,
    )


def whole(source: ne.Recording) -> Packets:
    """Every packet at once."""
    return np.concatenate([*source, np.empty(0, PACKET)])


def rows(n: int, start: int = 0) -> Packets:
    """Packets start to start + n - 1 of an endless ascending series that HEADER describes."""
    number = np.arange(start, start + n)
    made = np.empty(n, PACKET)
    made["presentation"], made["tick"] = number // 200, number // 4 % 50
    made["channel"], made["source"], made["key"], made["payload"] = 0, 4 + number % 4, NOWHERE, number % 97 - 40
    return made


def written(path: Path, n: int, header: Header = HEADER) -> Path:
    """A recording of n packets."""
    with write_recording(path, header) as writer:
        writer.append(rows(n))
    return path


def changed_threshold(threshold: int, n_in: int = 3) -> ne.Image:
    network = ne.Network(
        [
            ne.Population("in", n_in, ne.HostInput()),
            ne.Population("out", 2, ne.Firmware("if", {"threshold": threshold})),
        ],
        [ne.Projection("in", "out", np.full((n_in, 2), 2))],
        outputs=["out"],
    )
    return ne.compile(network, ne.load_chip("generic45"))
