"""Moments that look like identity switches: worked out by hand, at ten frames a second.

So the window is 30 frames, and signs at most 5 frames apart belong together.
"""

import pytest

from qivis.structures import Track
from qivis.viz.review.moments import Moment, Remedy, Sign, suspicious_moments
from tests.review_clips import Box, clip, seen, track

HERE = (80, 40, 110, 80)  # a diagonal of 50 pixels
ASIDE = (90, 40, 120, 80)  # 10 pixels further: a closeness of 0.8
THERE = (120, 40, 150, 80)  # 40 pixels further: 0.2
FAR = (10, 10, 40, 50)


def still(track_id: int, frames: range, box: Box = HERE, label: int = 0) -> Track:
    return track(track_id, {frame: seen(box) for frame in frames}, label=label)


def moments(*tracks: Track) -> list[Moment]:
    return suspicious_moments(clip(*tracks))


def test_objects_that_stay_are_not_suspicious() -> None:
    assert moments(still(0, range(30)), still(1, range(30), FAR)) == []
    assert moments() == []


def test_a_track_that_begins_where_another_has_ended() -> None:
    (moment,) = moments(still(3, range(10)), still(7, range(10, 30), ASIDE))
    assert (moment.sign, moment.remedy) == (Sign.HANDOVER, Remedy.MERGE)
    assert (moment.start, moment.frame, moment.track_ids) == (9, 10, (3, 7))
    assert moment.score == pytest.approx(0.8)
    assert moment.reason == "person 3 ends, and person 7 begins close by in the next frame"
    assert moment.portraits == ((3, 9), (7, 10))


def test_a_handover_fades_with_the_frames_between() -> None:
    (moment,) = moments(still(3, range(10)), still(7, range(16, 30), ASIDE))
    assert moment.score == pytest.approx(0.8 * (1 - 6 / 30))
    assert moment.reason.endswith("begins close by 6 frames later")


def test_each_end_and_each_beginning_have_one_partner() -> None:
    found = moments(still(0, range(10)), still(1, range(12, 30), ASIDE), still(2, range(11, 30)))
    handovers = [moment.track_ids for moment in found if moment.sign is Sign.HANDOVER]
    assert handovers == [(0, 2)]


@pytest.mark.parametrize(
    "second",
    [
        still(7, range(10, 30), FAR),
        still(7, range(10, 30), label=1),
    ],
    ids=["elsewhere", "of another class"],
)
def test_who_is_surely_another_is_not_suspected(second: Track) -> None:
    assert moments(still(3, range(10)), second) == []


def test_a_track_that_begins_on_another() -> None:
    # 20 of 40 columns are common.
    (moment,) = moments(still(3, range(30)), still(7, range(12, 30), (90, 40, 120, 80)))
    assert (moment.sign, moment.remedy) == (Sign.OVERLAP, Remedy.MERGE)
    assert (moment.start, moment.frame, moment.track_ids) == (11, 12, (3, 7))
    assert moment.score == pytest.approx(0.5)
    assert moment.reason == "person 7 begins on top of person 3: their masks share 50%"
    assert moment.portraits == ((3, 12), (7, 12))


def test_a_track_that_ends_on_another() -> None:
    (moment,) = moments(still(3, range(30)), still(7, range(13), ASIDE))
    assert (moment.frame, moment.track_ids) == (12, (3, 7))
    assert moment.reason == "person 7 ends on top of person 3: their masks share 50%"


def test_a_mask_that_jumps() -> None:
    views = {frame: seen(HERE if frame < 10 else THERE) for frame in range(30)}
    (moment,) = moments(track(4, views))
    assert (moment.sign, moment.remedy) == (Sign.JUMP, Remedy.SPLIT)
    assert (moment.start, moment.frame, moment.track_ids) == (9, 10, (4,))
    assert moment.score == pytest.approx(1 - 2 * (1 - 40 / 50))
    assert moment.reason == "person 4 jumps by 40 pixels"
    assert moment.portraits == ((4, 9), (4, 10))


def test_a_jump_to_where_another_was() -> None:
    views = {frame: seen(HERE if frame < 10 else THERE) for frame in range(30)}
    found = moments(track(4, views), still(9, range(10), THERE))
    (jump,) = [moment for moment in found if moment.sign is Sign.JUMP]
    assert jump.track_ids == (4, 9)
    assert jump.reason == "person 4 jumps by 40 pixels, to where person 9 was"
    assert jump.portraits == ((4, 9), (4, 10))  # of the track that is to be split


def test_two_that_change_places_are_one_moment() -> None:
    views = {frame: seen(HERE if frame < 10 else THERE) for frame in range(30)}
    others = {frame: seen(THERE if frame < 10 else HERE) for frame in range(30)}
    (moment,) = moments(track(4, views), track(9, others))
    assert (moment.sign, moment.remedy) == (Sign.SWAP, Remedy.SWAP)
    assert (moment.start, moment.frame, moment.track_ids) == (9, 10, (4, 9))
    assert moment.score == pytest.approx(1 - 2 * (1 - 40 / 50))  # that of a jump
    assert moment.reason == "person 4 and person 9 change places"
    assert moment.portraits == ((4, 9), (4, 10))


def test_looks_of_those_who_change_places_speak_for_that() -> None:
    """Also where one is stronger than the jump is."""
    views = {
        frame: seen(HERE if frame < 10 else THERE, likeness=0.09 if frame == 11 else 0.9)
        for frame in range(30)
    }
    others = {frame: seen(THERE if frame < 10 else HERE) for frame in range(30)}
    (moment,) = moments(track(9, views), track(4, others))
    assert (moment.sign, moment.frame, set(moment.track_ids)) == (Sign.SWAP, 10, {4, 9})
    look, jump = (1 - 0.09 / 0.9) * 11 / 13, 1 - 2 * (1 - 40 / 50)
    assert look > jump
    assert moment.score == pytest.approx(1 - (1 - look) * (1 - jump))
    assert "change places; person 9 looks unlike before" in moment.reason


def test_one_that_goes_to_where_another_stays_changes_no_place() -> None:
    views = {frame: seen(HERE if frame < 10 else THERE) for frame in range(30)}
    found = moments(track(4, views), still(9, range(30), THERE))
    assert [(moment.sign, moment.remedy) for moment in found] == [(Sign.JUMP, Remedy.SPLIT)]


def test_who_moves_steadily_does_not_jump() -> None:
    step = 38  # of 50 pixels of diagonal
    views = {frame: seen((4 + step * frame, 40, 34 + step * frame, 80)) for frame in range(5)}
    assert [moment.frame for moment in moments(track(4, views))] == [1]  # the first step surprises


def test_a_mask_that_grows_at_once() -> None:
    views = {
        frame: seen((90, 50, 100, 60) if frame < 10 else (60, 20, 130, 90)) for frame in range(30)
    }
    (moment,) = moments(track(4, views))
    assert moment.score == pytest.approx(1 - 2 / 7)  # 49 times the area
    assert moment.reason == "person 4 is suddenly 49.0 times larger"


def test_a_look_that_is_unlike_the_track() -> None:
    views = {frame: seen(HERE, likeness=0.3 if frame == 10 else 0.9) for frame in range(30)}
    (moment,) = moments(track(5, views))
    assert (moment.sign, moment.remedy) == (Sign.LOOK, Remedy.SPLIT)
    assert (moment.start, moment.frame, moment.track_ids) == (9, 10, (5,))
    assert moment.score == pytest.approx((1 - 0.3 / 0.9) * 10 / 12)
    assert moment.reason == "person 5 looks unlike before: likeness 0.30, usually 0.90"


def test_a_look_after_an_absence_says_so() -> None:
    views = {frame: seen(HERE, likeness=0.9) for frame in range(10)}
    views |= {frame: seen(HERE, likeness=0.3 if frame == 13 else 0.9) for frame in range(13, 30)}
    (moment,) = moments(track(5, views))
    assert moment.start == 9
    assert moment.reason.endswith("usually 0.90, after 3 frames out of sight")


def test_looks_at_the_border_count_half() -> None:
    box = (170, 40, 200, 80)
    views = {frame: seen(box, likeness=0.3 if frame == 10 else 0.9) for frame in range(30)}
    (moment,) = moments(track(5, views))
    assert moment.score == pytest.approx((1 - 0.3 / 0.9) * 10 / 12 / 2)


def test_signs_of_one_trouble_become_one_moment() -> None:
    there = (120, 40, 150, 80)
    views = {frame: seen(HERE) for frame in range(10)}
    views |= {frame: seen(there, likeness=0.4 if frame == 12 else 1) for frame in range(10, 30)}
    (moment,) = moments(track(4, views))
    jump, look = 1 - 2 * (1 - 40 / 50), (1 - 0.4) * 12 / 14
    assert moment.score == pytest.approx(1 - (1 - jump) * (1 - look))
    assert moment.frame == 10  # of the stronger sign
    assert moment.reason == (
        "person 4 jumps by 40 pixels; person 4 looks unlike before: likeness 0.40, usually 1.00"
    )


def test_signs_far_apart_stay_apart_and_the_worst_comes_first() -> None:
    dips = {8: 0.5, 20: 0.2}
    views = {frame: seen(HERE, likeness=dips.get(frame, 1)) for frame in range(30)}
    found = moments(track(4, views))
    assert [moment.frame for moment in found] == [20, 8]
    assert found[0].score > found[1].score
