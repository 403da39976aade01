"""neuroemu: emulates digital neuromorphic chips.

import neuroemu as ne

chip = ne.load_chip("loihi1")
image = ne.compile(ne.read_nir("net.nir"), chip)
run = ne.run(image, spikes)
print(ne.report(run))
"""

from neuroemu import encode
from neuroemu.aedat import to_aedat2
from neuroemu.chip import Chip, load_chip
from neuroemu.compiler import compile  # noqa: A004
from neuroemu.dataset import Dataset, load_dataset
from neuroemu.difference import Comparison, Difference
from neuroemu.difference import compare as compare_recordings
from neuroemu.engines import run
from neuroemu.errors import (
    CapacityError,
    ConventionWarning,
    DatasheetError,
    FileError,
    FirmwareError,
    NetworkError,
    NeuroemuError,
    RunError,
    StimulusError,
    UnknownNameError,
    UnsupportedError,
)
from neuroemu.explain import Explanation, explain
from neuroemu.facts import check_file, chip_facts
from neuroemu.formats import demo_data
from neuroemu.image import Image, load_image
from neuroemu.learned import learned
from neuroemu.match import Match, match
from neuroemu.memory import Memory, with_memory
from neuroemu.network import (
    IF,
    LI,
    LIF,
    Conventions,
    CubaLI,
    CubaLIF,
    Firmware,
    HostInput,
    Modulator,
    Network,
    Phase,
    Population,
    Projection,
    Sparse,
    View,
)
from neuroemu.nir import read_nir, write_nir
from neuroemu.program import load_program
from neuroemu.recording import Recording, open_recording
from neuroemu.reference import Reference, simulate
from neuroemu.replay import Replay, replay
from neuroemu.report import Report, report
from neuroemu.run import Counts, Run, Spikes, load_run, stored_accuracy
from neuroemu.session import Session
from neuroemu.stimulus import Stimulus, stimulus
from neuroemu.train import evaluate, train
from neuroemu.training import Epoch, Training
from neuroemu.vote import label_neurons, vote
from neuroemu.wiring import wire

__version__ = "0.1.0"

__all__ = [
    "CapacityError",
    "Chip",
    "Comparison",
    "ConventionWarning",
    "Conventions",
    "Counts",
    "CubaLI",
    "CubaLIF",
    "Dataset",
    "DatasheetError",
    "Difference",
    "Epoch",
    "Explanation",
    "FileError",
    "Firmware",
    "FirmwareError",
    "HostInput",
    "IF",
    "Image",
    "LI",
    "LIF",
    "Match",
    "Memory",
    "Modulator",
    "Network",
    "NetworkError",
    "NeuroemuError",
    "Phase",
    "Population",
    "Projection",
    "Recording",
    "Reference",
    "Replay",
    "Report",
    "Run",
    "RunError",
    "Session",
    "Sparse",
    "View",
    "Spikes",
    "Stimulus",
    "Training",
    "StimulusError",
    "UnknownNameError",
    "UnsupportedError",
    "check_file",
    "chip_facts",
    "compare_recordings",
    "compile",
    "demo_data",
    "evaluate",
    "encode",
    "explain",
    "label_neurons",
    "learned",
    "load_chip",
    "load_dataset",
    "load_image",
    "load_program",
    "load_run",
    "match",
    "open_recording",
    "read_nir",
    "replay",
    "report",
    "run",
    "simulate",
    "stimulus",
    "stored_accuracy",
    "to_aedat2",
    "train",
    "vote",
    "wire",
    "with_memory",
    "write_nir",
]
