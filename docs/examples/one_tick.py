"""One spike across two tiles, added up by hand; then what the depth of the FIFOs, which nobody publishes, does to a loaded chip."""

import numpy as np

import neuroemu as ne
from neuroemu.chip import parse_chip

atlas = ne.load_chip("atlas")
far = 2 * atlas.sheet.mesh.cores_per_tile  # a core two tiles to the east
neuron = ne.Firmware("if", {"threshold": 1})
network = ne.Network(
    [ne.Population("in", 1, ne.HostInput()), ne.Population("a", 1, neuron), ne.Population("b", 2, neuron)],
    [ne.Projection("in", "a", [[2]]), ne.Projection("a", "b", [[2, 2]])],
    outputs=["b"],
)
image = ne.compile(network, atlas, placement={"a": [(0, 1)], "b": [(far, 2)]})
timing = ne.run(image, [[1]], engine="event").timing
ns = {name: atlas.time_ps(name) // 1000 for name in ("inject", "hop_x", "eject", "flit", "axon_in", "synop")}
ns |= {name: atlas.time_ps(name) // 1000 for name in ("soma_active", "send", "packet")}
push = ns["soma_active"] + ns["send"] + ns["packet"]
start = push + ns["inject"] + 2 * ns["hop_x"] + ns["eject"] + ns["flit"]
done = start + ns["axon_in"] + 2 * ns["synop"]
barrier = atlas.barrier_ps(image.n_tiles) / 1000
print(f"push at {push} ns, service from {start} to {done} ns, barrier {barrier:.3f} ns: {done + barrier:.3f} ns by hand")
print(f"engine event: {timing.tick_ps[0, 1] / 1000:.3f} ns")

rng = np.random.default_rng(1)
n, cores = 512, 64
dense = ne.Network(
    [ne.Population("in", 1, ne.HostInput()), ne.Population("a", n, ne.Firmware("if", {"threshold": 1, "bias": 2}))],
    [ne.Projection("a", "a", (rng.random((n, n)) < 0.05).astype(int))],
    outputs=["a"],
)
spread = {"a": [(core, n // cores) for core in range(cores)]}
for depth in (1, 2, 4, 16):
    text = atlas.text
    for fifo in ("fifo", "inject_fifo", "eject_fifo"):
        text = text.replace(f"{fifo:14}= {{ value = 4", f"{fifo:14}= {{ value = {depth}")
    image = ne.compile(dense, parse_chip(text, "atlas"), placement=spread, align=False)
    timing = ne.run(image, np.zeros((2, 1), int), engine="python", timing="twin").timing
    print(f"FIFOs of {depth:2} packets: {timing.tick_ps[0, -1] / 1000:,.0f} ns a tick")
