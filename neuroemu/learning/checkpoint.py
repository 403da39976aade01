"""A training's state in one file, written whole or not at all, so that a training that is killed goes on with the same bits."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.base.errors import FileError
from neuroemu.base.files import load_arrays, write_whole
from neuroemu.image.memory import Memory
from neuroemu.learning.training import Epoch, TrainingState

FORMAT = 2


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


def load(path: Path, identity: Mapping[str, Any]) -> TrainingState:
    """Read the state of the training that ``identity`` describes. Raises FileError for another's and for a damaged file."""
    try:
        arrays = load_arrays(path)
        if not isinstance(arrays, Mapping):
            raise ValueError("one bare array")
        header = json.loads(arrays["header"].tobytes())
        memory = Memory(
            {name.removeprefix("weight."): array for name, array in arrays.items() if name.startswith("weight.")},
            {name.removeprefix("register."): array for name, array in arrays.items() if name.startswith("register.")},
            header["commits"],
        )
        history = tuple(Epoch(**epoch) for epoch in header["history"])
        counts = Counter({(key, core, owner): n for key, core, owner, n in header["counts"]})
        sound = header["format"] == FORMAT and header["digest"] == memory.digest
        state = TrainingState(
            memory, header["epoch"], header["position"], header["right"], counts, header["wall_s"], history
        )
        differs = [name for name in identity if header["identity"][name] != identity[name]]
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); give the path of a checkpoint") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise FileError(f"{path}: the checkpoint is damaged; remove it to start anew")
    if differs:
        raise FileError(
            f"{path}: is the checkpoint of a training with another {' and another '.join(differs)}; remove it, or choose another path"
        )
    return state
