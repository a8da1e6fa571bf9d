import ctypes
import subprocess
import sys

import pytest

GLIBC = hasattr(ctypes.CDLL(None), "mallopt") and hasattr(ctypes.CDLL(None), "malloc_trim")
pytestmark = pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")

TAKE_64_MB_TWICE = """
import resource
from qivis.memory import give_back_freed_memory, keep_freed_memory

{before}
faults = []
for _ in range(2):
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64 << 20)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
    {between}
print(faults[1] * resource.getpagesize() >> 20)
"""


def new_memory(before="", between=""):
    """Megabytes that come from the system when 64 MB are taken again, in a process of its own."""
    script = TAKE_64_MB_TWICE.format(before=before, between=between)
    command = [sys.executable, "-c", script]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_by_itself_the_c_library_gives_large_blocks_back():
    assert new_memory() >= 60


def test_kept_memory_is_used_again():
    assert new_memory(before="keep_freed_memory()") <= 1


def test_kept_memory_can_be_given_back():
    assert new_memory("keep_freed_memory()", "give_back_freed_memory()") >= 60
