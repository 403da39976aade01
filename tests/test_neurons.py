"""Every shipped neuron program against its equation, written out in plain integers, on every engine; activity first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

import neuroemu as ne
from neuroemu.engines.available import runnable
from neuroemu.language.isa import site_key, tick_key, uniform, unit_key
from neuroemu.language.machine import site

ROWS, N_PRESENTATIONS, N_IN, N = 60, 3, 10, 8
SEED = 11
NEURONS = Path(__file__).parent.parent / "firmware" / "neurons"


class Now(dict[str, int]):
    """What a neuron sees in a tick: parameters, switches and what each port took in, by name; and ``draw(number, bits)``."""

    draw: Callable[[int, int], int]


Step = Callable[[dict[str, int], Now], int]
"""Registers (changed in place), and what the neuron sees: to the payload sent, 0 for none."""


def leak(x: int, d: int) -> int:
    """x * (4096 - d) / 4096, rounded towards zero."""
    kept = abs(x) * (4096 - d) // 4096
    return kept if x >= 0 else -kept


# ---- the equations
def lif(s: dict[str, int], p: Now) -> int:
    s["v"] = leak(s["v"], p["decay_v"]) + p["drive"] + p["bias"]
    if s["v"] <= p["threshold"]:
        return 0
    s["v"] = s["v"] - p["threshold"] if p["subtract"] else p["reset"]
    return 1


def alif(s: dict[str, int], p: Now) -> int:
    s["a"] = leak(s["a"], p["decay_a"])
    s["v"] = leak(s["v"], p["decay_v"]) + p["drive"] + p["bias"]
    if s["v"] <= p["threshold"] + s["a"]:
        return 0
    s["v"] = s["v"] - p["threshold"] - s["a"] if p["subtract"] else p["reset"]
    s["a"] += p["step"]
    return 1


def refractory(s: dict[str, int], p: Now) -> int:
    s["u"] = leak(s["u"], p["decay_u"]) + p["drive"]
    if s["wait"]:
        s["wait"] -= 1
        s["v"] = 0
        return 0
    s["v"] = leak(s["v"], p["decay_v"]) + s["u"] + p["bias"]
    if s["v"] <= p["threshold"]:
        return 0
    s["v"], s["wait"] = 0, p["refractory"] - 1
    return 1


def stochastic(s: dict[str, int], p: Now) -> int:
    s["v"] = leak(s["v"], p["decay_v"]) + p["drive"] + p["bias"]
    if s["v"] <= p["threshold"] + p.draw(0, p["bits"]):
        return 0
    s["v"] = s["v"] - p["threshold"] if p["subtract"] else p["reset"]
    return 1


def if_ternary(s: dict[str, int], p: Now) -> int:
    s["v"] += p["drive"]
    sent = 0
    if s["v"] >= p["threshold"]:
        sent = 1
    elif s["v"] <= -p["threshold"] and (s["total"] > 0 or not p["relu"]):
        sent = -1
    s["v"] -= sent * p["threshold"]
    s["total"] += sent
    return sent


def threshold(_: dict[str, int], p: Now) -> int:
    return int(p["drive"] >= p["threshold"] if p["inclusive"] else p["drive"] > p["threshold"])


def truenorth(s: dict[str, int], p: Now) -> int:
    v = s["v"] + sum(p[f"weight{k}"] * p[f"type{k}"] for k in range(4))
    step = p["leak"]
    if p["random_leak"]:
        step = int(np.sign(step)) * int(abs(step) >= p.draw(0, 8))
    v += step * int(np.sign(v)) if p["reversal"] else step
    eta = p.draw(1, p["mask"]) if p["random_threshold"] else 0
    spike = v >= p["threshold"] + eta
    if spike:
        v = v if p["free"] else (v - (p["threshold"] + eta) if p["linear"] else p["reset"])
    elif p["saturate"]:
        v = max(v, -p["negative"])
    elif v < -(p["negative"] + eta):
        v = v if p["free"] else (v + (p["negative"] + eta) if p["linear"] else -p["reset"])
    s["v"] = v
    return int(spike)


def odin(s: dict[str, int], p: Now) -> int:
    v = max(0, s["v"] - p["leak"])
    v = min(255, v + p["exc"])
    v = max(0, v - p["inh"])
    s["v"] = 0 if v >= p["threshold"] else v
    return int(v >= p["threshold"])


def odin_event(s: dict[str, int], p: Now) -> int:
    v = min(255, max(0, s["v"] + p["exc"] - p["inh"] - p["leak"] * min(1, p["tref"])))
    s["v"] = 0 if v >= p["threshold"] else v
    return int(v >= p["threshold"])


def sfdfa(s: dict[str, int], p: Now) -> int:
    w = p["drive"] * 2 ** p["scale"]
    s["m"] += w - s["m"] // 2 ** p["k"]
    s["g"] += w - s["g"] // 2 ** (p["k"] - 1)
    if s["m"] - s["g"] < p["threshold"]:
        return 0
    s["m"] -= p["threshold"]
    return 1


def sfdfa_single(s: dict[str, int], p: Now) -> int:
    s["m"] += p["drive"] * 2 ** p["scale"] - s["m"] // 2 ** p["k"]
    if s["m"] < p["threshold"]:
        return 0
    s["m"] = 0
    return 1


# ---- the cases
@dataclass(frozen=True)
class Neuron:
    """A program with settings, what its registers and ports are, and the weights its ports get."""

    step: Step
    params: dict[str, int | np.ndarray]
    registers: tuple[str, ...]
    switches: dict[str, int] = field(default_factory=dict)
    weights: dict[str, tuple[int, int]] = field(default_factory=lambda: {"drive": (-40, 80)})
    """Port to the range of its synapses' weights."""
    rate: float = 0.25

    @property
    def program(self) -> str:
        return self.step.__name__


RNG = np.random.default_rng(3)
BASE = {"decay_v": 300, "bias": 4, "threshold": 130}
RESET = BASE | {"reset": -9}
TYPES = {f"type{k}": (0, 1) for k in range(4)}
TRUENORTH = {"weight0": 40, "weight1": RNG.integers(-255, 60, N), "weight2": 25, "weight3": -31, "leak": -3}
TRUENORTH |= {"threshold": RNG.integers(60, 140, N), "negative": 50, "reset": 7, "mask": 5}
SMALL = {"weight0": 3, "weight1": -3, "weight2": 2, "weight3": -2, "threshold": 5, "negative": 5, "reset": 1, "mask": 2}
SMALL |= {"leak": 0}
SFDFA = {"k": 3, "scale": 6, "threshold": 1000}
CASES = {
    "alif": Neuron(alif, RESET | {"decay_a": 200, "step": RNG.integers(30, 90, N)}, ("v", "a")),
    "alif_subtract": Neuron(alif, RESET | {"decay_a": 900, "step": 70}, ("v", "a"), {"subtract": 1}),
    "refractory": Neuron(refractory, BASE | {"decay_u": 4096, "refractory": RNG.integers(2, 9, N)}, ("u", "v", "wait")),
    "refractory_current": Neuron(refractory, BASE | {"decay_u": 2000, "refractory": 1}, ("u", "v", "wait")),
    "stochastic": Neuron(stochastic, RESET | {"bits": 6}, ("v",)),
    "stochastic_subtract": Neuron(stochastic, RESET | {"bits": 7}, ("v",), {"subtract": 1}),
    "if_ternary": Neuron(if_ternary, {"threshold": 50}, ("v", "total"), weights={"drive": (-60, 60)}),
    "if_ternary_relu": Neuron(if_ternary, {"threshold": 50}, ("v", "total"), {"relu": 1}, {"drive": (-60, 60)}),
    "threshold": Neuron(threshold, {"threshold": RNG.integers(20, 90, N)}, ()),
    "threshold_inclusive": Neuron(threshold, {"threshold": 1}, (), {"inclusive": 1}, {"drive": (0, 2)}),
    "truenorth": Neuron(truenorth, TRUENORTH, ("v",), {}, TYPES),
    "truenorth_linear": Neuron(truenorth, TRUENORTH, ("v",), {"linear": 1, "reversal": 1, "saturate": 1}, TYPES),
    "truenorth_free": Neuron(truenorth, TRUENORTH, ("v",), {"free": 1}, TYPES),
    "truenorth_random": Neuron(
        truenorth, TRUENORTH | {"leak": -200}, ("v",), {"random_leak": 1, "random_threshold": 1, "linear": 1}, TYPES
    ),
    "truenorth_small": Neuron(truenorth, SMALL, ("v",), {}, TYPES),
    "truenorth_clipped": Neuron(truenorth, SMALL, ("v",), {"saturate": 1, "random_threshold": 1}, TYPES),
    "odin": Neuron(odin, {"leak": 3, "threshold": 40}, ("v",), {}, {"exc": (0, 7), "inh": (0, 6)}, 0.9),
    "odin_event": Neuron(
        odin_event, {"leak": 5, "threshold": 40}, ("v",), {}, {"exc": (0, 7), "inh": (0, 3), "tref": (0, 1)}, 0.5
    ),
    "sfdfa": Neuron(sfdfa, SFDFA, ("m", "g"), {}, {"drive": (-20, 50)}, 0.05),
    "sfdfa_single": Neuron(sfdfa_single, SFDFA | {"threshold": 30 << 6}, ("m",), {}, {"drive": (-20, 50)}, 0.05),
}
DEFAULTS = {
    "alif": {"subtract": 0},
    "stochastic": {"subtract": 0},
    "if_ternary": {"relu": 0},
    "threshold": {"inclusive": 0},
}
DEFAULTS["truenorth"] = dict.fromkeys(("reversal", "random_leak", "random_threshold", "linear", "free", "saturate"), 0)


def network(cases: Mapping[str, Neuron]) -> ne.Network:
    """Every case as a population of its own, each with an input of its own."""
    populations, projections = [], []
    for name, case in cases.items():
        rng = np.random.default_rng([1, *name.encode()])
        populations.append(ne.Population(f"in_{name}", N_IN, ne.HostInput()))
        neuron = ne.Firmware(case.program, case.params, case.switches)
        populations.append(ne.Population(name, N, neuron))
        for port, (low, high) in case.weights.items():
            routes = {"input": [(port, "weight")]}
            projections.append(
                ne.Projection(
                    f"in_{name}", name, rng.integers(low, high + 1, (N_IN, N)), f"{name}_{port}", routes=routes
                )
            )
    return ne.Network(populations, projections)


def inputs(cases: Mapping[str, Neuron]) -> dict[str, np.ndarray]:
    drawn = {}
    for name, case in cases.items():
        rng = np.random.default_rng([2, *name.encode()])
        drawn[f"in_{name}"] = (rng.random((ROWS, N_PRESENTATIONS, N_IN)) < case.rate).astype(np.int64)
    return drawn


def spoken(
    name: str, case: Neuron, id0: int, age: int = 1, seed: int = SEED
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What the equation sends, shape (presentations, rows, neurons), and its registers after the last presentation."""
    raster = np.zeros((N_PRESENTATIONS, ROWS, N), np.int64)
    final = {register: np.zeros(N, np.int64) for register in case.registers}
    stimulus = inputs({name: case})[f"in_{name}"]
    weight = {p.name.removeprefix(f"{name}_"): np.asarray(p.weight) for p in network({name: case}).projections}
    drive = {port: np.einsum("tbi,in->btn", stimulus, matrix) for port, matrix in weight.items()}
    for b in range(N_PRESENTATIONS):
        for i in range(N):
            state = dict.fromkeys(case.registers, 0)
            values = {key: int(np.broadcast_to(value, N)[i]) for key, value in case.params.items()}
            values |= DEFAULTS.get(case.program, {}) | case.switches
            for t in range(ROWS):
                key = unit_key(site_key(tick_key(seed, b, t + age), site("soma")), id0 + i)
                now = Now(values | {port: int(array[b, t, i]) for port, array in drive.items()})
                now.draw = partial(uniform, key)
                raster[b, t, i] = case.step(state, now)
            for register in case.registers:
                final[register][i] = state[register]
    return raster, final


@cache
def runs() -> tuple[ne.Run, ...]:
    """One network of all cases, interpreted and as discrete events."""
    image = ne.compile(network(CASES), ne.load_chip("generic45"))
    return tuple(ne.run(image, inputs(CASES), engine=engine, seed=SEED) for engine in ("python", "event"))


def test_engines_agree() -> None:
    oracle, event = runs()
    assert len(oracle.spikes) > 1000
    assert oracle.differs(event) is None


@pytest.mark.slow
def test_compiled_engines_agree() -> None:
    """A case of every program (and of TrueNorth's random modes) in one network, so in one kernel."""
    last = {case.program: name for name, case in CASES.items()}
    some = {name: case for name, case in CASES.items() if name in {*last.values(), "truenorth_random"}}
    assert {case.program for case in some.values()} == {case.program for case in CASES.values()}
    image = ne.compile(network(some), ne.load_chip("generic45"))
    oracle = ne.run(image, inputs(some), engine="python", seed=SEED)
    assert all(np.count_nonzero(oracle.raster(name)) > 30 for name in some)
    for engine in runnable():
        assert oracle.differs(ne.run(image, inputs(some), engine=engine, seed=SEED)) is None, engine


@pytest.mark.parametrize("name", CASES)
def test_program_does_what_its_equation_says(name: str) -> None:
    run = runs()[0]
    raster, final = spoken(name, CASES[name], run.layers[name].id0)
    assert np.count_nonzero(raster) > 30, "the equation is silent"
    assert np.count_nonzero(raster) < raster.size * 0.9, "the equation always sends"
    assert np.array_equal(run.raster(name), raster)
    for register, values in final.items():
        assert np.array_equal(run.state[f"{name}.{register}"], values), register


def test_every_new_program_is_tested() -> None:
    """lif, cuba_lif, if, li and cuba_li are held against other simulators' spikes in test_vectors and test_nir."""
    shipped = {path.stem for path in NEURONS.glob("*.py")}
    tested = {case.program for case in CASES.values()} | {"lif", "cuba_lif", "if", "li", "cuba_li"}
    assert shipped - tested == set(), "add a case to CASES for these"
    assert tested - shipped == set(), "CASES has these, which are not shipped"


def sent(name: str, **changed: int) -> np.ndarray:
    """What the case's equation sends with other settings."""
    case = CASES[name]
    params = {key: value for key, value in changed.items() if key in case.params}
    switches = {key: value for key, value in changed.items() if key not in params}
    altered = replace(case, params=case.params | params, switches=case.switches | switches)
    return spoken(name, altered, runs()[0].layers[name].id0)[0]


# ---- that each program's own feature was at work
@pytest.mark.parametrize("name", ["alif", "alif_subtract"])
def test_adaptation_delays_spikes(name: str) -> None:
    steady, adapting = sent(name, step=0), runs()[0].raster(name)
    assert np.count_nonzero(adapting) < 0.8 * np.count_nonzero(steady)
    first = [np.argmax(raster != 0, axis=1) for raster in (steady, adapting)]
    assert np.array_equal(*first), "there is nothing to adapt to before the first spike"


def test_neurons_are_refractory_for_their_period() -> None:
    raster, period = runs()[0].raster("refractory"), np.asarray(CASES["refractory"].params["refractory"])
    for i in range(N):
        gaps = np.concatenate([np.diff(np.flatnonzero(row)) for row in raster[:, :, i]])
        assert gaps.min() >= period[i]
        assert (
            np.concatenate([np.diff(np.flatnonzero(row)) for row in sent("refractory", refractory=1)[:, :, i]]).min()
            < period[i]
        )


def test_random_threshold_depends_on_the_seed_and_is_lif_without_bits() -> None:
    image = ne.compile(network({"stochastic": CASES["stochastic"]}), ne.load_chip("generic45"))
    stimulus = inputs({"stochastic": CASES["stochastic"]})
    one, two = (ne.run(image, stimulus, engine="python", seed=seed).raster("stochastic") for seed in (1, 2))
    assert np.count_nonzero(one != two) > 10
    plain = replace(CASES["stochastic"], params=CASES["stochastic"].params | {"bits": 0})
    run = ne.run(ne.compile(network({"stochastic": plain}), ne.load_chip("generic45")), stimulus, engine="event")
    without = {key: value for key, value in plain.params.items() if key != "bits"}
    same = replace(plain, step=lif, params=without, switches={"subtract": 0})
    assert np.array_equal(run.raster("stochastic"), spoken("stochastic", same, 0)[0])


def test_ternary_neurons_send_both_signs_and_relu_takes_back_only_what_it_sent() -> None:
    linear, relu = (runs()[0].raster(name) for name in ("if_ternary", "if_ternary_relu"))
    for raster in (linear, relu):
        assert {-1, 0, 1} == set(np.unique(raster))
    assert np.cumsum(linear, axis=1).min() < 0
    assert np.cumsum(relu, axis=1).min() == 0
    assert np.array_equal(runs()[0].state["if_ternary.total"], linear[-1].sum(axis=0))


def test_truenorth_modes_matter() -> None:
    """Each switch changes what is sent, on the network that has it."""
    for name, switch in [
        ("truenorth", "linear"), ("truenorth", "saturate"), ("truenorth", "reversal"), ("truenorth_linear", "linear"),
        ("truenorth_free", "free"), ("truenorth_random", "random_leak"), ("truenorth_random", "random_threshold"),
    ]:  # fmt: skip
        other = 1 - CASES[name].switches.get(switch, 0)
        assert not np.array_equal(sent(name, **{switch: other}), runs()[0].raster(name)), f"{name}: {switch}"
    assert not np.array_equal(sent("truenorth", negative=0), runs()[0].raster("truenorth"))


def test_odin_saturates_at_both_ends() -> None:
    """Without the limits 0 and 255 the same input gives other spikes."""

    def unlimited(s: dict[str, int], p: Now) -> int:
        v = s["v"] - p["leak"] + p["exc"] - p["inh"]
        s["v"] = 0 if v >= p["threshold"] else v
        return int(v >= p["threshold"])

    strong = replace(
        CASES["odin"], params={"leak": 3, "threshold": 120}, weights={"exc": (0, 99), "inh": (0, 99)}, rate=0.4
    )
    run = ne.run(
        ne.compile(network({"odin": strong}), ne.load_chip("generic45")), inputs({"odin": strong}), engine="event"
    )
    raster = spoken("odin", strong, 0)[0]
    assert np.count_nonzero(raster) > 30
    assert np.array_equal(run.raster("odin"), raster)
    assert not np.array_equal(spoken("odin", replace(strong, step=unlimited), 0)[0], raster)


def test_sfdfa_spikes_after_its_input_has_ended() -> None:
    """The potential's maximum comes tau ln 2 after the input; the single exponential spikes with its input only."""
    quiet = {name: inputs({name: CASES[name]})[f"in_{name}"].sum(axis=2).T == 0 for name in ("sfdfa", "sfdfa_single")}
    late = {name: np.count_nonzero(runs()[0].raster(name)[rows]) for name, rows in quiet.items()}
    assert late["sfdfa"] > 10
    assert late["sfdfa_single"] == 0


def test_sfdfa_is_the_equation_of_the_thesis() -> None:
    """u = sum of w (exp(-t/tau) - exp(-t/tau_s)), within 2 % of its maximum: k = 8, one input spike, no threshold in reach."""
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("p", 1, ne.Firmware("sfdfa", {"threshold": 1 << 22}))],
        [ne.Projection("in", "p", [[4096]])],
        probes=[("p", "m"), ("p", "g")],
    )
    stimulus = np.zeros((600, 1), int)
    stimulus[0] = 1
    run = ne.run(ne.compile(network, ne.load_chip("generic45")), stimulus, engine="python")
    values = (run.probes["p", "m"] - run.probes["p", "g"])[0, 1:601, 0] / (4096 << 6)
    times = np.arange(600)
    exact = np.exp(-times / 256) - np.exp(-times / 128)
    assert exact.max() == pytest.approx(0.25, abs=1e-4)
    assert np.abs(values - exact).max() < 0.02 * exact.max()


# ---- that each fits a chip
HOME = {"truenorth": "truenorth", "odin": "odin", "odin_event": "odin"}


@pytest.mark.parametrize("program", sorted({case.program for case in CASES.values()}))
def test_program_is_proved_to_fit(program: str) -> None:
    """On atlas, and on the chip whose neuron it is."""
    for chip in {"atlas", HOME.get(program, "atlas")}:
        facts = ne.check_file(program, ne.load_chip(chip), {})
        assert [(fact.program, fact.hook) for fact in facts] == [(program, "soma")]
        assert all(fact.bits in (32, 64) for fact in facts)


@pytest.mark.parametrize("name", ["truenorth", "truenorth_linear", "truenorth_random", "odin", "odin_event"])
def test_program_is_the_same_on_its_own_chip(name: str) -> None:
    """There a source feeds one port: an input for each."""
    case = CASES[name]
    wiring = network({name: case})
    projections = [replace(p, pre=f"in{k}") for k, p in enumerate(wiring.projections)]
    populations = [ne.Population(p.pre, N_IN, ne.HostInput()) for p in projections] + [wiring.populations[1]]
    stimulus = {p.pre: inputs({name: case})[f"in_{name}"] for p in projections}
    image = ne.compile(ne.Network(populations, projections), ne.load_chip(HOME[case.program]))
    raster = spoken(name, case, image.populations[-1].id0)[0]
    for engine in ("python", "event"):
        assert np.array_equal(ne.run(image, stimulus, engine=engine, seed=SEED).raster(name), raster)
