"""Downloads from a real server on the loopback interface: whole, broken off, resumed, refused."""

import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qivis.errors import WeightsError
from qivis.models.download import download

CONTENT = bytes(range(256)) * 10_000  # more than two chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()[:8]


@dataclass
class Server:
    """What the server does, and what it was asked.

    break_after: bytes of an answer after which the connection is closed.
    other: status and Content-Range of what it sends instead of the file.
    tells_length: whether an answer says how long it is; otherwise it comes in chunks.
    ranges: the Range header of each request, None where there was none.
    """

    url: str
    break_after: int = len(CONTENT)
    allows_ranges: bool = True
    other: tuple[int, str] | None = None
    tells_length: bool = True
    ranges: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # the first with chunks
    state: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        state = self.state
        state.ranges.append(asked)
        if state.other:
            self.answer_otherwise(*state.other)
            return
        if self.path != "/folder/weights.pth":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=")[:-1]) if asked and state.allows_ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/*")
        if state.tells_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not state.tells_length:
            self.wfile.write(f"{len(body):x}\r\n".encode())
        self.wfile.write(body[: state.break_after])
        if not state.tells_length and state.break_after >= len(body):
            self.wfile.write(b"\r\n0\r\n\r\n")
        self.close_connection = True

    def answer_otherwise(self, status: int, content_range: str) -> None:
        self.send_response(status)
        self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(b"" if status == 204 else b"Log in!")
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        Handler.state = state = Server(
            url=f"http://127.0.0.1:{http_server.server_port}/folder/weights.pth"
        )
        thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        http_server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "weights.pth"


def part_of(target: Path) -> Path:
    return target.with_name("weights.pth.part")


def test_a_file_arrives_whole_with_a_progress_bar(
    server: Server, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()
    assert re.search(r"downloading: 100%.*2\.56M/2\.56M", capsys.readouterr().err)


def test_a_file_that_is_there_needs_no_network(server: Server, target: Path) -> None:
    download(server.url, target, SHA256)
    download(server.url, target, SHA256)
    assert server.ranges == [None]


def test_a_file_that_is_there_needs_no_writable_folder(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    target.parent.chmod(0o555)
    download("http://127.0.0.1:9/never-asked", target, SHA256)
    assert [path.name for path in target.parent.iterdir()] == ["weights.pth"]


def test_one_that_broke_off_goes_on_though_nobody_said_how_long_it_is(
    server: Server, target: Path
) -> None:
    server.break_after, server.tells_length = 1_500_000, False
    with pytest.raises(WeightsError, match=r"broke off after [0-9,]+ bytes; run"):
        download(server.url, target, SHA256)
    have = part_of(target).stat().st_size
    assert have > 0
    server.break_after = len(CONTENT)
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={have}-"]


@pytest.mark.parametrize(
    "url", ["example.org/w.pth", "/w.pth", "http://[::1/w.pth", "http://127.0.0.1:9/ü.pth"]
)
def test_an_address_that_is_none_is_one_line(url: str, target: Path) -> None:
    with pytest.raises(WeightsError, match=r"^cannot download .*; get this file by other") as error:
        download(url, target, SHA256)
    assert len(str(error.value).splitlines()) == 1


def test_an_interrupted_download_goes_on_where_it_stopped(
    server: Server, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.break_after = 1_500_000
    with pytest.raises(WeightsError, match="broke off after 1,500,000 of 2,560,000 bytes; run"):
        download(server.url, target, SHA256)
    assert not target.exists()
    assert part_of(target).read_bytes() == CONTENT[:1_500_000]
    assert "100%" not in capsys.readouterr().err
    server.break_after = len(CONTENT)
    download(server.url, target, SHA256)
    assert "100%" in capsys.readouterr().err
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1500000-"]


def test_a_server_without_ranges_sends_all_again(server: Server, target: Path) -> None:
    server.allows_ranges = False
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT[:1_500_000])
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(("break_after", "kept"), [(0, 1_500_000), (2_000_000, 2_000_000)])
def test_of_two_attempts_that_broke_off_the_longer_one_is_kept(
    server: Server, target: Path, break_after: int, kept: int
) -> None:
    server.allows_ranges, server.break_after = False, break_after
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT[:1_500_000])
    with pytest.raises(WeightsError, match=f"broke off after {break_after:,} of 2,560,000 bytes"):
        download(server.url, target, SHA256)
    assert part_of(target).read_bytes() == CONTENT[:kept]
    assert {path.name for path in target.parent.iterdir()} == {part_of(target).name, ".lock"}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((200, ""), "damaged or not the published file"),
        ((204, ""), r"\(204 No Content is no answer to what was asked\)"),
        ((206, "bytes 0-6/7"), r"\(206 Partial Content is no answer to what was asked\)"),
    ],
)
def test_what_has_arrived_outlives_another_answer(
    server: Server, target: Path, other: tuple[int, str], said: str
) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT[:1_500_000])
    server.other = other
    with pytest.raises(WeightsError, match=said):
        download(server.url, target, SHA256)
    assert part_of(target).read_bytes() == CONTENT[:1_500_000]
    server.other = None
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    assert server.ranges == 2 * ["bytes=1500000-"]
    assert {path.name for path in target.parent.iterdir()} == {target.name, ".lock"}


def test_a_folder_is_not_taken_for_the_file(server: Server, target: Path) -> None:
    target.mkdir(parents=True)
    with pytest.raises(WeightsError, match=f"{target}: cannot be written .*directory"):
        download(server.url, target, SHA256)


def test_a_part_that_is_already_whole_is_only_checked(server: Server, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT)
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum_is_reported_and_the_file_deleted(server: Server, target: Path) -> None:
    message = f"sha256 begins with {SHA256}, not 01234567; it was deleted, run the command again"
    with pytest.raises(WeightsError, match=message):
        download(server.url, target, "01234567")
    assert not target.exists()
    assert not part_of(target).exists()


def test_a_wrong_part_is_found_out_and_does_not_stand_in_the_way(
    server: Server, target: Path
) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="damaged"):
        download(server.url, target, SHA256)
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT


def test_a_file_that_the_server_does_not_have_is_named(server: Server, target: Path) -> None:
    url = server.url.replace("weights", "lost")
    with pytest.raises(WeightsError) as caught:
        download(url, target, SHA256)
    assert str(caught.value) == (
        f"cannot download {url} (404 Not Found); "
        f"get this file by other means and put it at {target}"
    )


def test_offline_one_line_says_which_file_to_put_where(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/weights.pth"
        with pytest.raises(WeightsError) as caught:
            download(url, target, SHA256)
    assert re.fullmatch(
        rf"cannot download {url} \(.*refused\); get this file .* and put it at {target}",
        str(caught.value),
    )


def test_a_server_that_falls_silent_is_not_waited_for_forever(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("qivis.models.download.TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/weights.pth"
        with pytest.raises(WeightsError, match=r"cannot download .* \(timed out\)"):
            download(url, target, SHA256)


@pytest.mark.skipif(os.name == "nt", reason="there, the second writer is refused by the system")
def test_two_at_once_make_one_download(server: Server, target: Path) -> None:
    failures = []

    def run() -> None:
        try:
            download(server.url, target, SHA256)
        except WeightsError as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_cache_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match=r"file/weights\.pth: cannot be written"):
        download(server.url, tmp_path / "file" / "weights.pth", SHA256)
