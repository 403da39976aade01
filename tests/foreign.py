"""Files as somebody else might write them: taken apart, changed, and put together again with a digest that is right.

So what refuses a changed file is the check of its values, not that of its digest. Nothing here calls the product's own packing.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]
LEFT_OUT = ("losses", "notes", "conventions", "chip_path", "digest", "format")
"""Of an image's header, by its digest."""


def image_parts(path: Path) -> Parts:
    """Header and arrays of an image, or of another archive with a header."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


def stamp_image(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Put the digest into an image's header that its content has."""
    covered = {key: value for key, value in header.items() if key not in LEFT_OUT} | {"format": header["format"]}
    programs = header.get("programs")
    if isinstance(programs, dict) and all(isinstance(pair, list) and len(pair) == 2 for pair in programs.values()):
        covered["programs"] = {name: pair[1] for name, pair in programs.items()}
    header["digest"] = _sha(json.dumps(covered, sort_keys=True), arrays)


def stamp_run(header: dict[str, Any], chip_text: str, arrays: dict[str, np.ndarray]) -> None:
    """Put the digest into a run's header that its folder's content has."""
    header.pop("digest", None)
    header["digest"] = _sha(json.dumps([header, chip_text], sort_keys=True), arrays)


def stamp_checkpoint(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Put the digest into a checkpoint's header that its memory has."""
    sha = hashlib.sha256(f"{header.get('commits')}".encode())
    for kind in ("weight.", "register."):
        for name in sorted(name for name in arrays if name.startswith(kind)):
            values = arrays[name]
            if values.dtype.kind in "iu":
                sha.update(name.removeprefix(kind).encode() + np.ascontiguousarray(values.astype(np.int64)).tobytes())
    header["digest"] = sha.hexdigest()


def _sha(text: str, arrays: dict[str, np.ndarray]) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}{arrays[name].dtype.str}{arrays[name].shape}".encode() + array.tobytes())
    return sha.hexdigest()


def packed(header: dict[str, Any] | None, arrays: dict[str, np.ndarray]) -> bytes:
    """The bytes of an archive with that header."""
    buffer = io.BytesIO()
    if header is not None:
        arrays = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays}
    np.savez(buffer, **arrays)
    return buffer.getvalue()
