"""What a tick takes: one spike over two tiles added up by hand, and what deeper FIFOs would change on a loaded chip."""

import re
import tempfile
from pathlib import Path

import numpy as np

import neuroemu as ne

chip = ne.load_chip("loihi1")


def ps(unit: str) -> int:
    """A time of the datasheet, in picoseconds; 0 where it states none."""
    return chip.time_ps(unit) or 0


# One neuron on tile (0, 0) spikes once; its two targets are on tile (1, 1), core 36: a hop east, a hop north.
network = ne.Network(
    [
        ne.Population("in", 1, ne.HostInput()),
        ne.Population("a", 1, ne.Firmware("if", {"threshold": 64})),
        ne.Population("b", 2, ne.Firmware("if", {"threshold": 6400})),
    ],
    [ne.Projection("in", "a", [[2]]), ne.Projection("a", "b", [[3, 3]])],
    outputs=["b"],
)
image = ne.compile(network, chip, placement={"a": [(0, 1)], "b": [(36, 2)]})
timing = ne.run(image, [[1]], engine="event").timing

soma = ps("soma_active") + ps("send") + max(ps("packet"), 1)
flight = ps("inject") + ps("hop_x") + ps("hop_y") + ps("eject") + max(ps("flit"), ps("eject_flit"))
service = ps("axon_in") + 2 * ps("synop")
barrier = chip.barrier_ps(image.n_tiles)
print(
    f"by hand: soma {soma} + way {flight} + service {service} + barrier {barrier} = {soma + flight + service + barrier} ps"
)
print(f"engine event: {timing.tick_ps[0, 1]} ps, held by {sorted(timing.held_by)}")
print("not stated:", ", ".join(timing.unknown))


# 32 cores on 8 tiles, every neuron with targets all over the chip; the depth of all FIFOs changed in the datasheet.
def with_depth(text: str, depth: int) -> ne.Chip:
    """The datasheet with other FIFOs, as a user would try it: a file of his own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_text(re.sub(r"(?m)^((?:inject_|eject_)?fifo +=) \{ value = \d+", rf"\1 {{ value = {depth}", text))
        return ne.load_chip(path)


rng = np.random.default_rng(7)
n, n_cores = 512, 32
post = np.concatenate([rng.choice(n, 24, replace=False) for _ in range(n)])
loaded = ne.Network(
    [ne.Population("in", n, ne.HostInput()), ne.Population("net", n, ne.Firmware("if", {"threshold": 64}))],
    [
        ne.Projection("in", "net", ne.Sparse(np.arange(n), np.arange(n), np.full(n, 2))),
        ne.Projection("net", "net", ne.Sparse(np.repeat(np.arange(n), 24), post, np.full(post.size, -1))),
    ],
    outputs=["net"],
)
inputs = (rng.random((10, n)) < 0.3).astype(int)
spread = {"net": [(tile * 4 + core, n // n_cores) for tile in (0, 1, 2, 3, 8, 9, 10, 11) for core in range(4)]}
for name in ("loihi1", "loihi1_fit"):
    text = ne.load_chip(name).text
    for depth in (1, 2, 4, 16):
        timing = ne.run(
            ne.compile(loaded, with_depth(text, depth), placement=spread), inputs, engine="python", timing="twin"
        ).timing
        held = sum(core.stall_ps for core in timing.cores.values()) // 1000
        print(
            f"{name}, FIFOs of {depth:2}: {timing.time_ps / 1e6:6.3f} us; {timing.packets} packets, half within "
            f"{timing.latency_ps[50] / 1e3:6.3f} ns; sources held {held} ns"
        )
