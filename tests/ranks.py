"""Several processes that train together on this machine, as torchrun starts them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_ranks(arguments: list[str], count: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a script with its arguments in so many processes; all of them have to end well."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(count), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def run_code(code: str, folder: Path, count: int = 2) -> list[str]:
    """What each of so many processes leaves in the file `answer` of a script, by rank.

    The script finds `rank`, and `device`, and has joined the others.
    """
    (folder / "script.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "import torch\n"
        "from qivis.engine.ranks import joined\n"
        "device = torch.device('cpu')\n"
        "with joined(device) as shard:\n"
        "    rank = shard.index\n"
        f"    answer = Path({str(folder)!r}) / f'answer{{rank}}'\n"
        + "".join(f"    {line}\n" for line in code.strip().splitlines())
    )
    run_ranks([str(folder / "script.py")], count)
    return [(folder / f"answer{rank}").read_text() for rank in range(count)]
