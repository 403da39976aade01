"""Read an image from its file: a foreign file is data, so every value is checked before anything is made of it.

First the header's types and ranges and the arrays' shapes (here), then the digest, then whether all of it holds together
(``validate``). What passes runs; what does not is refused in one sentence that names the value.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError, NeuroemuError
from neuroemu.base.fields import Arrays, Field, WrongFieldError, shown
from neuroemu.base.reading import MOST_TEXT, load_arrays, read_json
from neuroemu.chip.aer import CHANNELS
from neuroemu.chip.width import Bits
from neuroemu.image.image import (
    FORMAT,
    MOST_NEURONS,
    Image,
    ImagePopulation,
    ImageProjection,
    Params,
    Part,
    Phase,
    Routing,
    Slice,
)
from neuroemu.image.loss import Loss
from neuroemu.image.neighbours import Rivals
from neuroemu.image.validate import validate
from neuroemu.language.isa import MAX_TICKS
from neuroemu.network.network import Modulator

MOST_CORES = 1 << 32
"""What the core field of a key can number."""
MODES = ("weight", "weight*payload")
_HEADER = (
    "chip_text", "chip_path", "programs", "populations", "projections", "entries", "outputs", "probes", "lag", "aligned", "phases",
    "modulators", "losses", "notes", "conventions", "registers",
)  # fmt: skip
_POPULATION = (
    "name", "shape", "id0", "program", "switches", "params", "widths", "age", "enable", "slices", "compete", "groups",
)  # fmt: skip
_PROJECTION = ("name", "pre", "post", "routes", "program", "params", "widths", "delays")
_INT32, _INT64 = 1 << 31, 1 << 63


def load_image(path: str | os.PathLike[str]) -> Image:
    """Read an image. Raises FileError if the file is not one, is damaged, is of another format version, or holds a value that no
    compiled image has."""
    try:
        arrays = load_arrays(path)
        if not isinstance(arrays, dict):
            raise ValueError("one bare array")
        header = read_json(path, arrays.pop("header").tobytes())
        version = header.pop("format")
        digest = header.pop("digest")
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); give the path of an image") from None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise FileError(f"{path}: is not an image; make one with `neuroemu compile`") from None
    if type(version) is not int or version != FORMAT:
        raise FileError(
            f"{path}: image format {shown(version)}, this neuroemu reads format {FORMAT}; compile the network again"
        )
    return _checked(path, header, arrays, digest)


def _checked(
    path: str | os.PathLike[str], header: dict[str, Any], arrays: dict[str, NDArray[Any]], digest: object
) -> Image:
    try:
        image = _Reader(Field(header, ""), arrays).image()
        actual = image.digest
        if actual == digest:
            validate(image)
    except WrongFieldError as error:
        raise FileError(f"{path}: the image is damaged, {error}; compile the network again") from None
    except NeuroemuError as error:  # of its datasheet or a program
        raise FileError(f"{path}: what the image holds is refused: {error}") from None
    if actual != digest:
        raise FileError(
            f"{path}: the image is damaged (digest {actual[:12]}, it states {str(digest)[:12]}); compile the network again"
        )
    return image


class _Reader:
    """The parts of an image, out of a header and arrays of which nothing is taken for granted."""

    def __init__(self, header: Field, arrays: dict[str, NDArray[Any]]) -> None:
        self.fields = header.table(_HEADER, ("assumed",))
        self.arrays = Arrays(arrays)

    def image(self) -> Image:
        fields = self.fields
        populations = tuple(self.population(k, entry) for k, entry in enumerate(fields["populations"].items()))
        if sum(population.n for population in populations) > MOST_NEURONS:
            raise WrongFieldError(f"its populations have more than {MOST_NEURONS} neurons together")
        image = Image(
            chip_text=fields["chip_text"].text(MOST_TEXT),
            chip_path=fields["chip_path"].text(),
            programs={name: self.program(pair) for name, pair in fields["programs"].mapping().items()},
            populations=populations,
            projections=tuple(
                self.projection(k, entry, populations) for k, entry in enumerate(fields["projections"].items())
            ),
            routing=self.routing(populations),
            outputs=tuple(entry.integer(0, len(populations) - 1) for entry in fields["outputs"].items()),
            probes=tuple(self.probe(entry, len(populations)) for entry in fields["probes"].items()),
            lag=fields["lag"].integer(0, MAX_TICKS),
            aligned=fields["aligned"].flag(),
            phases=tuple(_phase(entry) for entry in fields["phases"].items()),
            modulators=tuple(_modulator(entry) for entry in fields["modulators"].items()),
            losses=tuple(_loss(entry) for entry in fields["losses"].items()),
            notes=tuple(entry.text() for entry in fields["notes"].items()),
            conventions={name: value.plain() for name, value in fields["conventions"].mapping().items()},
            registers={entry.text(): self.register(entry.text()) for entry in fields["registers"].items()},
            assumed=tuple(entry.text() for entry in fields["assumed"].items()) if "assumed" in fields else (),
        )
        self.arrays.rest()
        return image

    @staticmethod
    def program(pair: Field) -> tuple[str, str]:
        path, source = pair.items(2)
        return path.text(), source.text(MOST_TEXT)

    @staticmethod
    def probe(entry: Field, n: int) -> tuple[int, str]:
        number, register = entry.items(2)
        return number.integer(0, n - 1), register.name()

    def register(self, name: str) -> NDArray[np.int64]:
        array = f"register.{name}"
        given = self.arrays.arrays.get(array)
        return self.arrays.take(array, np.int64, (None,) * (given.ndim if given is not None else 1))

    def params(self, prefix: str, field: Field) -> Params:
        """Parameters: a whole number, or the name of the array that holds one a neuron."""
        found: Params = {}
        for name, value in field.mapping().items():
            Field(name, f"{field.place}: the key").name()
            array = f"{prefix}.{name}"
            if type(value.value) is int:
                found[name] = value.integer(-_INT64, _INT64 - 1)
            elif value.value == array:
                found[name] = self.arrays.take(array, np.int64, (None,))
            else:
                raise value.wrong(f"a whole number or '{array}'")
        return found

    def population(self, number: int, entry: Field) -> ImagePopulation:
        fields = entry.table(_POPULATION, ("frozen", "rivals"))
        tag = f"population{number}"
        sizes = tuple(size.integer(1, MOST_NEURONS) for size in fields["shape"].items())
        n = 1
        for size in sizes:
            n *= size
        if not 1 <= len(sizes) <= 32 or n > MOST_NEURONS:
            raise fields["shape"].wrong(f"1 to 32 sizes of together at most {MOST_NEURONS} neurons")
        compete = {
            Field(flag, f"{fields['compete'].place}: the key").name(): register.name()
            for flag, register in fields["compete"].mapping().items()
        }
        return ImagePopulation(
            name=fields["name"].text(),
            shape=sizes,
            id0=fields["id0"].integer(0, MOST_NEURONS),
            program=None if fields["program"].value is None else fields["program"].text(),
            switches=_switches(fields["switches"]),
            params=self.params(f"{tag}.param", fields["params"]),
            widths=_widths(fields["widths"]),
            age=fields["age"].integer(0, MAX_TICKS),
            enable=fields["enable"].integer(0, MAX_TICKS),
            slices=tuple(_slice(part, n) for part in fields["slices"].items()),
            compete=compete,
            groups=self.arrays.take(f"{tag}.groups", np.int64, (n,)) if fields["groups"].flag() else None,
            frozen=_stated(fields, "frozen"),
            rivals={flag: self.rivals(tag, flag, n) for flag in compete} if _stated(fields, "rivals") else None,
        )

    def rivals(self, tag: str, flag: str, n: int) -> Rivals:
        take: Callable[..., Any] = self.arrays.take
        return Rivals(take(f"{tag}.first.{flag}", np.int64, (n + 1,)), take(f"{tag}.rivals.{flag}", np.int64, (None,)))

    def projection(self, number: int, entry: Field, populations: tuple[ImagePopulation, ...]) -> ImageProjection:
        fields = entry.table(_PROJECTION, ("view", "frozen", "switches"))
        last = len(populations) - 1
        pre, post = fields["pre"].integer(0, last), fields["post"].integer(0, last)
        delays = [delay.integer(0, MAX_TICKS) for delay in fields["delays"].items()]
        routes = {
            Field(channel, f"{fields['routes'].place}: the key").choice(CHANNELS): tuple(
                _route(port) for port in ports.items()
            )
            for channel, ports in fields["routes"].mapping().items()
        }
        return ImageProjection(
            name=fields["name"].text(),
            pre=pre,
            post=post,
            routes=routes,
            program=None if fields["program"].value is None else fields["program"].text(),
            params=self.params(f"projection{number}.param", fields["params"]),
            widths=_widths(fields["widths"]),
            parts=tuple(
                self.part(f"projection{number}.{place}", delay, populations[pre].n)
                for place, delay in enumerate(delays)
            ),
            view=_view(fields["view"]) if "view" in fields else None,
            frozen=_stated(fields, "frozen"),
            switches=_switches(fields["switches"]) if "switches" in fields else {},
        )

    def part(self, tag: str, delay: int, n_pre: int) -> Part:
        take = self.arrays.take
        post = take(f"{tag}.post", np.int32, (None,))
        n = post.size
        kernel = take(f"{tag}.kernel", np.int32, (n,)) if f"{tag}.kernel" in self.arrays.arrays else None
        indptr, weight = take(f"{tag}.indptr", np.int64, (n_pre + 1,)), take(f"{tag}.weight", np.int32, (n,))
        return Part(delay, indptr, post, weight, take(f"{tag}.ids", np.int64, (n,)), kernel)

    def routing(self, populations: tuple[ImagePopulation, ...]) -> Routing:
        take = self.arrays.take
        cores = take("routing.axon_core", np.int64, (None,))
        index, population, neuron = (
            take(f"routing.axon_{name}", np.int64, (cores.size,)) for name in ("index", "population", "neuron")
        )
        entries = {}
        for entry in self.fields["entries"].items():
            source, channel = entry.items(2)
            number, label = source.integer(0, len(populations) - 1), channel.choice(CHANNELS)
            tag = f"entries.{number}.{label}"
            indptr = take(f"{tag}.indptr", np.int64, (populations[number].n + 1,))
            entries[number, label] = (indptr, take(f"{tag}.axons", np.int64, (None,)))
        return Routing(cores, index, population, neuron, entries)


def _stated(fields: dict[str, Field], key: str) -> bool:
    """A flag that stands in a header only where it is true."""
    return key in fields and fields[key].flag()


def _switches(field: Field) -> dict[str, int]:
    return {name: value.integer(0, 1) for name, value in field.mapping().items()}


def _widths(field: Field) -> dict[str, Bits]:
    found = {}
    for name, pair in field.mapping().items():
        bits, wraps = pair.items(2)
        found[Field(name, f"{field.place}: the key").name()] = Bits(bits.integer(2, 64), wraps.integer(0, 1))
    return found


def _slice(field: Field, n: int) -> Slice:
    core, low, high, slot = field.items(4)
    return Slice(core.integer(0, MOST_CORES - 1), low.integer(0, n), high.integer(0, n), slot.integer(0, MOST_NEURONS))


def _route(field: Field) -> tuple[str, str]:
    port, mode = field.items(2)
    return port.name(), mode.choice(MODES)


def _view(field: Field) -> tuple[int, int, int]:
    shift, half, bits = field.items(3)
    return shift.integer(1, 31), half.integer(0, 1 << 30), bits.integer(2, 32)


def _phase(field: Field) -> Phase:
    fields = field.table(("number", "ticks", "learning", "until_quiet"))
    return Phase(
        fields["number"].integer(0, 255),
        fields["ticks"].integer(1, MAX_TICKS),
        fields["learning"].flag(),
        fields["until_quiet"].flag(),
    )


def _modulator(field: Field) -> Modulator:
    fields = field.table(("population", "tick"))
    return Modulator(fields["population"].text(), fields["tick"].integer(0, MAX_TICKS))


def _loss(field: Field) -> Loss:
    fields = field.table(Loss.__dataclass_fields__)
    numbers: dict[str, Any] = {name: value.number(finite=False) for name, value in fields.items() if name != "node"}
    return Loss(fields["node"].text(), **numbers)
