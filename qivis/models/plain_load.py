"""`torch.load` for files of strangers: nothing in them runs, none is larger inside than outside."""

import re
import warnings
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from qivis.errors import WeightsError

_ZIP = b"PK\x03\x04"  # by this start torch, too, knows its archives from its older kind of file


def load_plain(path: Path) -> Any:
    """What a file that torch saved holds: tensors, and containers and numbers around them.

    Raises:
        WeightsError: if it cannot be read, holds anything else, or is packed smaller than it is.
    """
    try:
        _refuse_packed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it will refuse, or how long that may take
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # damaged files raise whatever the byte they break says
        raise WeightsError(
            f"{path}: not a readable checkpoint of plain tensors ({_reason(error)})"
        ) from error


def _refuse_packed(path: Path) -> None:
    """Refuse an archive that says that there is more in it than its size; torch packs nothing.

    A few kilobytes may otherwise become as many gigabytes before anybody sees what they are.
    """
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            return
    with zipfile.ZipFile(path) as archive:
        inside = sum(entry.file_size for entry in archive.infolist())
    outside = path.stat().st_size
    if inside > outside:
        raise WeightsError(
            f"{path}: not a checkpoint: {outside:,} bytes that would unpack to {inside:,}; torch "
            "saves without packing"
        )


def _reason(error: Exception) -> str:
    """One line; what would have run, or is wrong, instead of torch's advice to let it run."""
    text = str(error)
    if isinstance(error, UnpicklingError):
        refused = re.search(r"GLOBAL (\S+)", text)
        return f"it would run {refused[1]}" if refused else "it holds something else"
    return text.splitlines()[0] if text else type(error).__name__
