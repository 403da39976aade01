"""The public face: names are found when first used, nothing else is loaded, old names still answer for one release."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import neuroemu as ne
from neuroemu.language import isa

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "neuroemu"
TABLE: dict[str, str] = vars(ne)["_NAMES"]


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after the code, and not before it."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def test_importing_loads_nothing_that_is_not_used() -> None:
    loaded = loaded_by("import neuroemu")
    assert "neuroemu" in loaded
    assert {name for name in loaded if name.startswith("neuroemu.")} == set()
    assert loaded.isdisjoint({"numpy", "numba", "nir", "h5py", "simpy", "click", "rich", "msgspec", "msgpack"})


def test_a_name_loads_its_module() -> None:
    loaded = loaded_by("import neuroemu; neuroemu.load_chip")
    assert "neuroemu.chip.chip" in loaded
    assert loaded.isdisjoint({"numba", "nir", "h5py", "simpy", "click", "rich"})


def test_every_public_name_is_where_the_table_says() -> None:
    names = [name for names in TABLE.values() for name in names.split()]
    assert ne.__all__ == sorted(set(names))
    assert len(names) == len(ne.__all__) > 60
    for module, listed in TABLE.items():
        for name in listed.split():
            value = getattr(ne, name)
            home = f"neuroemu.{module}"
            assert getattr(value, "__module__", None) == home or value is sys.modules[f"{home}.{name}"], name


def test_the_table_is_in_order() -> None:
    assert list(TABLE) == sorted(TABLE)
    assert all(names.split() == sorted(names.split()) for names in TABLE.values())


def test_dir_lists_public_names_and_nothing_else() -> None:
    assert dir(ne) == sorted([*ne.__all__, "__version__"])


def test_the_stub_is_what_the_table_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_stub.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_room_or_module_is_named_like_a_public_name() -> None:
    beside = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert beside & set(ne.__all__) == set()
    assert sum(path.suffix in (".py", ".pyi") for path in PACKAGE.iterdir()) <= 6


def test_no_room_rebinds_the_name_of_a_module_in_it() -> None:
    rooms = [path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert len(rooms) >= 12
    for room in rooms:
        for path in room.glob("[a-z]*.py"):
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = importlib.import_module(dotted)
            assert getattr(sys.modules[dotted.rpartition(".")[0]], path.stem) is module, dotted


def test_isa_hands_on_every_name_of_the_language() -> None:
    face = importlib.import_module("neuroemu.isa")
    names = {*isa.ROLES, *isa.INTRINSICS, *isa.CHANNEL_CONSTANTS}
    assert {name for name in vars(face) if not name.startswith("_")} == names
    assert all(getattr(face, name) is getattr(isa, name) for name in names)


@pytest.mark.parametrize(
    ("face", "name", "new"),
    [
        ("neuroemu.errors", "NetworkError", "neuroemu.NetworkError"),
        ("neuroemu.network", "Population", "neuroemu.Population"),
        ("neuroemu.network", "Conventions", "neuroemu.Conventions"),
        ("neuroemu.network", "values", "neuroemu.network.network.values"),
        ("neuroemu.wiring", "wire", "neuroemu.wire"),
        ("neuroemu.program", "load_program", "neuroemu.load_program"),
    ],
)
def test_old_places_answer_with_a_warning(face: str, name: str, new: str) -> None:
    module = importlib.import_module(face)
    text = f"^{face}.{name} is {new} now; the old place goes with the next release$".replace(".", r"\.")
    with pytest.warns(DeprecationWarning, match=text):
        value = getattr(module, name)
    assert value.__name__ == name
    with pytest.raises(AttributeError, match=f"^module '{face}' has no attribute 'ndarray'$"):
        module.ndarray  # noqa: B018


@pytest.mark.parametrize(
    ("old", "new"), [("Comparison", "RecordingDifference"), ("compare_recordings", "diff_recordings")]
)
def test_old_names_answer_with_a_warning(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"^neuroemu.{old} is neuroemu.{new} now; the old name goes with"):
        assert getattr(ne, old) is getattr(ne, new)


def test_an_unknown_name_says_what_comes_near_it() -> None:
    with pytest.raises(
        AttributeError, match=r"^module 'neuroemu' has no attribute 'load_chips'; did you mean 'load_chip'\?$"
    ):
        ne.load_chips  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(
        AttributeError, match=r"^module 'neuroemu' has no attribute 'xyzzy'; dir\(neuroemu\) lists what it has$"
    ):
        ne.xyzzy  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"^module 'neuroemu' has no attribute '_hidden'$"):
        ne._hidden  # type: ignore[attr-defined]  # noqa: B018
