"""One object over a whole video."""

from qivis.structures import Rle, Track


def test_a_track_has_an_entry_for_every_frame() -> None:
    seen: Rle = {"size": [2, 2], "counts": "04"}
    track = Track(track_id=0, label=1, score=0.5, masks=(None, seen, None))
    assert [mask is not None for mask in track.masks] == [False, True, False]
