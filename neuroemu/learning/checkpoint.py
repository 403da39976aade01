"""A training's state in one file, written whole or not at all, so that a training that is killed goes on with the same bits."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import FileError
from neuroemu.base.fields import Arrays, Field, WrongFieldError
from neuroemu.base.files import write_whole
from neuroemu.base.reading import load_arrays, read_json
from neuroemu.image.memory import Memory
from neuroemu.learning.training import Epoch, TrainingState
from neuroemu.results.stored import counts_of

FORMAT = 2
_MOST = (1 << 63) - 1
_HEADER = ("format", "identity", "epoch", "position", "right", "wall_s", "commits", "counts", "history", "digest")


def save(path: Path, identity: Mapping[str, Any], state: TrainingState) -> None:
    """Write the state of the training that ``identity`` describes: whatever of it differs makes another training. Raises FileError."""
    header = {
        "format": FORMAT,
        "identity": identity,
        "epoch": state.epoch,
        "position": state.position,
        "right": state.right,
        "wall_s": state.wall_s,
        "commits": state.memory.commits,
        "counts": [[*where, n] for where, n in sorted(state.counts.items())],
        "history": [asdict(epoch) for epoch in state.history],
        "digest": state.memory.digest,
    }
    buffer = io.BytesIO()
    arrays = {f"weight.{name}": array for name, array in state.memory.weights.items()}
    arrays |= {f"register.{name}": array for name, array in state.memory.registers.items()}
    np.savez_compressed(
        buffer, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays
    )
    write_whole(path, buffer.getvalue())


def load(path: Path, identity: Mapping[str, Any], samples: int) -> TrainingState:
    """Read the state of the training that ``identity`` describes, of so many samples.

    A checkpoint is data that somebody else may have written: every value is checked before anything is made of it, and the memory
    against the image by the run that starts with it. Raises FileError for another training's and for a damaged file.
    """
    try:
        arrays = load_arrays(path)
        if not isinstance(arrays, dict):
            raise ValueError("one bare array")
        header = Field(read_json(path, arrays.pop("header").tobytes()), "").table(_HEADER)
        state = _state(header, Arrays(arrays), samples)
        sound = header["digest"].value == state.memory.digest
        stated = header["identity"].table(identity)
        differs = [name for name in identity if stated[name].value != identity[name]]
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); give the path of a checkpoint") from None
    except WrongFieldError as error:
        raise FileError(f"{path}: the checkpoint is damaged, {error}; remove it to start anew") from None
    except (ValueError, KeyError):
        sound = False
    if not sound:
        raise FileError(f"{path}: the checkpoint is damaged; remove it to start anew")
    if differs:
        raise FileError(
            f"{path}: is the checkpoint of a training with another {' and another '.join(differs)}; remove it, or choose another path"
        )
    return state


def _state(fields: Mapping[str, Field], arrays: Arrays, samples: int) -> TrainingState:
    fields["format"].integer(FORMAT, FORMAT)
    kept: dict[str, dict[str, Ints]] = {"weight": {}, "register": {}}
    for name, array in arrays.arrays.items():
        kind, _, key = name.partition(".")
        if kind in kept:
            kept[kind][key] = arrays.take(name, np.int64, (None,) * array.ndim)
    arrays.rest()
    epoch, position = fields["epoch"].integer(0, _MOST), fields["position"].integer(0, samples)
    history = tuple(_epoch(entry, k) for k, entry in enumerate(fields["history"].items()))
    if len(history) != epoch:
        raise WrongFieldError(f"epoch is {epoch}, history has {len(history)}")
    return TrainingState(
        Memory(kept["weight"], kept["register"], fields["commits"].integer(0, _MOST)),
        epoch,
        position,
        fields["right"].integer(0, position),
        counts_of(fields["counts"]).table,
        fields["wall_s"].number(),
        history,
    )


def _epoch(entry: Field, number: int) -> Epoch:
    fields = entry.table(Epoch.__dataclass_fields__)
    test = fields["test_accuracy"]
    return Epoch(
        fields["epoch"].integer(number, number),
        fields["train_accuracy"].number(),
        None if test.value is None else test.number(),
        fields["spikes"].number(),
        fields["energy_fj"].integer(0, _MOST),
        fields["learning_fj"].integer(0, _MOST),
        fields["wall_s"].number(),
    )
