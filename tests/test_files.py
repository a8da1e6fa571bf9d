"""Files are written whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from qivis.files import (
    atomic_folder,
    atomic_path,
    checksum,
    locked,
    make_writable,
    remove_partial_files,
    write_atomically,
)


def test_a_file_is_written_into_a_new_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a.txt", b"content")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        write_atomically(tmp_path / "a.txt", content)
    assert (tmp_path / "a.txt").read_bytes() == b"two"


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail() -> None:
        with atomic_path(path) as partial:
            partial.write_text("half of it")
            assert path.read_text() == "before"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_who_is_reading_the_file_before_reads_it_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with path.open() as reader:
        write_atomically(path, b"after")
        assert reader.read() == "before"


def test_a_folder_appears_when_all_its_files_are_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with atomic_folder(path) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a.txt").write_text("content")
        assert not path.exists()
    assert (path / "sub" / "a.txt").read_text() == "content"
    assert [entry.name for entry in path.parent.iterdir()] == ["folder"]
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with atomic_folder(tmp_path / "folder") as partial:
            (partial / name).write_text(name)
    assert [entry.name for entry in (tmp_path / "folder").iterdir()] == ["two"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_failure_leaves_the_folder_before_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "before").write_text("")

    def fail() -> None:
        with atomic_folder(path) as partial:
            (partial / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [entry.name for entry in path.iterdir()] == ["before"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_take_its_place_brings_the_one_before_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "before").write_text("")
    rename = Path.rename

    def refuse_the_new_one(source: Path, target: Path) -> Path:
        if target == path and not source.name.endswith(".old.part"):
            raise OSError("the disk is gone")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new_one)
    with pytest.raises(OSError, match="disk"), atomic_folder(path) as partial:
        (partial / "new").write_text("")
    assert [entry.name for entry in path.iterdir()] == ["before"]
    assert list(tmp_path.iterdir()) == [path]


KILLED_WITH_TWO_FOLDERS = """
import os, shutil, signal, sys
from pathlib import Path
from qivis.files import atomic_folder
shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
with atomic_folder(Path(sys.argv[1])) as partial:
    (partial / "new").write_text("")
"""


def test_what_a_kill_leaves_of_the_folder_before_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    subprocess.run([sys.executable, "-c", KILLED_WITH_TWO_FOLDERS, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    remove_partial_files(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert [entry.name for entry in path.iterdir()] == ["new"]


def test_everybody_may_read_a_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", b"")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_a_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert checksum(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    make_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        make_writable(tmp_path / "file" / "folder")


KEEPER = """
import sys
from pathlib import Path
from qivis.files import locked
with locked(Path(sys.argv[1])):
    print("kept", flush=True)
    sys.stdin.read()
"""


def test_a_lock_keeps_other_processes_out_until_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(path)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as keeper:
        assert keeper.stdout
        assert keeper.stdout.readline() == b"kept\n"
        with pytest.raises(BlockingIOError), locked(path):
            pass
        assert path.exists()  # who is kept out removes nothing
        keeper.kill()
    with locked(path):
        pass
    assert not path.exists()


def test_a_lock_may_be_taken_again_and_ends_with_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with locked(tmp_path / "lock"):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fail()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_while_it_was_taken_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "lock"
    # Who kept it ends at the worst moment: the file is open here, and not yet locked.
    monkeypatch.setattr(fcntl, "flock", lambda *_: path.unlink())
    with pytest.raises(BlockingIOError), locked(path):
        pass
