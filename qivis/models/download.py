"""Bring one file from the network into the cache: resumed, checked, and never half there."""

import contextlib
import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from tqdm import tqdm

from qivis.errors import WeightsError
from qivis.files import checksum

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30.0  # without a byte; a slow line may take as long as it likes


def download(url: str, target: Path, sha256: str) -> None:
    """Download a file, going on from where an earlier attempt stopped if the server allows it.

    What has arrived waits in `<target>.part`; `target` appears at once and whole. A second process
    that downloads to the same folder waits for the first.

    Args:
        url: where the file is.
        target: where it shall be; nothing happens if it exists.
        sha256: the first hex digits of its checksum.

    Raises:
        WeightsError: if the file cannot be had, breaks off, or has another checksum.
    """
    if target.is_file():
        return
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(target.with_name(".lock")):
            if target.is_file():
                return
            whole = _transfer(url, part, target)
            _check(whole, url, sha256)
            whole.replace(target)
            part.unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(f"{target}: cannot be written ({error})") from error


@contextlib.contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        if sys.platform != "win32":  # which refuses a second writer by itself
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _transfer(url: str, part: Path, target: Path) -> Path:
    """Append to the part what it lacks of the file.

    Returns:
        Where the whole file is. That is not the part where the server has sent everything again: it
        may be the page of a network that wants to be logged in to, and the part may still be right.
    """
    have = part.stat().st_size if part.exists() else 0
    response = _open(url, have, target)
    if response is None:
        return part
    goes_on = response.status == HTTPStatus.PARTIAL_CONTENT
    arriving = part if goes_on or not have else target.with_name(f"{target.name}.again.part")
    with response:
        start = have if goes_on else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdecimal() else None
        got, is_ended = _append(response, arriving, start, total)
    if is_ended and (total is None or got == total):
        return arriving
    if got >= have:
        arriving.replace(part)
    elif arriving != part:
        arriving.unlink()
    of_all = "" if total is None else f" of {total:,}"
    raise WeightsError(
        f"{url}: the connection broke off after {got:,}{of_all} bytes; "
        "run the same command again to go on from there"
    )


def _open(url: str, have: int, target: Path) -> http.client.HTTPResponse | None:
    """The server's answer to a request for all but the first `have` bytes; None if that is none."""
    try:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        response: http.client.HTTPResponse = urllib.request.urlopen(
            request, timeout=TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        reason = f"{error.code} {error.reason}"
    except (OSError, http.client.HTTPException, ValueError) as error:  # the last for bad addresses
        reason = str(getattr(error, "reason", error))
    else:
        if _is_as_asked(response, have):
            return response
        response.close()
        reason = f"{response.status} {response.reason} is no answer to what was asked"
    told = "".join(one for one in reason.partition("\n")[0] if one.isprintable())
    raise WeightsError(
        f"cannot download {url} ({told}); get this file by other means and put it at {target}"
    )


def _is_as_asked(response: http.client.HTTPResponse, have: int) -> bool:
    """Whether an answer is the whole file, or all but the first `have` bytes of it."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        return response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    return response.status == HTTPStatus.OK


def _append(
    response: http.client.HTTPResponse, part: Path, have: int, total: int | None
) -> tuple[int, bool]:
    """Write what arrives behind the first `have` bytes, until the end or until it breaks off.

    Returns:
        Bytes that the part now has, and whether the server has ended the answer.
    """
    with (
        part.open("ab") as file,
        tqdm(desc="downloading", total=total, initial=have, unit="B", unit_scale=True) as progress,
    ):
        file.truncate(have)
        while chunk := _read(response):
            file.write(chunk)
            have += len(chunk)
            progress.update(len(chunk))
    return have, chunk is not None


def _read(response: http.client.HTTPResponse) -> bytes | None:
    """What comes next; nothing at the end, None where the connection breaks off."""
    try:
        return response.read(CHUNK_BYTES)
    except (OSError, http.client.HTTPException):
        return None


def _check(part: Path, url: str, sha256: str) -> None:
    actual = checksum(part)
    if not actual.startswith(sha256):
        part.unlink()
        raise WeightsError(
            f"{url}: damaged or not the published file: its sha256 begins with "
            f"{actual[: len(sha256)]}, not {sha256}; it was deleted, run the command again"
        )
