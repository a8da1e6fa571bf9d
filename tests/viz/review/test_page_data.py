"""The JSON of a page: tracks without what is before and after them, and all else by name."""

from qivis.viz.palette import color
from qivis.viz.review.moments import suspicious_moments
from qivis.viz.review.page_data import best_frame, to_page_data, to_track_data
from tests.review_clips import clip, seen, track

BOX = (80, 40, 110, 80)
VIEWS = {4: seen(BOX, 0.5), 5: seen(BOX, 0.7), 7: seen(BOX, 0.7)}


def test_a_track_is_told_from_its_first_to_its_last_view() -> None:
    animal = track(3, VIEWS, label=1)
    data = to_track_data(animal, clip(animal))
    counts = VIEWS[4].mask["counts"]
    assert data["first"] == 4
    assert data["masks"] == [counts, counts, None, counts]
    assert data["scores"] == [0.5, 0.7, None, 0.7]
    assert (data["id"], data["category"], data["score"]) == (3, "animal", 0.633)
    assert tuple(bytes.fromhex(data["color"][1:])) == color(3)


def test_the_portrait_is_of_the_first_of_the_best_frames() -> None:
    assert best_frame(track(3, VIEWS)) == 5
    assert to_track_data(track(3, VIEWS), clip(track(3, VIEWS)))["portrait"] == "3@5"


def test_a_page_knows_both_times_of_every_frame() -> None:
    found = clip(track(3, VIEWS), lost=[6])
    shown = [None if frame == 6 else frame / 20 for frame in range(30)]
    data = to_page_data(found, ("a.mp4", "runs/a"), shown, suspicious_moments(found), {"3@5": b"x"})
    assert data["seconds"][5:8] == [0.5, None, 0.7]
    assert data["shown"][5:8] == [0.25, None, 0.35]
    assert (data["name"], data["run"], data["size"]) == ("a.mp4", "runs/a", [120, 200])
    assert data["categories"] == ["person", "animal"]
    assert data["thumbnails"] == {"3@5": "eA=="}


def test_a_moment_is_told_with_two_portraits() -> None:
    found = clip(
        track(3, {frame: seen(BOX) for frame in range(10)}),
        track(7, {frame: seen(BOX) for frame in range(10, 30)}),
    )
    data = to_page_data(found, ("a", "b"), found.times, suspicious_moments(found), {})
    assert data["moments"] == [
        {
            "start": 9,
            "frame": 10,
            "tracks": [3, 7],
            "score": 1.0,
            "reason": "person 3 ends, and person 7 begins close by in the next frame",
            "remedy": "merge",
            "portraits": ["3@9", "7@10"],
        }
    ]
