"""Networks that drive themselves run for so many ticks without input, in Python and from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fails import fails
from shell import Shell

import neuroemu as ne
from neuroemu.base.errors import StimulusError
from neuroemu.engines.available import runnable

ENGINES = runnable()


def image() -> ne.Image:
    """Two neurons that gain 2 in every tick and fire above 5: in ticks 2, 5, 8, ..."""
    soma = ne.Firmware("lif", {"decay_v": 0, "threshold": 5, "bias": 2})
    return ne.compile(ne.Network([ne.Population("o", 2, soma)], [], outputs=["o"]), ne.load_chip("generic45"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_drives_itself(engine: str) -> None:
    run = ne.run(image(), ticks=10, engine=engine)
    assert (run.n, run.ticks) == (1, 10)
    assert run.spikes.tick.tolist() == [2, 2, 5, 5, 8, 8]
    assert run.state["o.v"].tolist() == [2, 2]


def test_a_host_may_be_silent() -> None:
    soma = ne.Firmware("lif", {"decay_v": 0, "threshold": 5, "bias": 2})
    populations = [ne.Population("in", 3, ne.HostInput()), ne.Population("o", 2, soma)]
    network = ne.Network(populations, [ne.Projection("in", "o", np.ones((3, 2)))], outputs=["o"])
    made = ne.compile(network, ne.load_chip("generic45"), align=False)
    silent = ne.run(made, ticks=10, engine="python")
    assert silent.differs(ne.run(made, np.zeros((10, 3), int), engine="python")) == "the runs had different input"
    assert silent.raster("o").tolist() == ne.run(made, np.zeros((10, 3), int), engine="python").raster("o").tolist()
    assert len(silent.spikes) > 4


def test_in_float_and_explained() -> None:
    """The same neurons beside a host that sends nothing and feeds nobody."""
    alone = [ne.Population("o", 2, ne.LIF(tau=1e-3, r=1.0, bias=3.0, v_threshold=1.0))]
    with_host = [ne.Population("in", 1, ne.HostInput()), *alone]
    network = ne.Network(alone, [], outputs=["o"])
    found = ne.simulate(network, ticks=40)
    other = ne.simulate(ne.Network(with_host, [], outputs=["o"]), np.zeros((40, 1), int))
    assert found.spikes["o"].sum() > 4
    assert np.array_equal(found.spikes["o"], other.spikes["o"])
    made = ne.compile(network, ne.load_chip("generic45"))
    explained = ne.explain(network, made, ticks=40, engine="python")
    assert (explained.n, explained.rows, explained.n_probed) == (1, 40, 1)
    assert explained.neurons[0].silent == ()


def test_what_is_neither_or_both_is_refused() -> None:
    made = image()
    with fails(
        StimulusError, "no input is given and the network has no host inputs; give ticks=N to run it for N ticks"
    ):
        ne.run(made)
    with fails(StimulusError, "the network has no host inputs, so it takes no input; run it with ticks=N instead"):
        ne.run(made, {})
    with fails(StimulusError, "ticks is 0; run at least 1"):
        ne.run(made, ticks=0)
    with fails(StimulusError, "ticks is 9 beside an input, whose rows say how long it lasts; give one of them"):
        ne.run(made, ne.Stimulus(10, 1, {}), ticks=9)
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("o", 2, ne.IF(r=1.0))], [], outputs=["o"]
    )
    with fails(StimulusError, "no input is given; give it for in, or ticks=N to run N ticks without"):
        ne.simulate(network)
    with fails(StimulusError, "ticks is 9 beside an input, whose rows say how long it lasts; give one of them"):
        ne.simulate(network, np.zeros((10, 2), int), ticks=9)


def test_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    image().save("self.image")
    shell = Shell(monkeypatch, capsys)
    assert (
        shell.json("run", "self.image", "--ticks", "10", "--engine", "python", "-o", "a", "--record", "a.aer")[
            "packets"
        ]
        == 6
    )
    assert shell.json("replay", "a.aer", "self.image", "--engine", "event")["equal"]
    lines = shell("step", "self.image", "--ticks", "5", "--do", "step 2; show o.v", "--json"), shell.out.splitlines()
    assert lines[0] == 0
    assert lines[1][1].endswith('"o.v": [4, 4]}')
    np.save("x.npy", np.zeros((10, 1), int))
    missing = "Error: Missing option '--input'; a network that runs without input takes '--ticks' instead."
    both = "Error: The rows of '--input' are its ticks; leave out '--ticks', or '--input'."
    for command in (("run", "self.image", "-o", "b"), ("step", "self.image"), ("deploy", "no.nir", "--chip", "loihi1")):
        assert shell(*command) == 2
        assert shell.err.splitlines()[-1] == missing
        assert shell(*command, "--input", "x.npy", "--ticks", "10") == 2
        assert shell.err.splitlines()[-1] == both
    assert shell("run", "self.image", "--input", "x.npy", "-o", "b") == 2
    text = "the network has no host inputs, so it takes no input; run it with --ticks N instead"
    assert shell.err == f"neuroemu: {text}\n"
    assert not Path("b").exists()
