import pytest
import torch

from qivis.processor import described, multiplies_as_fast_as_it_convolves

CPUINFO = """processor\t: 0
vendor_id\t: {vendor}
cpu family\t: {family}
model name\t: a processor

processor\t: 1
vendor_id\t: {vendor}
cpu family\t: {family}
"""


def test_what_linux_says_is_read_and_elsewhere_nothing_is_said(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO.format(vendor="GenuineIntel", family=6))
    told = described(path)
    assert (told["vendor_id"], told["cpu family"]) == ("GenuineIntel", "6")
    assert told["model name"] == "a processor"
    assert described(tmp_path / "none") == {}


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="PyTorch without MKL")
@pytest.mark.parametrize(
    ("vendor", "family", "as_fast"),
    [
        ("AuthenticAMD", 25, True),  # Zen 3 and 4
        ("AuthenticAMD", 26, False),  # Zen 5
        ("GenuineIntel", 6, True),
        ("GenuineIntel", 26, True),
    ],
)
def test_only_the_widest_of_amd_convolve_faster(tmp_path, vendor, family, as_fast):
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO.format(vendor=vendor, family=family))
    assert multiplies_as_fast_as_it_convolves(path) is as_fast


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="PyTorch without MKL")
def test_where_nothing_is_told_it_is_taken_for_granted(tmp_path):
    assert multiplies_as_fast_as_it_convolves(tmp_path / "cpuinfo")


def test_without_mkl_it_does_not(monkeypatch):
    monkeypatch.setattr("torch.backends.mkl.is_available", lambda: False)
    assert not multiplies_as_fast_as_it_convolves()
