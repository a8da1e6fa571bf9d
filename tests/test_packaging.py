"""What `pip install .` gives: the package's files, its command, its requirements."""

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

PLATFORMS = {
    "linux on x86": {"platform_machine": "x86_64", "sys_platform": "linux"},
    "linux on arm": {"platform_machine": "aarch64", "sys_platform": "linux"},
    "windows": {"platform_machine": "AMD64", "sys_platform": "win32"},
    "mac on x86": {"platform_machine": "x86_64", "sys_platform": "darwin"},
    "mac on arm": {"platform_machine": "arm64", "sys_platform": "darwin"},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel of the working tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "qivis", source / "qivis", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", source, source], check=True, capture_output=True)
    (built,) = source.glob("*.whl")
    unpacked = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def distribution(wheel: Path) -> importlib.metadata.Distribution:
    (folder,) = wheel.glob("*.dist-info")
    return importlib.metadata.Distribution.at(folder)


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    tree = {
        path.relative_to(ROOT)
        for path in (ROOT / "qivis").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {path.relative_to(wheel) for path in wheel.rglob("*") if path.is_file()}
    assert {path for path in packed if not path.parts[0].endswith(".dist-info")} == tree
    assert Path("qivis/py.typed") in packed


def test_the_wheel_carries_its_licence(distribution: importlib.metadata.Distribution) -> None:
    assert distribution.metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in (distribution.read_text("licenses/LICENSE") or "")


def test_the_command_is_that_of_the_package(distribution: importlib.metadata.Distribution) -> None:
    (script,) = distribution.entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("qivis-infer", "qivis.inference.command:main")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_gets_one_build_of_decord(
    distribution: importlib.metadata.Distribution, platform: str
) -> None:
    decords = [
        requirement.name
        for requirement in map(Requirement, distribution.requires or [])
        if requirement.name.startswith("decord")
        and requirement.marker
        and requirement.marker.evaluate(PLATFORMS[platform])
    ]
    has_old_wheels = platform in {"linux on x86", "windows"}
    assert decords == (["decord"] if has_old_wheels else ["decord2"])


def test_nothing_is_required_that_cannot_be_installed_everywhere(
    distribution: importlib.metadata.Distribution,
) -> None:
    requirements = {r.name: r for r in map(Requirement, distribution.requires or [])}
    assert "mmcv" not in requirements  # has no wheel, and its sources do not build
    assert str(requirements["torch"].specifier) == ">=2.6"  # no upper bound
    assert distribution.metadata["Requires-Python"] == ">=3.11"


def test_help_answers_without_importing_torch() -> None:
    code = """
import sys
from qivis.inference.command import main
try:
    main(["--help"])
except SystemExit as stopped:
    assert not stopped.code, stopped.code
slow = {"torch", "cv2", "av", "decord", "mmcv", "scipy", "PIL", "pycocotools"} & set(sys.modules)
sys.exit(f"imported {slow}" if slow else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout
