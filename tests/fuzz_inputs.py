"""Files that users bring, as fuzzing changes them: datasheets, programs, plans, arrays, data sets and NIR files (see fuzz_kinds)."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from foreign import packed
from mutants import array_changed, bytes_changed, words_changed

import neuroemu as ne
from neuroemu.base.formats import read_arrays, read_labels
from neuroemu.chip.chip import parse_chip
from neuroemu.language.check import check_program
from neuroemu.language.program import hook_lines, python_hooks, specialize
from neuroemu.language.reader import read_programs
from neuroemu.learning.training_plan import load_plan

Rng = random.Random
Use = Callable[[Rng], str]
ROOT = Path(__file__).parent.parent
STRUCTURED = 0.8
"""Share of mutants that are whole files with wrong values; the others are damaged bytes."""


# ---- texts
def datasheets(_: Path) -> Use:
    """The shipped chips; what is read compiles and runs a network, timed on its network-on-chip."""
    texts = [path.read_text() for path in sorted((ROOT / "cores").glob("*.toml"))]
    network = ne.Network(
        [ne.Population("in", 4, ne.HostInput()), ne.Population("o", 3, ne.LIF(0.002, 1.0)),
         ne.Population("q", 3, ne.CubaLIF(0.002, 0.004, 1.0))],
        [ne.Projection("in", "o", np.eye(4, 3)), ne.Projection("o", "q", np.eye(3, 3))],
        ["q"],
    )  # fmt: skip
    inputs = np.ones((5, 1, 4), np.uint8)

    def use(rng: Rng) -> str:
        chip = parse_chip(words_changed(rng.choice(texts), rng), "x.toml")
        ne.chip_facts(chip)
        str(ne.report(ne.run(ne.compile(network, chip), inputs, engine="event")))
        return "ran"

    return use


def firmware(_: Path) -> Use:
    """The shipped programs and those of the tests; what is accepted becomes Python and lines of a kernel."""
    files = [*sorted((ROOT / "firmware").glob("*/*.py")), *sorted((ROOT / "tests" / "firmware").glob("*.py"))]
    texts, chip = [path.read_text() for path in files], ne.load_chip("generic45")

    def use(rng: Rng) -> str:
        for program in read_programs(words_changed(rng.choice(texts), rng), "p.py", "p").values():
            program = specialize(program, {})
            widths = check_program(program, chip).widths
            python_hooks(program)
            for hook in program.hooks:
                known = {name: widths[name.removesuffix("_width")] for name in program.of_kind("width")}
                hook_lines(program, hook, "x_", {}, known, False)
        return "read"

    return use


PLAN = """chip = "generic45"
layers = [64, 8, 10]
[data]
name = "digits"
encoder = "ttfs"
ticks = 4
train = 3
options = {}
[rule]
name = "sfdfa"
options = { seed = 1 }
[training]
epochs = 1
commit_every = 2
lanes = 1
seed = 3
engine = "python"
frozen = []
patience = 2
every_s = 0.5
[schedule]
"p.rate" = { 0 = 5, 2 = 4 }
[watch]
weights = []
registers = []
every = 1
[write]
history = "h.csv"
"""


def plans(folder: Path) -> Use:
    """A training's plan, read and not trained."""
    path = folder / "plan.toml"

    def use(rng: Rng) -> str:
        path.write_bytes(words_changed(PLAN, rng).encode("utf-8", "surrogatepass"))
        load_plan(path)
        return "read"

    return use


# ---- arrays
def idx_files(folder: Path) -> Use:
    """A folder of four IDX files, plain or packed."""
    images = struct.pack(">IIII", 0x803, 5, 4, 4) + bytes(range(80))
    labels = struct.pack(">II", 0x801, 5) + bytes([0, 1, 2, 1, 0])

    def use(rng: Rng) -> str:
        pack = rng.random() < 0.3
        for part in ("train", "t10k"):
            for name, whole, share in (("images-idx3-ubyte", images, 0.6), ("labels-idx1-ubyte", labels, 0.3)):
                content = bytes_changed(whole, rng) if rng.random() < share else whole
                content = gzip.compress(content, 1) if pack else content
                content = bytes_changed(content, rng) if rng.random() < 0.05 else content
                path = folder / f"{part}-{name}"
                path.unlink(missing_ok=True)
                path.with_suffix(".gz").unlink(missing_ok=True)
                (path.with_suffix(".gz") if pack else path).write_bytes(content)
        ne.load_dataset(folder)
        return "read"

    return use


def arrays(folder: Path) -> Use:
    """Inputs, labels and data sets as .npy and .npz."""
    rng0 = np.random.default_rng(1)
    spikes = (rng0.random((20, 3, 4)) < 0.5).astype(np.uint8)
    base = {
        "x": np.arange(48).reshape(12, 2, 2), "y": np.arange(12) % 3, "input": spikes, "labels": np.arange(3),
    }  # fmt: skip

    def use(rng: Rng) -> str:
        changed = dict(base)
        if rng.random() < STRUCTURED:
            array_changed(changed, rng)
        content = packed(None, changed)
        path = folder / "x.npz"
        name = rng.choice(sorted(changed))
        path.write_bytes(bytes_changed(content, rng) if rng.random() < 0.5 else content)
        single = folder / "x.npy"
        np.save(single, changed[name])
        if rng.random() < 0.5:
            single.write_bytes(bytes_changed(single.read_bytes(), rng))
        readers: tuple[Callable[[], object], ...] = (
            lambda: ne.load_dataset(path),
            lambda: ne.stimulus(read_arrays(single), {"in": 4}),
            lambda: read_labels(single),
            lambda: ne.stimulus({"in": named(read_arrays(path), "input")}, {"in": 4}),
        )
        rng.choice(readers)()
        return "read"

    return use


def named(found: Any, name: str) -> Any:
    """One array of several, or what there is."""
    return found.get(name, found) if isinstance(found, dict) else found


def nir_files(folder: Path) -> Use:
    """NIR files of two frameworks, dense and convolutional; what is read compiles."""
    path, chip = folder / "n.nir", ne.load_chip("generic45")
    files = [next((ROOT / "tests" / "data" / "nir").glob(f"{number}_*")) / "model.nir" for number in ("01c", "08")]
    wholes = [file.read_bytes() for file in files]

    def use(rng: Rng) -> str:
        whole = rng.choice(wholes)
        path.write_bytes(whole)
        if rng.random() < 0.5:
            hdf5_changed(path, rng)
        else:
            path.write_bytes(bytes_changed(whole, rng))
        ne.compile(ne.read_nir(path), chip)
        return "read"

    return use


def hdf5_changed(path: Path, rng: Rng) -> None:
    """One array of an HDF5 file exchanged for another value, shape or type, or lost."""
    with h5py.File(path, "a") as file:
        places: list[str] = []
        file.visititems(lambda name, item: places.append(name) if isinstance(item, h5py.Dataset) else None)
        place = rng.choice(places)
        value = np.asarray(file[place][()])
        del file[place]
        kind = rng.randrange(8)
        if kind == 0:
            file.create_dataset(place, (10**10,), "f4", chunks=(64,))
        elif kind == 1:
            file[place] = rng.choice(["LIF", "Conv2d", "NIRGraph", "x", "", "same", "valid"])
        elif kind == 2 and value.dtype.kind in "iuf":
            far = rng.choice([-1, 0, 1, 2, 1 << 20, 1 << 31, 1 << 40, -(1 << 62), 1e300, float("nan"), float("inf")])
            file[place] = np.full(value.shape, far)
        elif kind == 3 and value.dtype.kind in "iuf" and value.size:
            flat = value.copy().ravel()
            flat[rng.randrange(flat.size)] = rng.choice([0, -1, 2, 100])
            file[place] = flat.reshape(value.shape)
        elif kind == 4:
            file[place] = np.zeros((2, 3, 1)) if rng.random() < 0.5 else np.zeros(0)
        elif kind == 5 and value.ndim:
            file[place] = value[:-1]
        elif kind == 6:
            file[place] = value.astype(complex) if value.dtype.kind in "iuf" else value
