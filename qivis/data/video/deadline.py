"""A watch on calls into libraries that can hang."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from qivis.data.video.source import DecoderStoppedError

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """What `work` returns or raises, unless it takes too long.

    It runs in a thread of its own, which is left alone with what hangs and does not keep the
    process from ending.

    Raises:
        DecoderStoppedError: if it does not return in time.
    """
    outcome = Future[Result]()
    Thread(target=_fulfil, args=(outcome, work), daemon=True).start()
    try:
        return outcome.result(timeout=seconds)
    except TimeoutError as error:
        if outcome.done():
            raise  # it is what the work itself has met
        raise DecoderStoppedError(f"no answer within {seconds:g} s") from error


def _fulfil(outcome: Future[Result], work: Callable[[], Result]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # it is raised where it is waited for
        outcome.set_exception(error)
