"""Live sources, from real servers and pipes."""

import functools
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from qivis.data.video import VideoInfo, live, open_video
from qivis.data.video.live import LiveSource, is_live
from qivis.errors import VideoError

from .conftest import FPS, SIZE, MakeClip, NumberOf
from .rtsp_camera import film

STREAMED = {"options": {"x264-params": "keyint=8:scenecut=0"}}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a server that gives away what is in `tmp_path`."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_counts_as_live() -> None:
    live = ("0", "12", "-", "rtsp://camera/1", "RTSP://camera", "https://a.b/c.m3u8", "udp://@:99")
    assert all(is_live(source) for source in live)
    files = ("clip.mp4", "0.mp4", "http:clip.mp4", "file://clip", "-clip.mp4", "1234", "٣", "")
    assert not any(is_live(source) for source in files)


def test_an_address_is_read_from_the_beginning_to_the_end(
    make_clip: MakeClip, number_of: NumberOf, address: str
) -> None:
    make_clip("clip.mp4", mux={"movflags": "faststart"})
    with open_video(f"{address}/clip.mp4") as video:
        assert video.info == VideoInfo(num_frames=0, size=SIZE, fps=FPS, seconds=0.0)
        frames = list(video)
        assert video.lost == []
    assert [number_of(frame.image) for frame in frames] == list(range(40))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(40)])


def test_frames_are_limited_like_those_of_files(make_clip: MakeClip, address: str) -> None:
    make_clip("clip.ts", **STREAMED)
    with open_video(f"{address}/clip.ts", max_frames=7) as video:
        assert [frame.index for frame in video] == list(range(7))
    with pytest.raises(VideoError, match=r"clip\.ts: pictures of 96 x 64 pixels, but at most 9 "):
        open_video(f"{address}/clip.ts", max_pixels=9)


def test_there_is_no_going_back(make_clip: MakeClip, address: str) -> None:
    make_clip("clip.ts", **STREAMED)
    with open_video(f"{address}/clip.ts") as video:
        with pytest.raises(VideoError, match="can be read once and from its beginning only"):
            video.frames(5)
        assert next(video.frames()).index == 0
        with pytest.raises(VideoError, match="can be read once"):
            video.frames()


def test_a_missing_address_is_one_line(address: str) -> None:
    with pytest.raises(VideoError) as caught:
        open_video(f"{address}/none.mp4")
    expected = f"{address}/none.mp4: cannot be opened (Server returned 404 Not Found)"
    assert str(caught.value) == expected


def test_who_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and says nothing
        port = server.getsockname()[1]
        with pytest.raises(VideoError, match=r"clip\.ts: no answer within 0\.2 s"):
            open_video(f"http://127.0.0.1:{port}/clip.ts")


def serve_and_hold(server: socket.socket, content: bytes, length: int, *, then_close: bool) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
        connection.sendall(head + content)
        if not then_close:
            connection.recv(1)  # until the client goes away


@pytest.mark.parametrize("then_close", [True, False], ids=["closes", "falls silent"])
def test_what_came_before_a_connection_breaks_is_valid(
    make_clip: MakeClip,
    number_of: NumberOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    then_close: bool,
) -> None:
    monkeypatch.setattr(live, "SILENCE", 0.5)
    content = make_clip("clip.ts", **STREAMED).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        arguments = (server, content[: len(content) // 2], len(content))
        kind = {"then_close": then_close}
        Thread(target=serve_and_hold, args=arguments, kwargs=kind, daemon=True).start()
        with (
            caplog.at_level(logging.WARNING),
            LiveSource(f"http://127.0.0.1:{port}/clip.ts") as video,
        ):
            shown = [number_of(frame.image) for frame in video]
    assert shown[:10] == list(range(10))
    assert len(shown) < 30
    assert "clip.ts: damaged or broken off" in caplog.text


def test_a_camera_with_an_rtsp_address_is_read_until_it_hangs_up(
    make_clip: MakeClip, number_of: NumberOf
) -> None:
    clip = make_clip("clip.ts", **STREAMED)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as camera:
        filmed = camera.submit(film, server, clip)
        with open_video(f"rtsp://127.0.0.1:{server.getsockname()[1]}/front") as video:
            assert video.info.size == SIZE
            frames = list(video)
        assert filmed.result() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert [number_of(frame.image) for frame in frames] == list(range(40))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(40)])


READ_STANDARD_INPUT = """
from qivis.data.video import open_video

with open_video("-") as video:
    print(video.info.size, len(list(video)), video.lost)
"""


def test_standard_input_is_read_from_a_pipe(make_clip: MakeClip) -> None:
    content = make_clip("clip.ts", **STREAMED).read_bytes()
    command = [sys.executable, "-c", READ_STANDARD_INPUT]
    done = subprocess.run(command, input=content, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "(64, 96) 40 []"


def test_a_standard_input_that_was_closed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where nothing was open
    with pytest.raises(VideoError, match=r"^-: nothing is piped in; expected a video"):
        open_video("-")


def test_a_missing_webcam_is_one_line() -> None:
    with pytest.raises(VideoError, match=r"^999: no such webcam") as caught:
        open_video("999")
    assert "\n" not in str(caught.value)


def test_a_file_or_folder_with_a_number_for_a_name_is_no_webcam(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip("clip.mp4", num_frames=3)
    path.rename(path.with_name("0"))
    monkeypatch.chdir(path.parent)
    assert len(list(open_video("0"))) == 3
