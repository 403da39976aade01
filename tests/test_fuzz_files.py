"""Three hundred changed files of every kind: no code runs, nothing but our own errors comes out, nothing hangs or eats memory.

Each kind is a process of its own, so a crash, a hang and memory are seen from outside. ``make fuzz`` does the same for longer.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from changes import image_of
from foreign import image_parts, packed, stamp_image
from fuzz_kinds import KINDS, case, kernel_text, only_functions
from mutants import CODES, MARKER, got, leaves, put

import neuroemu as ne

TOOL = Path(__file__).parent.parent / "tools" / "fuzz_files.py"
N = 300
PATIENCE_S = 900
"""Of a process that takes a minute at most: it hangs if it takes this long. The tool itself gives up a single mutant sooner."""
MOST_MEBIBYTES = 1024


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_changed_files_are_refused_or_read(kind: str) -> None:
    command = [sys.executable, str(TOOL), "--kind", kind, "--n", str(N), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr[-2000:]
    outcome = json.loads(done.stdout)
    used = sum(outcome.get(word, 0) for word in ("read", "ran", "ran on cpu"))
    assert outcome["refused"] > 0
    assert used > 0
    assert outcome["refused"] + used + outcome.get("not a file", 0) == N
    assert outcome["mebibytes"] < MOST_MEBIBYTES
    assert kind != "image" or outcome["ran on cpu"] > 0


@pytest.mark.parametrize("name", ["graded", "rivals"])
def test_code_in_place_of_any_value_of_an_image_never_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every value and every name of the header, one after the other; what loads nevertheless is a text that is shown, not run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.image"
    image_of(name).save(path)
    whole, arrays = image_parts(path)
    refused, loaded = 0, set()
    for place in leaves(whole):
        for renamed in (False, True):
            header = copy.deepcopy(whole)
            if not renamed:
                put(header, place, CODES[refused % len(CODES)])
            elif isinstance(holder := got(header, place[:-1]), dict):
                holder[CODES[refused % len(CODES)]] = holder.pop(place[-1])
            else:
                continue
            if "format" in header:
                stamp_image(header, arrays)
            path.write_bytes(packed(header, arrays))
            try:
                image = ne.load_image(path)
            except ne.FileError:
                refused += 1
                continue
            loaded.add(place[0])
            only_functions(kernel_text(image, case(name)))
            assert image.digest
    assert not (tmp_path / MARKER).exists()
    assert refused > 150
    assert loaded <= {"chip_path", "notes", "conventions", "losses", "populations", "projections", "programs", "digest"}
    assert "chip_path" in loaded


def test_the_marker_is_left_where_code_does_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others look for: each of the texts leaves it, as a line, in a call or in a block."""
    monkeypatch.chdir(tmp_path)
    exec(CODES[0], {})
    assert (tmp_path / MARKER).exists()
    (tmp_path / MARKER).unlink()
    exec(f"v = 0\nx = {CODES[3]}", {})
    assert (tmp_path / MARKER).exists()
    with pytest.raises(AssertionError):
        only_functions(f"import numpy as np\n{CODES[0]}\n")
    assert np.array_equal(got({"a": [1, 2]}, ("a", 1)), 2)
