"""Writing files so that nothing half-written ever stands under a final name."""

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all: a crash or a full disk leaves what was there before."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    The folder is made if need be. After an error the temporary file is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        _flush(partial)
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when the block ends well.

    What stood under `path` is gone then, and stays as it was after an error. In between there is
    an instant with no folder of that name, for no system swaps two folders at once everywhere.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    before = partial.with_suffix(".old.part")  # if a kill leaves it, it is cleared away as a rest
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _flush(file)
        partial.chmod(0o755)
        if path.exists():
            path.rename(before)
        partial.rename(path)
    finally:
        if before.exists() and not path.exists():
            before.rename(path)
        for rest in (partial, before):
            shutil.rmtree(rest, ignore_errors=True)


def exists(path: str | Path) -> bool:
    """Whether there is such a file or folder, as far as can be told.

    `Path.exists` raises errors where a name is too long, or a folder must not be looked into.
    """
    return os.path.exists(path)  # noqa: PTH110 - see above


def checksum(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left behind of files and folders, in one that is ours alone."""
    for partial in folder.glob(".*.part"):
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink()


def remove_folder(path: Path) -> None:
    """Remove a folder, if it is there; a kill never leaves a part of it under its name."""
    if path.exists():
        rest = path.with_name(f".{uuid4().hex}.part")  # the name itself may be as long as can be
        path.rename(rest)
        shutil.rmtree(rest)


def _flush(path: Path) -> None:
    """Write a file through to the disk: else a power cut may leave its name without its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def make_writable(folder: Path) -> None:
    """Make a folder if need be, and see that files can be made in it.

    Raises:
        OSError: if not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a file to this process until the block ends; it is made if need be, and gone then.

    The lock ends with the process, however that ends. Where the system or the file system knows no
    locks, there is none.

    Raises:
        BlockingIOError: if another process keeps it.
    """
    if sys.platform == "win32":
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        _lock(file.fileno())
        if not _is_still(path, file.fileno()):  # who kept it has removed it since it was opened
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(handle: int) -> None:
    import fcntl  # not on Windows

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
