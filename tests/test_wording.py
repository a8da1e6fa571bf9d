"""How messages put things."""

from qivis.wording import counted, did_you_mean


def test_one_alone_is_singular() -> None:
    told = [counted(number, "track") for number in (0, 1, 2, 21)]
    assert told == ["0 tracks", "1 track", "2 tracks", "21 tracks"]


def test_the_nearest_name_is_asked_for_if_one_is_near() -> None:
    known = ["circle", "square", "triangle"]
    assert did_you_mean("sqare", known) == "did you mean 'square'?"
    assert did_you_mean("octopus", known) == did_you_mean("x" * 10**6, known) == ""
    assert did_you_mean(7, known) == ""
