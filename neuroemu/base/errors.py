"""Every error neuroemu raises on purpose. Messages are one sentence: place, value, limit with its source, way out."""

from __future__ import annotations


class NeuroemuError(Exception):
    """Parent of every error a user can cause; the command line prints its text and exits with 2."""


class FirmwareError(NeuroemuError, ValueError):
    """A program is outside the firmware language or cannot be proved to fit the chip."""


class DatasheetError(NeuroemuError, ValueError):
    """A chip's TOML file is malformed, lacks a source, or states a figure that cannot be used."""


class NetworkError(NeuroemuError, ValueError):
    """A network is inconsistent, or a NIR graph holds what cannot be imported."""


class UnsupportedError(NeuroemuError, ValueError):
    """The chip's silicon lacks what the network asks for."""


class CapacityError(NeuroemuError, ValueError):
    """The network does not fit the chip's limits."""


class StimulusError(NeuroemuError, ValueError):
    """Input events, or the data they are made from, do not suit what they are for."""


class RunError(NeuroemuError, ValueError):
    """A run was asked for something it cannot do."""


class UnknownNameError(NeuroemuError, ValueError):
    """A chip, program, engine, population or register of that name does not exist."""


class FileError(NeuroemuError, OSError):
    """A file cannot be read or written, or does not hold what its name promises."""


class ConventionWarning(UserWarning):
    """A file leaves open, or states oddly, something that changes what the network does."""


class RuleCodeWarning(UserWarning):
    """A rule file that was not shipped with neuroemu is about to run: its ``wire`` and ``as_float`` are Python like any other.

    It comes once a text of a file. ``warnings.simplefilter("ignore", ne.RuleCodeWarning)`` says that you have read yours.
    """
