"""A server of published weights on the loopback interface."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a server on the loopback interface offers in place of the published files."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "mirror"
    folder.mkdir()
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    ) as server:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("QIVIS_WEIGHTS_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("QIVIS_HOME", str(tmp_path / "home"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder
        server.shutdown()
        thread.join()
