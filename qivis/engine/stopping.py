"""SIGTERM, by which schedulers announce that they will soon kill: the training saves, and ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSignal(BaseException):
    """Raised where a training need not finish what it is doing."""


class Stopping:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self.is_asked = False
        self._at_once = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, SIGTERM asks instead of ending the process; main thread only."""
        before = signal.signal(signal.SIGTERM, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

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

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_asked = True
        if self._at_once:
            raise StopSignal
