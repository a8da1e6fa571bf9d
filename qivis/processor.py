"""What can be said of this machine's processor beforehand."""

from pathlib import Path

import torch

_FIRST_WIDE_AMD = 26  # the family of Zen 5, the first of AMD's with whole 512-bit units


def multiplies_as_fast_as_it_convolves(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether MKL, which multiplies PyTorch's matrices, keeps up with oneDNN, which convolves.

    On AMD's processors MKL leaves AVX-512 unused. That costs nothing where these do 512 bits in two
    steps; on Zen 5 it is 2.6 times slower than oneDNN (benchmarks/notes.md).

    Args:
        cpuinfo: where Linux describes the processor; elsewhere none is taken for a Zen 5.
    """
    if not torch.backends.mkl.is_available():
        return False
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    told = {name.strip(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
    is_amd = told.get("vendor_id") == "AuthenticAMD"
    return not (is_amd and int(told["cpu family"]) >= _FIRST_WIDE_AMD)
