"""What a user says: populations, projections, stimuli; floats are allowed here.

What the module ``neuroemu.network`` held stays importable from here for one release.
"""

from typing import Any

from neuroemu.base.moved import moved


def __getattr__(name: str) -> Any:
    return moved(
        __name__, name, "neuroemu.network.conventions" if name == "Conventions" else "neuroemu.network.network"
    )
