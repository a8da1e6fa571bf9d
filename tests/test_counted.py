"""Numbers are told with the noun's right form."""

from qivis.counted import counted


def test_one_alone_is_singular() -> None:
    told = [counted(number, "track") for number in (0, 1, 2, 21)]
    assert told == ["0 tracks", "1 track", "2 tracks", "21 tracks"]
