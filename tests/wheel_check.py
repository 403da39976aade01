"""Run outside the checkout against an installed wheel: the shipped chips and programs, and a chip and a rule of one's own."""

from pathlib import Path

import numpy as np

import neuroemu as ne

here = Path.cwd()
assert here not in Path(ne.__file__).parents, "this must not run against the checkout"
assert ne.load_chip("loihi1").name == "loihi1"
chip = ne.load_chip("./loihi1.toml")
assert chip.name == "mychip"
assert ne.load_program("lif").name == "lif"
assert [len(part) for part in ne.load_dataset("digits")] == [1347, 450]
rng = np.random.default_rng(0)
network = ne.Network(
    [
        ne.Population("in", 6, ne.HostInput()),
        ne.Population("out", 4, ne.Firmware("lif", {"decay_v": 400, "threshold": 64})),
    ],
    [
        ne.Projection(
            "in", "out", rng.integers(0, 40, (6, 4)), rule=str(here / "online.py"), params={"down": 20, "up": 30}
        )
    ],
    outputs=["out"],
    phases=[ne.Phase(0, 12)],
)
try:
    ne.compile(network, chip)
    raise SystemExit("the rule fits a chip that has no such registers")
except ne.FirmwareError as error:
    print(error)
image = ne.compile(network, ne.load_chip("generic45"))
inputs = (rng.random((10, 5, 6)) < 0.6).astype(int)
runs = [ne.run(image, inputs, engine=engine, plastic=True) for engine in ("python", "event", "cpu")]
assert len(runs[0].spikes) > 0
assert all(runs[0].differs(run) is None for run in runs)
print(ne.report(runs[2]))
print("wheel ok:", Path(ne.__file__).parent)
