"""What is known of a clip before it is done; the rest of its way is in test_command.py."""

from fractions import Fraction

import pytest

from qivis.data.video import VideoInfo
from qivis.inference.arguments import parse_args
from qivis.inference.one_clip import frames_to_come


@pytest.mark.parametrize(
    ("claimed", "flags", "expected"),
    [
        (100, (), 100),
        (100, ("--max-frames", 50), 50),
        (100, ("--seconds", 2.5, "--stride", 2), 38),  # of 75, at 30 a second
        (0, ("--max-frames", 50), 50),
        (0, ("--seconds", 2), 60),
        (0, (), 0),
    ],
)
def test_as_many_frames_are_expected_as_is_known(claimed, flags, expected):
    info = VideoInfo(claimed, (48, 64), Fraction(30), 0.0)
    assert frames_to_come(info, parse_args(["clip.mp4", *map(str, flags)])) == expected
