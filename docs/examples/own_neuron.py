"""A neuron model of one's own: write it, prove that it fits a chip, run it on two engines."""

import tempfile
from pathlib import Path

import numpy as np

import neuroemu as ne

SOURCE = '''
"""Integrate and fire with a threshold that grows by `step` on every spike and decays again."""
from neuroemu.isa import Param, Port, State, decay_to_zero


def soma(v: State, extra: State(16), drive: Port, threshold: Param(1, 10000), step: Param(0, 1000), decay: Param(0, 4096)):
    extra = decay_to_zero(extra, decay)
    v = v + drive
    spike = 1 if v > threshold + extra else 0
    v = 0 if spike else v
    extra = extra + step if spike else extra
    return v, extra, spike
'''

with tempfile.TemporaryDirectory() as folder:
    program = Path(folder) / "adaptive.py"
    program.write_text(SOURCE)
    chip = ne.load_chip("generic45")
    for hook in ne.check_file(program, chip, {}):
        print(f"{hook.program}.{hook.hook}: {hook.operations_text}; {hook.energy_text}; {hook.overflows_text}")

    neuron = ne.Firmware(str(program), {"threshold": 100, "step": 40, "decay": 256})
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("cell", 1, neuron)],
        [ne.Projection("in", "cell", [[30]])],
        outputs=["cell"],
    )
    image = ne.compile(network, chip)
    run = ne.run(image, np.ones((40, 1), int), engine="python")
    print("spikes in ticks", run.spikes.tick.tolist())
    print("the event engine agrees:", run.differs(ne.run(image, np.ones((40, 1), int), engine="event")) is None)
