"""What can be said of this machine's processor beforehand."""

from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")
_FIRST_WIDE_AMD = 26  # the family of Zen 5, the first of AMD's with whole 512-bit units


def described(cpuinfo: Path = CPUINFO) -> dict[str, str]:
    """What Linux says of the processor, such as `model name`; nothing elsewhere."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def multiplies_as_fast_as_it_convolves(cpuinfo: Path = CPUINFO) -> bool:
    """Whether MKL, which multiplies PyTorch's matrices, keeps up with oneDNN, which convolves.

    On AMD's processors MKL leaves AVX-512 unused. That costs nothing where these do 512 bits in two
    steps; on Zen 5 it is 2.6 times slower than oneDNN (benchmarks/notes.md).

    Args:
        cpuinfo: where Linux describes the processor; elsewhere none is taken for a Zen 5.
    """
    told = described(cpuinfo)
    is_wide = int(told.get("cpu family", 0)) >= _FIRST_WIDE_AMD
    is_amd = told.get("vendor_id") == "AuthenticAMD"
    return torch.backends.mkl.is_available() and not (is_amd and is_wide)
