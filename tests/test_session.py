"""Sessions: the same bits as a run, and a look inside that shows what is there."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, Case, Rng, firmware, random_placement, spikes
from fails import fails

import neuroemu as ne
from neuroemu.follow import path
from neuroemu.tally import hops


def drawn(name: str, draw: int = 0) -> tuple[Case, ne.Image]:
    """A case, spread over cores."""
    rng: Rng = np.random.default_rng([draw, *name.encode()])
    case = CASES[name](rng)
    return case, case.image(random_placement(rng, case.image(), 9 if case.chip == "generic45" else 40))


def played(case: Case, image: ne.Image, *, odd: bool = False) -> ne.Session:
    """A whole run in a session, tick by tick; ``odd`` looks at everything on the way."""
    session, stimulus = ne.Session(image, seed=7, plastic=case.plastic), case.stimulus()
    for presentation in range(stimulus.n):
        session.load(stimulus, presentation)
        while session.tick < session.ticks:
            session.step()
            if odd:
                assert session.counts.table[("barrier", -1, "")] == sum(session.counts.by_owner("barrier").values()) > 0
                assert len(session.packets) >= 0
                assert len(session.state) > 0
        session.end()
        if case.plastic and ((presentation + 1) % case.commit_every == 0 or presentation + 1 == stimulus.n):
            session.commit()
    return session


@pytest.mark.parametrize("name", CASES)
def test_a_session_is_a_run(name: str) -> None:
    for draw in range(2):
        case, image = drawn(name, draw)
        run = ne.run(
            image, case.stimulus(), engine="python", seed=7, plastic=case.plastic, commit_every=case.commit_every
        )
        assert len(run.spikes) > 10
        session = played(case, image, odd=draw == 1)
        assert session.spikes == run.spikes
        assert run.counts.differs(session.counts) is None
        for mine, theirs in ((session.state, run.state), (session.weights, run.weights)):
            assert mine.keys() == theirs.keys()
            for key in mine:
                assert np.array_equal(mine[key], theirs[key]), key
        for key in case.must_move:
            image_weight = np.concatenate([part.weight for p in image.projections if p.name == key for part in p.parts])
            assert not np.array_equal(np.sort(session.weights[key]), np.sort(image_weight))
