"""Work that goes on in a thread while the network computes."""

import functools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

Item = TypeVar("Item")
Arguments = ParamSpec("Arguments")
END = object()
PATIENCE = 1.0  # seconds to wait for what is being read when nobody wants it any more


def ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Take items in a thread, before they are asked for.

    When the rest is not wanted, the thread has a second to end: a camera, or a pipe that is still
    open, may keep it waiting for ever. It does not keep the process from ending.

    Args:
        items: what is iterated over, in the thread alone.
        depth: at most this many are taken ahead.

    Yields:
        The items in their order; an error of theirs is raised in its place.
    """
    rest = iter(items)
    room, stopped = Semaphore(depth), Event()
    taken = SimpleQueue[Future[Item | object]]()

    def take() -> None:
        item: object = None
        while item is not END and room.acquire() and not stopped.is_set():
            future = Future[Item | object]()
            try:
                item = next(rest, END)
                future.set_result(item)
            except BaseException as error:
                item = END
                future.set_exception(error)
            taken.put(future)

    worker = Thread(target=take, name="ahead", daemon=True)
    worker.start()
    try:
        while (item := taken.get().result()) is not END:
            room.release()
            yield cast(Item, item)
    finally:
        stopped.set()
        room.release()
        worker.join(PATIENCE)
        if isinstance(rest, Generator) and not worker.is_alive():
            rest.close()


class Behind:
    """Calls in a thread, in their order, at most `depth` of them outstanding.

    A call's error is raised at later calls of `call`, or when the block ends; no call is made
    after it, for each may build on the one before. After an error in the block what has not begun
    is dropped.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._pending = deque[Future[object]]()
        self._has_failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while self._pending and error is None:
                self._await_first()
        finally:
            self._worker.shutdown(cancel_futures=True)

    def call(
        self,
        function: Callable[Arguments, object],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        """Have a function called, once those before are done; waits if too many are outstanding."""
        while len(self._pending) >= self._depth:
            self._await_first()
        made = functools.partial(function, *args, **kwargs)
        self._pending.append(self._worker.submit(self._unless_failed, made))

    def _unless_failed(self, made: Callable[[], object]) -> None:
        if self._has_failed:
            return
        try:
            made()
        except BaseException:
            self._has_failed = True
            raise

    def _await_first(self) -> None:
        self._pending[0].result()  # stays, should it fail or this be interrupted
        self._pending.popleft()
