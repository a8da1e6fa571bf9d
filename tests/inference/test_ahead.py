import itertools
import signal
import threading
import time

import pytest

from qivis.inference.ahead import Behind, ahead


def test_items_come_in_their_order():
    assert list(ahead(range(100), depth=3)) == list(range(100))
    assert list(ahead([], depth=3)) == []


def test_items_are_taken_in_another_thread_and_only_so_many_ahead():
    taken, threads = [], set()

    def counted():
        for index in itertools.count():
            taken.append(index)
            threads.add(threading.get_ident())
            yield index

    stream = ahead(counted(), depth=2)
    for index in range(5):
        assert next(stream) == index
        time.sleep(0.02)
        assert len(taken) <= index + 4  # the one in hand, two ahead, one being taken
    stream.close()
    assert threading.get_ident() not in threads


def test_an_error_comes_in_its_place():
    stream = ahead((6 // divisor for divisor in (2, 3, 0, 1)), depth=3)
    assert (next(stream), next(stream)) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_what_is_not_taken_to_its_end_is_closed():
    closed = []

    def guarded():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    stream = ahead(guarded(), depth=2)
    next(stream)
    stream.close()
    assert closed == [True]


def test_whoever_waits_for_ever_for_the_next_item_is_left_behind(monkeypatch):
    monkeypatch.setattr("qivis.inference.ahead.PATIENCE", 0.05)
    gate = threading.Event()

    def silent():
        yield 1
        gate.wait(20)

    stream = ahead(silent(), depth=2)
    assert next(stream) == 1
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 5
    gate.set()


def test_calls_are_made_in_their_order_in_one_other_thread():
    made = []
    with Behind(depth=2) as behind:
        for index in range(20):
            behind.call(lambda value: made.append((value, threading.get_ident())), index)
    assert [index for index, _ in made] == list(range(20))
    assert len({thread for _, thread in made}) == 1
    assert made[0][1] != threading.get_ident()


def test_whoever_calls_too_fast_waits():
    gate, made = threading.Event(), []

    def slow(index):
        gate.wait(5)
        made.append(index)

    with Behind(depth=2) as behind:
        behind.call(slow, 0)
        behind.call(slow, 1)
        threading.Timer(0.05, gate.set).start()
        behind.call(slow, 2)  # returns only when the first is done
        assert made[:1] == [0]
    assert made == [0, 1, 2]


def divide(divisor):
    return 1 // divisor


def test_an_error_of_a_call_is_raised_at_the_end_of_the_block():
    def call_once():
        with Behind(depth=2) as behind:
            behind.call(divide, 0)

    with pytest.raises(ZeroDivisionError):
        call_once()


def fail_after(gate):
    gate.wait(5)
    raise ZeroDivisionError


def test_after_a_call_that_fails_no_other_is_made():
    gate, made = threading.Event(), []

    def call_thrice():
        with Behind(depth=3) as behind:
            behind.call(fail_after, gate)
            behind.call(made.append, 1)
            behind.call(made.append, 2)
            gate.set()

    with pytest.raises(ZeroDivisionError):
        call_thrice()
    assert made == []


def test_an_interrupt_while_a_call_is_awaited_does_not_hide_its_error():
    gate, made = threading.Event(), []

    def interrupted():
        with Behind(depth=1) as behind:
            behind.call(fail_after, gate)
            main = threading.main_thread().ident
            threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT]).start()
            with pytest.raises(KeyboardInterrupt):
                behind.call(made.append, 1)
            gate.set()
            behind.call(made.append, 2)

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert made == []


def test_after_an_error_in_the_block_nothing_more_is_begun():
    gate, made = threading.Event(), []

    def fail():
        with Behind(depth=3) as behind:
            behind.call(gate.wait, 5)
            behind.call(made.append, 1)
            threading.Timer(0.05, gate.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert made == []
