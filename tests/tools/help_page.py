"""What a command says of itself."""

import subprocess
import sys
from pathlib import Path


def help_page(tool: Path) -> str:
    """The help of a command, which must not take the seconds that importing torch does."""
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path({str(tool)!r}, run_name='__main__')\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    return done.stdout
