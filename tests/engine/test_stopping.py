"""Being asked to end, by a real signal."""

import os
import signal

import pytest

from qivis.engine.stopping import Stopping, StopSignal


def ask() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_is_remembered_and_interrupts_nothing() -> None:
    stopping = Stopping()
    before = signal.getsignal(signal.SIGTERM)
    with stopping.listening():
        assert not stopping.is_asked
        ask()
        assert stopping.is_asked
    assert signal.getsignal(signal.SIGTERM) == before


def test_where_nothing_would_be_lost_a_signal_interrupts() -> None:
    stopping = Stopping()
    with stopping.listening():
        with pytest.raises(StopSignal), stopping.at_once():
            ask()
        ask()  # outside of it, again not


def test_who_was_asked_before_does_not_begin_what_takes_long() -> None:
    stopping = Stopping()
    with stopping.listening():
        ask()
        with pytest.raises(StopSignal), stopping.at_once():
            pytest.fail("began")


def test_an_interrupt_asks_and_is_known_as_one() -> None:
    stopping = Stopping()
    with stopping.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert stopping.is_asked
        assert stopping.is_interrupted
        os.kill(os.getpid(), signal.SIGINT)  # the same, passed on by torchrun
    ask_only = Stopping()
    with ask_only.listening():
        ask()
        assert not ask_only.is_interrupted
