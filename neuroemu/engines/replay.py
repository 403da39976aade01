"""Run a recording's host packets again, on any engine, and compare every packet with the recorded one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from neuroemu.base.errors import RunError
from neuroemu.engines.job import Progress, silent
from neuroemu.engines.run import run
from neuroemu.image.image import Image
from neuroemu.results.difference import Difference, RecordingDifference, diff_recordings
from neuroemu.results.packets import RunPackets, header_of, stimulus_of
from neuroemu.results.recording import Recording, open_recording
from neuroemu.results.run import Run


@dataclass(frozen=True, eq=False)
class Replay:
    """The run, and how its packets compare with those recorded."""

    run: Run
    comparison: RecordingDifference

    @property
    def difference(self) -> Difference | None:
        """The first packet that differs, None if every one is equal."""
        return self.comparison.difference


def replay(
    recording: Recording | str | os.PathLike[str],
    image: Image,
    *,
    engine: str = "cpu",
    any_image: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> Replay:
    """Run what the host sent in a recording, with the recorded seed and learning, and compare what is sent with what was.

    With ``any_image`` another image than the recorded one will do, if its host inputs are the same.
    Raises FileError, RunError, and what run raises.
    """
    source = recording if isinstance(recording, Recording) else open_recording(recording)
    header = source.header
    if header.image != image.digest and not any_image:
        raise RunError(
            f"{source.path}: was recorded from image {header.image[:12]}, this is {image.digest[:12]}; give that image, or replay on "
            "any with any_image=True (--any-image)"
        )
    events = stimulus_of(source, image)
    learning: dict[str, Any] = {"seed": header.seed, "plastic": header.plastic, "commit_every": header.commit_every}
    again = run(image, events, engine=engine, workers=workers, progress=progress, **learning)
    stated = header_of(image, events, ticks=header.ticks if again.lengths is not None else again.ticks, **learning)
    return Replay(again, diff_recordings(source, RunPackets(stated, image, events, again.spikes)))
