"""Checkpoints of strangers: good ones are read, and of the others nothing runs or unpacks."""

import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qivis.errors import WeightsError
from qivis.models.plain_load import load_plain

CONTENT = {"state_dict": {"weight": torch.arange(4000.0)}, "meta": {"epoch": 3}}


class Code:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(CONTENT, tmp_path / "good.pth")
    return tmp_path / "good.pth"


def packed(source: Path, target: Path, zeros: int) -> Path:
    """A checkpoint, packed, whose largest record is so many million bytes of zeros."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        largest = max(old.infolist(), key=lambda entry: entry.file_size)
        for entry in old.infolist():
            with new.open(entry.filename, "w") as file:
                for _ in range(zeros if entry is largest else 0):
                    file.write(bytes(1_000_000))
                if entry is not largest:
                    file.write(old.read(entry))
    return target


@pytest.mark.parametrize("is_zip", [True, False], ids=["of today", "of torch 1.5"])
def test_a_checkpoint_is_read(tmp_path: Path, is_zip: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(CONTENT, path, _use_new_zipfile_serialization=is_zip)
    content = load_plain(path)
    assert content["meta"] == {"epoch": 3}
    assert torch.equal(content["state_dict"]["weight"], torch.arange(4000.0))


def write_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    "save",
    [
        torch.save,
        lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
        write_pickle,
    ],
    ids=["an archive", "the older kind", "a plain pickle"],
)
def test_code_in_a_checkpoint_does_not_run(
    tmp_path: Path, save: Callable[[Any, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save({"state_dict": Code()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError) as caught:
        load_plain(tmp_path / "evil.pth")
    assert str(caught.value).startswith(f"{tmp_path / 'evil.pth'}: not a readable checkpoint")
    assert "weights_only" not in str(caught.value)  # torch's advice to run it
    assert str(caught.value).isprintable()
    assert not (tmp_path / "ran").exists()


def test_what_would_have_run_is_named(tmp_path: Path) -> None:
    torch.save(Code(), tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match=r"\(it would run \w+\.mkdir\)$"):
        load_plain(tmp_path / "evil.pth")


def test_a_bomb_is_refused_before_it_takes_memory(checkpoint: Path, tmp_path: Path) -> None:
    bomb = packed(checkpoint, tmp_path / "bomb.pth", zeros=300)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match=r"bomb\.pth: .* bytes that would unpack to 300,00\d,\d"):
        load_plain(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KB


@pytest.mark.parametrize("length", [0, 2, 4, 100, -30], ids=str)
def test_a_truncated_checkpoint_is_refused(checkpoint: Path, length: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:length])
    with pytest.raises(
        WeightsError, match=r"good\.pth: not a readable checkpoint of plain tensors"
    ):
        load_plain(checkpoint)


def test_a_missing_file_a_folder_and_a_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("These are no weights. " * 100)
    (tmp_path / "folder.pth").mkdir()
    for name in ("text", "folder", "missing"):
        with pytest.raises(WeightsError, match=rf"{name}\.pth: not a readable checkpoint"):
            load_plain(tmp_path / f"{name}.pth")
