"""Chromium without a window, driven through a pipe: real pages, keys, clicks and pixels."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless",
    "--no-sandbox",  # containers run tests as root, for whom there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm is small in containers
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--mute-audio",
    "--remote-debugging-pipe",
)
KEYS = {" ": 32, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Escape": 27, "Tab": 9}


def find_chromium() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """A page in a browser of its own.

    complaints: what the console got as warnings and errors, and exceptions that nobody caught.
    requests: URLs of all that was fetched.
    """

    def __init__(self, commands: int, replies: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._replies = os.fdopen(replies, "rb")
        self._received = b""
        self._number = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._send(f"{domain}.enable")

    def close(self) -> None:
        self._commands.close()
        self._replies.close()

    def open(self, path: Path, size: tuple[int, int] = (1280, 800)) -> Self:
        """Open a file in a window of (width, height), and wait until its scripts have run."""
        self.complaints.clear()
        self.requests.clear()
        self.resize(size)
        self._loaded = False
        self._send("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._receive()
        return self

    @contextmanager
    def before_scripts(self, script: str) -> Iterator[None]:
        """Run a script in pages that are opened meanwhile, before their own."""
        added = self._send("Page.addScriptToEvaluateOnNewDocument", source=script)
        yield
        self._send("Page.removeScriptToEvaluateOnNewDocument", **added)

    def resize(self, size: tuple[int, int], scale: float = 1) -> None:
        width, height = size
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """`light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._send("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited, as JSON gives it."""
        reply = self._send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in reply:
            raise AssertionError(reply["exceptionDetails"]["exception"].get("description", reply))
        return reply["result"].get("value")

    def wait_until(self, condition: str, seconds: float = 10) -> None:
        """Wait until an expression is true, which is looked at for every picture of the screen."""
        held = self.run(
            f"""new Promise((resolve) => {{
                const end = performance.now() + {1000 * seconds};
                (function look() {{
                    if ({condition}) resolve(true);
                    else if (performance.now() > end) resolve(false);
                    else setTimeout(look, 5);
                }})();
            }})"""
        )
        assert held, f"still not true after {seconds} s: {condition}"

    def press(self, key: str, *, shift: bool = False) -> None:
        event: dict[str, Any] = {"key": key, "modifiers": 8 if shift else 0}
        event["windowsVirtualKeyCode"] = KEYS.get(key) or ord(key.upper())
        if len(key) == 1:
            event["text"] = key
        self._send("Input.dispatchKeyEvent", type="keyDown", **event)
        self._send("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, x: float, y: float) -> None:
        self.drag([(x, y)])

    def click_on(self, element: str) -> None:
        """Click into the middle of an element that an expression gives."""
        self.run(f"({element}).scrollIntoView({{block: 'nearest'}})")
        area = self.run(f"({element}).getBoundingClientRect().toJSON()")
        self.click(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press the left button at the first point, move over the others, let go at the last."""
        held = {"button": "left", "clickCount": 1}
        x, y = points[0]
        self._send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self._send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, buttons=1, **held)
        for x, y in points[1:]:
            self._send(
                "Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=1, button="left"
            )
        self._send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **held)

    def write(self, text: str) -> None:
        """Type into the element with the focus."""
        self._send("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._send("Page.captureScreenshot")["data"]))

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            reply = self._receive()
            if reply.get("id") == self._number:
                assert "error" not in reply, f"{method}: {reply['error']}"
                result: dict[str, Any] = reply["result"]
                return result

    def _receive(self) -> Mapping[str, Any]:
        while b"\0" not in self._received:
            more = os.read(self._replies.fileno(), 1 << 16)
            assert more, "the browser has gone"
            self._received += more
        text, self._received = self._received.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, params: Mapping[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.complaints.append(json.dumps(params["args"]))
        elif event == "Log.entryAdded":
            self.complaints.append(json.dumps(params["entry"]))


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Page]:
    """Start a browser with an empty profile."""
    for_browser, commands = os.pipe()
    replies, from_browser = os.pipe()
    # The browser reads from 3 and writes to 4; first out of the way of these numbers.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (for_browser, from_browser)]
    process = subprocess.Popen(
        [program, *SWITCHES, f"--user-data-dir={profile}"],
        pass_fds=(3, 4, *ends),
        preexec_fn=lambda: [os.dup2(end, place) for end, place in zip(ends, (3, 4), strict=True)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (for_browser, from_browser, *ends):
        os.close(end)
    try:
        page = Page(commands, replies)
        yield page
        page.close()
        process.wait(timeout=10)
    finally:
        process.kill()
        process.wait()
