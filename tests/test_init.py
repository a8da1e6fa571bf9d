"""The public names of the package, and what importing it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import qivis

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", qivis.__all__)
def test_every_public_name_is_what_it_says(name: str) -> None:
    assert getattr(qivis, name).__name__.endswith(name)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'qivis' has no attribute 'load_predicter'"):
        _ = qivis.load_predicter


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, qivis; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
