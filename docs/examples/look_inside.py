"""Debug a learning rule: step through a run, stop where a weight changes, see which hook did it, and follow a packet."""

import tempfile
from pathlib import Path

import numpy as np

import neuroemu as ne

RULE = '''
"""Pair STDP with a trace on each side; weights change at once."""
from neuroemu.isa import Input, PostState, Pre, Weight, clamp, shift_floor

ONLINE = True


def tick_pre(x: Pre(16)):
    x = x - shift_floor(x, 2)
    return x


def arrive(x: Pre(16)):
    x = x + 64
    return x


def arrive_synapse(w: Weight, y: PostState(16)):
    w = clamp(w - shift_floor(y, 4), 0, 60)
    return w


def tick_post(y: PostState(16), fired: Input):
    y = y - shift_floor(y, 2) + (64 if fired else 0)
    return y


def fire_synapse(w: Weight, x: Pre(16)):
    w = clamp(w + shift_floor(x, 3), 0, 60)
    return w
'''

with tempfile.TemporaryDirectory() as folder:
    rule = Path(folder) / "pair.py"
    rule.write_text(RULE)
    network = ne.Network(
        [
            ne.Population("in", 2, ne.HostInput()),
            ne.Population("out", 2, ne.Firmware("lif", {"decay_v": 512, "threshold": 50})),
        ],
        [ne.Projection("in", "out", [[30, 10], [5, 20]], "p", rule=str(rule), delay=[[0, 1], [0, 0]])],
        outputs=["out"],
        phases=[ne.Phase(0, 12)],
    )
    image = ne.compile(network, ne.load_chip("generic45"))

inputs = np.zeros((8, 2), int)
inputs[[0, 2, 3, 6], 0] = 1
session = ne.Session(image, plastic=True)
session.load(inputs)

session.step(3)
print("v after 3 ticks", session.register("out", "v").tolist(), "trace x", session.register("p", "x").tolist())
for packet in session.packets:
    print(packet)
print(session.follow_packet(session.sent[0]))

log = session.follow_synapse("p", 0, 0)
session.break_when("p.weight[0, 0] changes")
while stop := session.go():
    print(stop)
print(log)
session.end()

run = ne.run(image, inputs, engine="cpu", plastic=True)
same = all(np.array_equal(session.weights[name], run.weights[name]) for name in run.weights)
print("weights", session.weights["p"].tolist(), "those of a run:", same and session.spikes == run.spikes)
