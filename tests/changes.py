"""Changes of an image's header and arrays, by which tests make images that nobody compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cases import CASES
from foreign import image_parts, packed, stamp_image

import neuroemu as ne

Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]
CODE = "0\nimport os"


@cache
def image_of(name: str) -> ne.Image:
    """The case's image."""
    return CASES[name](np.random.default_rng(1)).image()


def changed(path: Path, name: str, change: Change) -> None:
    """The image of a case with something changed and the digest made right."""
    image_of(name).save(path)
    header, arrays = image_parts(path)
    change(header, arrays)
    stamp_image(header, arrays)
    path.write_bytes(packed(header, arrays))


def put(*keys: str | int, to: Any) -> Change:
    """Set the header's value at these keys."""

    def change(header: dict[str, Any], _: object) -> None:
        place: Any = header
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


def drop(*keys: str | int) -> Change:
    """Take the header's value at these keys out."""

    def change(header: dict[str, Any], _: object) -> None:
        place: Any = header
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def at(name: str, index: int, value: int) -> Change:
    """Set one entry of an array."""

    def change(_: object, arrays: dict[str, np.ndarray]) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return change


def made(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Make another array of one."""
    return lambda _, arrays: arrays.update({name: make(arrays[name])})


def without(name: str) -> Change:
    """Take an array out."""
    return lambda _, arrays: arrays.pop(name)


def nested(levels: int) -> Any:
    """A list in a list, and so on."""
    return [nested(levels - 1)] if levels else 1


def source(text: str) -> Change:
    """Another source text of the first program."""
    return lambda header, _: next(iter(header["programs"].values())).__setitem__(1, text)
