"""One object over a whole video."""

import pytest

from qivis.structures import Rle, Track, View

SEEN: Rle = {"size": [2, 2], "counts": "04"}


def test_a_track_has_a_mask_for_every_frame_and_none_where_it_is_unseen() -> None:
    track = Track(track_id=0, label=1, views=(None, View(SEEN, 0.5, 1.0), None))
    assert track.masks == (None, SEEN, None)
    assert track.num_seen == 1


def test_its_score_is_the_mean_over_the_frames_in_which_it_is_seen() -> None:
    track = Track(0, 1, (View(SEEN, 0.9, 1.0), None, View(SEEN, 0.5, 1.0), View(SEEN, 0.4, 1.0)))
    assert track.score == pytest.approx(0.6)
