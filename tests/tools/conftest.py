"""What the tests of several tools need."""

from collections.abc import Callable
from types import ModuleType

import pytest

Refusal = Callable[..., str]


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """Runs a tool that must refuse: exit code 2 and a single line, in its name, which it gives."""

    def of(tool: ModuleType, *arguments: object) -> str:
        assert tool.main([str(argument) for argument in arguments]) == 2
        printed = capsys.readouterr()
        (line,) = printed.err.splitlines()
        assert line.startswith(f"{tool.__name__}: ")
        assert printed.out == ""
        return line

    return of
