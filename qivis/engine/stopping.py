"""Being asked to end, upon which the training saves: by SIGTERM, or by Ctrl-C (SIGINT).

Schedulers announce by the former that they will soon kill.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C reaches all processes of a terminal, and torchrun passes it on to those that had it. Only
# one that comes later is another.
SAME_INTERRUPT_SECONDS = 2.0


class StopSignal(BaseException):
    """Raised where a training need not finish what it is doing."""


class Stopping:
    """Whether the process was asked to end.

    is_asked: by either signal.
    is_interrupted: by SIGINT.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.is_interrupted = False
        self._interrupted_at = 0.0
        self._at_once = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, signals ask instead of ending the process; main thread only.

        A second Ctrl-C ends it nevertheless.
        """
        terminate = signal.signal(signal.SIGTERM, self._ask)
        interrupt = signal.getsignal(signal.SIGINT)
        if interrupt != signal.SIG_IGN:  # shells have what runs in the background ignore it
            signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, terminate)
            signal.signal(signal.SIGINT, interrupt)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """In the block, which changes nothing but takes long, being asked raises `StopSignal`."""
        self._at_once = True
        try:
            if self.is_asked:
                raise StopSignal
            yield
        finally:
            self._at_once = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.is_interrupted:
            self.is_interrupted = True
            self._interrupted_at = now
        elif now - self._interrupted_at > SAME_INTERRUPT_SECONDS:
            raise KeyboardInterrupt
        self._ask(number, frame)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_asked = True
        if self._at_once:
            raise StopSignal
