"""Ten end-to-end asserts in a few seconds: run these first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import neuroemu as ne

DEMO = Path(ne.__file__).parent / "data" / "demo"


def test_from_nir_to_joules(tmp_path: Path) -> None:
    inputs = np.load(DEMO / "digits_input.npz")["input"][:, :6]
    labels = np.load(DEMO / "digits_labels.npy")[:6]
    network = ne.read_nir(DEMO / "digits.nir")
    image = ne.compile(network, ne.load_chip("loihi1"), weight_bits=8)
    assert image.n_cores == 1
    assert image.lag == 2
    image.save(tmp_path / "digits.image")
    assert ne.load_image(tmp_path / "digits.image").digest == image.digest
    run = ne.run(image, inputs, engine="python")
    assert len(run.spikes) > 500
    assert run.differs(ne.run(image, inputs, engine="event")) is None
    assert run.accuracy(labels) >= 5 / 6
    assert ne.simulate(network, inputs).accuracy(labels) >= 5 / 6
    costs = ne.report(run)
    assert costs.total_fj == sum(row.count * row.price_fj for row in costs.rows if row.price_fj is not None) > 0
    assert "barrier" in costs.unknown
    run.save(tmp_path / "run")
    assert ne.load_run(tmp_path / "run").differs(run) is None
