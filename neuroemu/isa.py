"""The firmware language's names, for programs to import."""

from neuroemu.language.isa import *  # noqa: F403
