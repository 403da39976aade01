"""The wheel holds the chips and programs as files, and works elsewhere with a chip and a rule of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_chips_and_programs_are_files_not_packages(unpacked: Path) -> None:
    data = unpacked / "neuroemu" / "data"
    assert {path.name for path in (data / "cores").glob("*.toml")} == {
        path.name for path in (ROOT / "cores").glob("*.toml")
    }
    assert (data / "cores" / "datasheet.schema.json").is_file()
    for part in ("neurons", "rules"):
        files = {path.name for path in (ROOT / "firmware" / part).glob("*.py")}
        assert files
        assert {path.name for path in (data / "firmware" / part).glob("*.py")} == files
    assert (data / "demo" / "digits.nir").is_file()
    assert (unpacked / "neuroemu" / "py.typed").is_file()
    assert not list(data.rglob("__init__.py"))
    assert {path.name for path in unpacked.iterdir()} == {"neuroemu", next(unpacked.glob("*.dist-info")).name}


def test_wheel_works_elsewhere(unpacked: Path, tmp_path: Path) -> None:
    for source in (ROOT / "tests" / "wheel_check.py", ROOT / "tests" / "firmware" / "online.py"):
        shutil.copy(source, tmp_path)
    chip = (ROOT / "cores" / "loihi1.toml").read_text().replace('name = "loihi1"', 'name = "mychip"')
    (tmp_path / "loihi1.toml").write_text(chip)
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, "wheel_check.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"wheel ok: {unpacked / 'neuroemu'}" in done.stdout
    assert "online.py:20:14: 'x' asks for 16 bits, mychip has 7; ask for 7 or fewer" in done.stdout
