"""neuroemu: emulates digital neuromorphic chips.

import neuroemu as ne

chip = ne.load_chip("loihi1")
image = ne.compile(ne.read_nir("net.nir"), chip)
run = ne.run(image, spikes)
print(ne.report(run))

A public name's module is imported when the name is first used, so importing neuroemu costs nothing. ``__init__.pyi`` says
the same to type checkers; ``tools/make_stub.py`` writes it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "base.errors": "CapacityError ConventionWarning DatasheetError FileError FirmwareError NetworkError NeuroemuError "
    "RuleCodeWarning RunError StimulusError UnknownNameError UnsupportedError",
    "chip.chip": "Chip load_chip",
    "compiler.compile": "compile",
    "engines.available": "available_engines",
    "engines.replay": "Replay replay",
    "engines.run": "run",
    "image.image": "Image",
    "image.load": "load_image",
    "image.memory": "Memory with_memory",
    "image.neighbours": "neighbourhood",
    "inspect.explain": "Explanation explain",
    "inspect.facts": "check_file chip_facts",
    "inspect.match": "match",
    "inspect.match_result": "Match",
    "inspect.session": "Session",
    "language.check": "check_program",
    "language.program": "load_program python_hooks",
    "learning": "encode",
    "learning.alignment": "angle cosine",
    "learning.dataset": "Dataset load_dataset",
    "learning.demo": "demo_data",
    "learning.health": "Thresholds health",
    "learning.histogram": "as_table rate_histograms weight_histograms",
    "learning.learned": "learned",
    "learning.train": "evaluate train",
    "learning.training": "Epoch Training",
    "learning.vote": "label_neurons vote",
    "learning.watch": "Watch window_of",
    "network.chains": "drawn layers mirrored rewired",
    "network.conventions": "Conventions",
    "network.network": "CubaLI CubaLIF Firmware HostInput IF LI LIF Modulator Network Phase Population "
    "Projection Sparse View",
    "network.one_event": "one_event_a_tick",
    "network.reference": "Reference simulate",
    "network.stimulus": "Stimulus stimulus",
    "network.wiring": "wire",
    "netx.read": "read_lava_dl",
    "nir.read": "read_nir",
    "nir.write": "write_nir",
    "results.aedat": "to_aedat2",
    "results.counts": "Counts",
    "results.difference": "Difference RecordingDifference diff_recordings",
    "results.recording": "Recording open_recording",
    "results.report": "Report report",
    "results.run": "Run Spikes",
    "results.stored": "load_run stored_accuracy",
}
"""Public names by the module that holds them; `encode` is a module itself."""
_OLD = {"Comparison": "RecordingDifference", "compare_recordings": "diff_recordings"}
"""Names of before, for one release, and what they are called now."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """The public name from its module; AttributeError with what comes near it."""
    if name in _OLD:
        from neuroemu.base.moved import warn_moved

        warn_moved(f"neuroemu.{name}", f"neuroemu.{_OLD[name]}")
        return getattr(import_module(__name__), _OLD[name])
    if name not in _HOMES:
        if name.startswith("_"):
            raise AttributeError(f"module 'neuroemu' has no attribute '{name}'")
        import difflib

        near = difflib.get_close_matches(name, __all__, 1)
        meant = f"did you mean '{near[0]}'?" if near else "dir(neuroemu) lists what it has"
        raise AttributeError(f"module 'neuroemu' has no attribute '{name}'; {meant}")
    home = _HOMES[name]
    module = import_module(f"neuroemu.{home}")
    value = getattr(module, name) if hasattr(module, name) else import_module(f"neuroemu.{home}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
