"""Which index a decoded picture has, also where pictures before it are missing."""

import heapq
import math


class Numbering:
    """Counts the pictures that a stream promises, and finds those that never come.

    It is told of every packet before that is decoded and of every picture that comes out, by
    their ticks: the times at which they are to be shown, None where there is none. A packet that
    stays without a picture is a lost frame if it or one before it was damaged; otherwise it is
    not meant to be seen, as what precedes the first key frame.

    start: losses before this index are not recorded.
    lost: indices of lost frames, ascending.
    unseen: packets without a picture and without a reason, from the first picture on.
    origin: the tick of index 0, once that is known.
    """

    def __init__(self, start: int = 0) -> None:
        self.lost = list[int]()
        self.unseen = 0
        self.origin: int | None = None
        self._start = start
        self._next = 0
        self._waiting = list[int]()  # a heap: ticks of packets that gave no picture so far
        self._untimed = 0  # the same, of packets without a tick
        self._damaged_from = math.inf

    def expect(self, tick: int | None) -> None:
        """A packet with a picture comes."""
        if tick is None:
            self._untimed += 1
        else:
            heapq.heappush(self._waiting, tick)

    def suspect(self, tick: int | None = None) -> None:
        """There may be damage in a packet; without a tick, in anything that is under way."""
        self._damaged_from = min(self._damaged_from, -math.inf if tick is None else tick)

    def fail(self, tick: int | None) -> None:
        """A packet could not be decoded; one without a tick is lost where the decoder is now."""
        if tick is not None:
            self.suspect(tick)
        elif self._untimed:
            self._untimed -= 1
            self._lose(1)

    def place(self, tick: int | None) -> int:
        """The index of the picture that comes out next."""
        while self._waiting and tick is not None and self._waiting[0] < tick:
            self._give_up()
        if tick is None and self._untimed:
            self._untimed -= 1
        elif self._waiting and tick in (None, self._waiting[0]):
            tick = heapq.heappop(self._waiting)
        return self._count(tick)

    def finish(self, cut_off: int) -> None:
        """No picture comes any more, and `cut_off` are known to have followed."""
        while self._waiting:
            self._give_up()
        self.unseen += self._untimed
        self._lose(cut_off)

    def _give_up(self) -> None:
        tick = heapq.heappop(self._waiting)
        if tick >= self._damaged_from:
            self._lose(1, tick)
        elif self._next:
            self.unseen += 1

    def _lose(self, count: int, tick: int | None = None) -> None:
        for _ in range(count):
            index = self._count(tick)
            if index >= self._start:
                self.lost.append(index)

    def _count(self, tick: int | None) -> int:
        if self._next == 0:
            self.origin = tick
        self._next += 1
        return self._next - 1
