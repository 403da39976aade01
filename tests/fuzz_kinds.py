"""Every kind of file that neuroemu reads: one that is whole, how it is changed, and what is done with what can still be read.

``KINDS[name](folder)`` makes the whole file and gives a function that draws a mutant, writes it and uses it; it says what became of it:
"read" or "ran". A refusal is a NeuroemuError; anything else is a fault.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from cases import CASES, Case
from foreign import image_parts, packed, stamp_checkpoint, stamp_image, stamp_run
from fuzz_inputs import STRUCTURED, Rng, Use, arrays, datasheets, firmware, idx_files, nir_files, plans
from mutants import array_changed, bytes_changed, header_changed, nudged, words_changed

import neuroemu as ne
from neuroemu.engines.job import Job, silent
from neuroemu.engines.kernel.kernel import generate
from neuroemu.engines.kernel.layout import Layout
from neuroemu.learning import checkpoint as checkpoints
from neuroemu.learning.training import TrainingState

COMPILED = ("layered", "delayed")
"""Cases whose kernels are compiled, if they are not kept already."""
NUDGED = 0.2
"""Share of their mutants that have other weights and parameters, of the kind that may well be right."""
EVERY = 4
"""One of so many images that are read is run on engine cpu as well, where that compiles no kernel."""
LONGEST = 2000
"""Ticks of all presentations of a recording that is replayed."""


def case(name: str) -> Case:
    """A small network of tests/cases.py, the same each time."""
    return CASES[name](np.random.default_rng(1))


def kernel_text(image: ne.Image, given: Case) -> str:
    """The text of the kernel that would run the image on the case's input."""
    job = Job(image, given.stimulus(), 0, given.plastic, given.commit_every, 1, silent)
    return generate(Layout(job))[0]


def only_functions(text: str) -> None:
    """A kernel's module defines functions and does nothing else; what it does is done here, without Numba."""
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    for node in ast.parse(text).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        short_name = isinstance(node, ast.Assign) and ast.unparse(node.value) in ("np.int64", "np.uint64", "np.int32")
        assert isinstance(node, allowed) or docstring or short_name, ast.unparse(node)[:200]
    plain = text.replace("from numba import njit\n", "").replace("from numba import int32 as i4\n", "")
    exec(
        compile(plain, "<kernel>", "exec"),
        {"i4": np.int32, "njit": lambda *given, **_: given[0] if given else lambda f: f},
    )


# ---- images
def images(folder: Path) -> Use:
    """Images of four networks; what loads runs as Python, and on engine cpu where its kernel is the case's own."""
    path = folder / "a.image"
    bases = {}
    for name in ("layered", "delayed", "graded", "rivals"):
        given = case(name)
        given.image().save(path)
        bases[name] = (given, path.read_bytes(), *image_parts(path), kernel_text(given.image(), given))
        if name in COMPILED:  # here, and not in the time of a mutant
            ne.run(given.image(), given.stimulus().slice(0, 1), engine="cpu", workers=1)

    def use(rng: Rng) -> str:
        name = rng.choice(sorted(bases))
        given, whole, header, arrays, text = bases[name]
        if rng.random() > STRUCTURED:
            path.write_bytes(bytes_changed(whole, rng))
        else:
            header, arrays = copy.deepcopy(header), dict(arrays)
            if name in COMPILED and rng.random() < NUDGED:
                nudged(arrays, rng)
            else:
                for _ in range(rng.choice([1, 1, 1, 2])):
                    if rng.random() < 0.6:
                        header_changed(header, rng)
                    else:
                        array_changed(arrays, rng)
            if "format" in header:
                stamp_image(header, arrays)
            path.write_bytes(packed(header, arrays))
        image = ne.load_image(path)
        assert image.usage
        how: dict[str, Any] = {"plastic": given.plastic, "commit_every": given.commit_every}
        small = given.stimulus().slice(0, 1)
        run = ne.run(image, small, engine="python", **how)
        str(ne.report(run))
        written = kernel_text(image, given)
        only_functions(written)
        if written == text and name in COMPILED and rng.randrange(EVERY) == 0:
            again = ne.run(image, small, engine="cpu", workers=1, **how)
            assert run.differs(again) is None, run.differs(again)
            return "ran on cpu"
        return "ran"

    return use


# ---- runs, memories, checkpoints, watches
def runs(folder: Path) -> Use:
    """The folder of a run with probes, time and learning."""
    given, path = case("graded"), folder / "run"
    whole = ne.run(given.image(), given.stimulus(), engine="python", plastic=True, commit_every=2, timing="twin")
    whole.save(path)
    names = ("run.json", "spikes.npz", "chip.toml")
    files = {name: (path / name).read_bytes() for name in names}
    header0 = json.loads(files["run.json"])
    with np.load(path / "spikes.npz") as stored:
        arrays0 = {name: stored[name] for name in stored.files}

    def use(rng: Rng) -> str:
        for name, content in files.items():
            (path / name).write_bytes(content)
        if rng.random() > STRUCTURED:
            name = rng.choice(names)
            (path / name).write_bytes(bytes_changed(files[name], rng))
        else:
            header, arrays, text = copy.deepcopy(header0), dict(arrays0), files["chip.toml"].decode()
            kind = rng.random()
            if kind < 0.6:
                header_changed(header, rng)
            elif kind < 0.9:
                array_changed(arrays, rng)
            else:
                text = words_changed(text, rng)
            stamp_run(header, text, arrays)
            (path / "run.json").write_text(json.dumps(header))
            (path / "spikes.npz").write_bytes(packed(None, arrays))
            (path / "chip.toml").write_text(text)
        run = ne.load_run(path)
        str(ne.report(run))
        json.dumps(ne.report(run).as_dict())
        run.differs(whole)
        whole.differs(run)
        return "read"

    return use


def memories(_: Path) -> Use:
    """What a run leaves behind, given to the next one and stored in an image."""
    given = case("online")
    image, events = given.image(), given.stimulus()
    how: dict[str, Any] = {"engine": "python", "plastic": True, "commit_every": given.commit_every}
    memory = ne.run(image, events, **how).memory

    def use(rng: Rng) -> str:
        arrays = {f"weights.{name}": array for name, array in memory.weights.items()}
        arrays |= {f"registers.{name}": array for name, array in memory.registers.items()}
        array_changed(arrays, rng)
        parts: dict[str, dict[str, np.ndarray]] = {"weights": {}, "registers": {}}
        for name, array in arrays.items():
            kind, _, key = name.partition(".")
            parts.setdefault(kind, {})[key] = array
        changed = ne.Memory(parts["weights"], parts["registers"], memory.commits)
        ne.run(image, events.slice(0, 1), start=changed, **how)
        assert ne.with_memory(image, changed).digest
        return "ran"

    return use


def checkpoints_(folder: Path) -> Use:
    """A training's checkpoint; what is read is put into the image that it is of."""
    given, path = case("online"), folder / "c.npz"
    image = given.image()
    run = ne.run(image, given.stimulus(), engine="python", plastic=True, commit_every=given.commit_every)
    identity = {"image": image.digest, "seed": 3}
    checkpoints.save(path, identity, TrainingState(run.memory, 0, 3, 1, run.counts.table, 1.5))
    return archive(
        path, stamp_checkpoint, lambda: ne.with_memory(image, checkpoints.load(path, identity, 10).memory).digest
    )


def watches(folder: Path) -> Use:
    """The recording of a watch."""
    path = folder / "w.npz"
    header = {
        "format": 1, "weights": ["p"], "registers": ["out.v"], "angles": [["a", ["b", "c"]]], "every": 20, "most_bytes": 1 << 20,
        "stride": 1, "due": 3, "thresholds": vars(ne.Watch().thresholds),
        "findings": [{"kind": "dead", "place": "out", "value": 1.0, "limit": 0.5, "text": "x"}],
    }  # fmt: skip
    arrays = {
        "presentations": np.array([0, 20, 40]), "weight.p": np.zeros((3, 6), np.int64), "rate.out": np.zeros((3, 4)),
        "register.out.v": np.zeros((3, 4), np.int64), "saturation.p": np.zeros(3, np.int64), "angle.a": np.zeros(3),
    }  # fmt: skip
    path.write_bytes(packed(header, arrays))

    def read() -> None:
        watch = ne.Watch.load(path)
        json.dumps(watch.as_dict())
        assert watch.rates is not None

    return archive(path, lambda *_: None, read)


def archive(path: Path, stamp: Callable[..., None], read: Callable[[], object]) -> Use:
    """An archive with a header, changed and read."""
    whole, (header0, arrays0) = path.read_bytes(), image_parts(path)

    def use(rng: Rng) -> str:
        if rng.random() > STRUCTURED:
            path.write_bytes(bytes_changed(whole, rng))
        else:
            header, arrays = copy.deepcopy(header0), dict(arrays0)
            if rng.random() < 0.6:
                header_changed(header, rng)
            else:
                array_changed(arrays, rng)
            stamp(header, arrays)
            path.write_bytes(packed(header, arrays))
        read()
        return "read"

    return use


# ---- recordings
def recordings(folder: Path) -> Use:
    """A recording, its header and blocks changed with every check made right; what is short is replayed."""
    given, path = case("delayed"), folder / "a.aer"
    image = given.image()
    ne.run(image, given.stimulus().slice(0, 2), engine="python", record=path)
    whole = path.read_bytes()
    header0, *blocks0, _ = msgpack.Unpacker(path.open("rb"))

    def rewritten(rng: Rng) -> bytes:
        header, blocks = copy.deepcopy(header0), copy.deepcopy(blocks0)
        if rng.random() < 0.5:
            header_changed(header, rng)
        else:
            header_changed({"blocks": blocks}, rng)
        return recording_of(header, blocks)

    def use(rng: Rng) -> str:
        try:
            content = bytes_changed(whole, rng) if rng.random() > STRUCTURED else rewritten(rng)
        except OverflowError:  # a number that no msgpack holds
            return "not a file"
        path.write_bytes(content)
        lenient = ne.open_recording(path, strict=False)
        assert sum(len(block) for block in lenient) == lenient.packets
        strict = ne.open_recording(path)
        for _ in strict:
            pass
        if strict.header.presentations * strict.header.ticks <= LONGEST:
            ne.replay(path, image, engine="python")
        return "read"

    return use


def recording_of(header: Any, blocks: list[Any]) -> bytes:
    """A recording whose checks and end are right, as far as what it holds lets them be."""
    out = msgpack.packb(header)
    sha, n = hashlib.sha256(out), 0
    for block in blocks:
        if isinstance(block, list) and block and all(isinstance(column, bytes) for column in block[1:]):
            for column in block[1:-1]:
                sha.update(column)
            block[-1] = sha.digest()[:8]
            n += block[0] if type(block[0]) is int else 0
        out += msgpack.packb(block)
    return out + msgpack.packb({"packets": n, "sha256": sha.digest()})


KINDS: dict[str, Callable[[Path], Use]] = {
    "image": images, "run": runs, "memory": memories, "checkpoint": checkpoints_, "watch": watches, "recording": recordings,
    "datasheet": datasheets, "firmware": firmware, "plan": plans, "idx": idx_files, "arrays": arrays, "nir": nir_files,
}  # fmt: skip
"""By what the files are."""
