"""The image: a network as one chip holds it. Integers, tables, routing, the datasheet and the program sources; nothing else.

An image runs on every engine, is priced without the files it was made from, and is known by its digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import FileError, NeuroemuError
from neuroemu.base.files import load_arrays, write_whole
from neuroemu.base.shelf import unknown
from neuroemu.chip.chip import Chip, parse_chip
from neuroemu.chip.width import Bits
from neuroemu.image.loss import Loss
from neuroemu.image.neighbours import Rivals
from neuroemu.image.parts import HOST as HOST
from neuroemu.image.parts import ImagePopulation as ImagePopulation
from neuroemu.image.parts import ImageProjection as ImageProjection
from neuroemu.image.parts import Params as Params
from neuroemu.image.parts import Part as Part
from neuroemu.image.parts import Routing as Routing
from neuroemu.image.parts import Slice as Slice
from neuroemu.image.parts import ranges as ranges
from neuroemu.language.frozen import without_learning
from neuroemu.language.language import Program
from neuroemu.language.program import parse_program, specialize
from neuroemu.network.network import Modulator
from neuroemu.network.network import Phase as Phase

FORMAT = 1
SYNAPSE_ID0 = 1 << 32
"""Neuron ids count from 0, synapse ids from here: the two ranges never meet."""


@dataclass(frozen=True, eq=False)
class Image:
    """A network compiled for a chip."""

    chip_text: str
    chip_path: str
    programs: dict[str, tuple[str, str]]
    """Program name to (path it came from, source text)."""
    populations: tuple[ImagePopulation, ...]
    projections: tuple[ImageProjection, ...]
    routing: Routing
    outputs: tuple[int, ...]
    probes: tuple[tuple[int, str], ...]
    lag: int
    aligned: bool
    phases: tuple[Phase, ...] = ()
    modulators: tuple[Modulator, ...] = ()
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()
    conventions: dict[str, Any] = field(default_factory=dict)
    registers: Mapping[str, Ints] = field(default_factory=dict)
    """Start values of lasting registers that are not their program's, by ``owner.register``: what a trained image has learned."""
    assumed: tuple[str, ...] = ()
    """Features the chip was assumed to have, though no source states them."""

    @cached_property
    def chip(self) -> Chip:
        """The chip it was compiled for, from the embedded datasheet."""
        return parse_chip(self.chip_text, self.chip_path).assuming(self.assumed)

    def population(self, name: str) -> ImagePopulation:
        """The population of that name."""
        for population in self.populations:
            if population.name == name:
                return population
        raise unknown("population", name, [population.name for population in self.populations])

    def program_of(self, owner: ImagePopulation | ImageProjection) -> Program | None:
        """The owner's program with its switches folded; of a frozen owner, what is left of it without learning."""
        if owner.program is None:
            return None
        key = (owner.program, tuple(sorted(owner.switches.items())), owner.frozen)
        if key not in self._parsed:
            path, source = self.programs[owner.program]
            name = Path(owner.program).name.replace(".py.", ".").removesuffix(".py")
            program = specialize(parse_program(source, path, name), owner.switches)
            self._parsed[key] = without_learning(program) if owner.frozen else program
        return self._parsed[key]

    @cached_property
    def _parsed(self) -> dict[tuple[str, tuple[tuple[str, int], ...], bool], Program]:
        return {}

    def __repr__(self) -> str:
        neurons = sum(population.n for population in self.populations if not population.is_host)
        synapses = sum(part.post.size for projection in self.projections for part in projection.parts)
        return f"Image({neurons} neurons and {synapses} synapses on {self.n_cores} of {self.chip.n_cores} cores of {self.chip.name!r})"

    @cached_property
    def n_cores(self) -> int:
        """Cores that hold neurons."""
        return len({part.core for population in self.populations for part in population.slices})

    @cached_property
    def n_tiles(self) -> int:
        """Tiles that hold neurons."""
        return len({self.chip.tile(part.core) for population in self.populations for part in population.slices})

    @cached_property
    def usage(self) -> dict[int, dict[str, int]]:
        """What each core holds: neurons, axons_in, axons_out, synapse_words, by core."""
        used: dict[int, dict[str, int]] = {}
        for population in self.populations:
            for piece in population.slices:
                here = used.setdefault(
                    piece.core, dict.fromkeys(("neurons", "axons_in", "axons_out", "synapse_words"), 0)
                )
                here["neurons"] += piece.high - piece.low
        for core, n in zip(*np.unique(self.routing.axon_core, return_counts=True), strict=True):
            used[int(core)]["axons_in"] = int(n)
        for (number, _), (indptr, _axons) in self.routing.entries.items():
            cores = self.populations[number].core_of
            for core in np.unique(cores[cores != HOST]):
                used[int(core)]["axons_out"] += int(np.diff(indptr)[cores == core].sum())
        for projection in self.projections:
            cores = self.populations[projection.post].core_of
            bits = synapse_bits(self.chip, self.program_of(projection), projection.widths)
            for part in projection.parts:
                at = cores[part.post]
                for core in np.unique(at):
                    rows = np.bincount(part.pre[at == core])
                    if part.kernel is not None:
                        rows = np.array([np.unique(part.kernel[at == core]).size])
                    used[int(core)]["synapse_words"] += int(np.sum(-(-rows * bits // self.chip.word_bits)))
        return dict(sorted(used.items()))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that can change a bit or a count, as hexadecimal digits."""
        header, arrays = _pack(self)
        for key in ("losses", "notes", "conventions", "chip_path"):
            header.pop(key)
        header["programs"] = {name: source for name, (_, source) in self.programs.items()}
        sha = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        for name in sorted(arrays):
            sha.update(f"{name}{arrays[name].dtype.str}{arrays[name].shape}".encode())
            sha.update(np.ascontiguousarray(arrays[name]).tobytes())
        return sha.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the image to one file (a zip of JSON and NumPy arrays), whole or not at all.

        An earlier file is replaced. Raises FileError.
        """
        header, arrays = _pack(self)
        header["digest"] = self.digest
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays
        )
        write_whole(Path(path), buffer.getvalue())


def synapse_bits(chip: Chip, rule: Program | None, widths: Mapping[str, Bits]) -> int:
    """Bits of a synapse in memory: its weight and the rule's synapse registers."""
    weight = chip.weight_width
    registers = rule.registers.values() if rule else ()
    return weight.bits + sum(widths[r.name].bits for r in registers if r.level == "synapse" and r.kind != "weight")


def load_image(path: str | os.PathLike[str]) -> Image:
    """Read an image. Raises FileError if the file is not one, is damaged, or is of another format version."""
    try:
        arrays = load_arrays(path)
        if not isinstance(arrays, dict):
            raise ValueError("one bare array")
        header = json.loads(arrays.pop("header").tobytes())
        version = header.pop("format")
        digest = header.pop("digest")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); give the path of an image") from None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise FileError(f"{path}: is not an image; make one with `neuroemu compile`") from None
    if version != FORMAT:
        raise FileError(
            f"{path}: image format {version}, this neuroemu reads format {FORMAT}; compile the network again"
        )
    try:
        image = _unpack(header, arrays)
        actual = image.digest
    except (NeuroemuError, KeyError, ValueError, TypeError, IndexError, AttributeError):
        raise FileError(f"{path}: the image is damaged; compile the network again") from None
    if actual != digest:
        raise FileError(
            f"{path}: the image is damaged (digest {actual[:12]}, it states {str(digest)[:12]}); compile the network again"
        )
    return image


# ---- to and from JSON and arrays
def _pack(image: Image) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    arrays: dict[str, NDArray[Any]] = {}

    def params(prefix: str, values: Params) -> dict[str, int | str]:
        packed: dict[str, int | str] = {}
        for name, value in values.items():
            if isinstance(value, int):
                packed[name] = value
            else:
                arrays[f"{prefix}.{name}"] = value
                packed[name] = f"{prefix}.{name}"
        return packed

    populations = []
    for number, population in enumerate(image.populations):
        entry = {
            "name": population.name,
            "shape": list(population.shape),
            "id0": population.id0,
            "program": population.program,
            "switches": population.switches,
            "params": params(f"population{number}.param", population.params),
            "widths": {name: list(bits) for name, bits in population.widths.items()},
            "age": population.age,
            "enable": population.enable,
            "slices": [[s.core, s.low, s.high, s.slot] for s in population.slices],
            "compete": population.compete,
            "groups": population.groups is not None,
            **({"frozen": True} if population.frozen else {}),
        }
        if population.groups is not None:
            arrays[f"population{number}.groups"] = population.groups
        for flag, (first, rivals) in (population.rivals or {}).items():
            arrays[f"population{number}.first.{flag}"], arrays[f"population{number}.rivals.{flag}"] = first, rivals
        if population.rivals is not None:
            entry["rivals"] = True
        populations.append(entry)
    projections = []
    for number, projection in enumerate(image.projections):
        for place, part in enumerate(projection.parts):
            for name in ("indptr", "post", "weight", "ids"):
                arrays[f"projection{number}.{place}.{name}"] = getattr(part, name)
            if part.kernel is not None:
                arrays[f"projection{number}.{place}.kernel"] = part.kernel
        projections.append(
            {
                "name": projection.name,
                "pre": projection.pre,
                "post": projection.post,
                "routes": {channel: [list(entry) for entry in ports] for channel, ports in projection.routes.items()},
                "program": projection.program,
                "params": params(f"projection{number}.param", projection.params),
                "widths": {name: list(bits) for name, bits in projection.widths.items()},
                "delays": [part.delay for part in projection.parts],
                **({"view": list(projection.view)} if projection.view else {}),
                **({"frozen": True} if projection.frozen else {}),
                **({"switches": dict(projection.switches)} if projection.switches else {}),
            }
        )
    for name in ("axon_core", "axon_index", "axon_population", "axon_neuron"):
        arrays[f"routing.{name}"] = getattr(image.routing, name)
    for (number, channel), (indptr, axons) in image.routing.entries.items():
        arrays[f"entries.{number}.{channel}.indptr"], arrays[f"entries.{number}.{channel}.axons"] = indptr, axons
    header = {
        "format": FORMAT,
        "chip_text": image.chip_text,
        "chip_path": image.chip_path,
        "programs": {name: list(pair) for name, pair in image.programs.items()},
        "populations": populations,
        "projections": projections,
        "entries": [[number, channel] for number, channel in image.routing.entries],
        "outputs": list(image.outputs),
        "probes": [list(probe) for probe in image.probes],
        "lag": image.lag,
        "aligned": image.aligned,
        "phases": [asdict(phase) for phase in image.phases],
        "modulators": [asdict(modulator) for modulator in image.modulators],
        "losses": [asdict(loss) for loss in image.losses],
        "notes": list(image.notes),
        "conventions": image.conventions,
        "registers": sorted(image.registers),
    }
    arrays |= {f"register.{name}": np.asarray(values, np.int64) for name, values in image.registers.items()}
    if image.assumed:
        header["assumed"] = list(image.assumed)
    return header, arrays


def _rivals(arrays: Mapping[str, NDArray[Any]], number: int, entry: Mapping[str, Any]) -> dict[str, Rivals]:
    name = f"population{number}"
    return {flag: Rivals(arrays[f"{name}.first.{flag}"], arrays[f"{name}.rivals.{flag}"]) for flag in entry["compete"]}


def _unpack(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Image:
    def params(packed: dict[str, Any]) -> Params:
        return {name: value if isinstance(value, int) else arrays[value] for name, value in packed.items()}

    def widths(packed: dict[str, Any]) -> dict[str, Bits]:
        return {name: Bits(*bits) for name, bits in packed.items()}

    populations = tuple(
        ImagePopulation(
            name=entry["name"],
            shape=tuple(entry["shape"]),
            id0=entry["id0"],
            program=entry["program"],
            switches=entry["switches"],
            params=params(entry["params"]),
            widths=widths(entry["widths"]),
            age=entry["age"],
            enable=entry["enable"],
            slices=tuple(Slice(*values) for values in entry["slices"]),
            compete=entry["compete"],
            groups=arrays[f"population{number}.groups"] if entry["groups"] else None,
            frozen=entry.get("frozen", False),
            rivals=_rivals(arrays, number, entry) if "rivals" in entry else None,
        )
        for number, entry in enumerate(header["populations"])
    )
    projections = tuple(
        ImageProjection(
            name=entry["name"],
            pre=entry["pre"],
            post=entry["post"],
            routes={channel: tuple((port, mode) for port, mode in ports) for channel, ports in entry["routes"].items()},
            program=entry["program"],
            params=params(entry["params"]),
            widths=widths(entry["widths"]),
            parts=tuple(
                Part(
                    delay,
                    arrays[f"projection{number}.{place}.indptr"],
                    arrays[f"projection{number}.{place}.post"],
                    arrays[f"projection{number}.{place}.weight"],
                    arrays[f"projection{number}.{place}.ids"],
                    arrays.get(f"projection{number}.{place}.kernel"),
                )
                for place, delay in enumerate(entry["delays"])
            ),
            view=tuple(entry["view"]) if "view" in entry else None,
            frozen=entry.get("frozen", False),
            switches=entry.get("switches", {}),
        )
        for number, entry in enumerate(header["projections"])
    )
    entries = {
        (number, channel): (arrays[f"entries.{number}.{channel}.indptr"], arrays[f"entries.{number}.{channel}.axons"])
        for number, channel in header["entries"]
    }
    routing = Routing(
        arrays["routing.axon_core"],
        arrays["routing.axon_index"],
        arrays["routing.axon_population"],
        arrays["routing.axon_neuron"],
        entries,
    )
    return Image(
        chip_text=header["chip_text"],
        chip_path=header["chip_path"],
        programs={name: (path, source) for name, (path, source) in header["programs"].items()},
        populations=populations,
        projections=projections,
        routing=routing,
        outputs=tuple(header["outputs"]),
        probes=tuple((number, register) for number, register in header["probes"]),
        lag=header["lag"],
        aligned=header["aligned"],
        phases=tuple(Phase(**phase) for phase in header["phases"]),
        modulators=tuple(Modulator(**modulator) for modulator in header["modulators"]),
        losses=tuple(Loss(**loss) for loss in header["losses"]),
        notes=tuple(header["notes"]),
        conventions=header["conventions"],
        registers={name: arrays[f"register.{name}"] for name in header["registers"]},
        assumed=tuple(header.get("assumed", ())),
    )
