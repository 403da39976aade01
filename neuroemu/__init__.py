"""neuroemu: emulates digital neuromorphic chips.

import neuroemu as ne

chip = ne.load_chip("loihi1")
image = ne.compile(ne.read_nir("net.nir"), chip)
run = ne.run(image, spikes)
print(ne.report(run))
"""

from neuroemu.base.errors import (
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
from neuroemu.chip.chip import Chip, load_chip
from neuroemu.compiler.compile import compile  # noqa: A004
from neuroemu.engines.replay import Replay, replay
from neuroemu.engines.run import run
from neuroemu.image.image import Image
from neuroemu.image.load import load_image
from neuroemu.image.memory import Memory, with_memory
from neuroemu.image.neighbours import neighbourhood
from neuroemu.inspect.explain import Explanation, explain
from neuroemu.inspect.facts import check_file, chip_facts
from neuroemu.inspect.match import Match, match
from neuroemu.inspect.session import Session
from neuroemu.language.program import load_program
from neuroemu.learning import encode
from neuroemu.learning.alignment import angle, cosine
from neuroemu.learning.dataset import Dataset, load_dataset
from neuroemu.learning.demo import demo_data
from neuroemu.learning.health import Thresholds, health
from neuroemu.learning.histogram import rate_histograms, weight_histograms
from neuroemu.learning.learned import learned
from neuroemu.learning.train import evaluate, train
from neuroemu.learning.training import Epoch, Training
from neuroemu.learning.vote import label_neurons, vote
from neuroemu.learning.watch import Watch, window_of
from neuroemu.network.network import (
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
from neuroemu.network.reference import Reference, simulate
from neuroemu.network.stimulus import Stimulus, stimulus
from neuroemu.network.wiring import wire
from neuroemu.nir.read import read_nir, write_nir
from neuroemu.results.aedat import to_aedat2
from neuroemu.results.difference import Comparison, Difference
from neuroemu.results.difference import compare as compare_recordings
from neuroemu.results.recording import Recording, open_recording
from neuroemu.results.report import Report, report
from neuroemu.results.run import Counts, Run, Spikes
from neuroemu.results.stored import load_run, stored_accuracy

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
    "Thresholds",
    "Training",
    "StimulusError",
    "UnknownNameError",
    "UnsupportedError",
    "Watch",
    "angle",
    "check_file",
    "chip_facts",
    "compare_recordings",
    "compile",
    "cosine",
    "demo_data",
    "evaluate",
    "encode",
    "explain",
    "health",
    "label_neurons",
    "learned",
    "load_chip",
    "load_dataset",
    "load_image",
    "load_program",
    "load_run",
    "match",
    "neighbourhood",
    "open_recording",
    "read_nir",
    "replay",
    "rate_histograms",
    "report",
    "run",
    "simulate",
    "stimulus",
    "stored_accuracy",
    "to_aedat2",
    "train",
    "vote",
    "weight_histograms",
    "window_of",
    "wire",
    "with_memory",
    "write_nir",
]
