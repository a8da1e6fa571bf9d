from fractions import Fraction

import pytest

from qivis.errors import ConfigError
from qivis.inference.edits import Edit, drop, drop_short, merge, rename, split, swap
from qivis.structures import Categories, Category, Track, TrackedClip, View

CATEGORIES = Categories((Category(1, "person"), Category(18, "dog"), Category(44, "cow")))


def view(score, likeness=0.5):
    return View({"size": [1, 1], "counts": "01"}, score, likeness)


A, B, C, D, E = (view(score) for score in (0.9, 0.2, 0.3, 0.6, 0.6))
CLIP = TrackedClip(
    (1, 1),
    Fraction(10),
    (0.0, 0.1, None, 0.3, 0.4),
    CATEGORIES,
    (
        Track(0, 0, (A, B, None, None, None)),
        Track(1, 0, (None, None, None, D, None)),
        Track(3, 1, (None, C, None, D, E)),
        Track(7, 2, (None, None, None, E, A)),
    ),
)


def views(clip):
    return {track.track_id: track.views for track in clip.tracks}


def labels(clip):
    return {track.track_id: track.label for track in clip.tracks}


def refusal(function, *arguments):
    with pytest.raises(ConfigError) as caught:
        function(CLIP, *arguments)
    return str(caught.value)


def test_merged_tracks_have_the_id_and_the_class_of_the_first():
    clip, said = merge(CLIP, [7, 0])
    assert views(clip) == {
        1: (None, None, None, D, None),
        3: (None, C, None, D, E),
        7: (A, B, None, E, A),
    }
    assert labels(clip)[7] == 2
    assert said == "tracks 7, 0 are one now, track 7 (cow), seen in 4 frames"


def test_where_merged_tracks_are_both_seen_the_better_score_stays():
    clip, said = merge(CLIP, [0, 3])
    assert views(clip)[0] == (A, C, None, D, E)  # in frame 1 that of track 3
    assert labels(clip)[0] == 0
    assert said.endswith("1 frame showed more than one of them: the better score stayed")


def test_of_equal_scores_the_one_named_first_stays():
    assert D.score == E.score
    assert D is not E
    assert merge(CLIP, [7, 3]).clip.tracks[-1].views[3] is E
    assert merge(CLIP, [3, 7]).clip.tracks[-1].views[3] is D


def test_more_than_two_tracks_are_merged_at_once():
    clip, said = merge(CLIP, [1, 0, 3, 7])
    assert views(clip) == {1: (A, C, None, D, A)}
    assert "tracks 1, 0, 3, 7 are one" in said
    assert "3 frames showed more than one of them" in said


def test_a_track_cannot_be_merged_with_itself():
    assert refusal(merge, [3, 7, 3]) == "track 3 is named twice; name each track once"


def test_a_split_track_is_another_object_from_the_frame_on():
    clip, said = split(CLIP, 3, 3)
    assert views(clip)[3] == (None, C, None, None, None)
    new = views(clip)[8]
    assert new == (None, None, None, view(D.score, 1.0), E)  # nobody looked like it before
    assert labels(clip)[8] == 1
    assert said == "track 3 ends before frame 3, and is track 8 from there on"


def test_a_split_may_be_in_a_gap():
    clip, _ = split(CLIP, 3, 2)
    assert views(clip)[3] == (None, C, None, None, None)
    assert views(clip)[8] == (None, None, None, view(D.score, 1.0), E)


def test_merging_what_was_split_gives_the_masks_back():
    clip = merge(split(CLIP, 3, 4).clip, [3, 8]).clip
    assert [track.masks for track in clip.tracks] == [track.masks for track in CLIP.tracks]


@pytest.mark.parametrize("frame", [0, 1])
def test_a_split_leaves_something_of_both_halves(frame):
    assert refusal(split, 3, frame) == (
        f"track 3 is seen in frames 1 to 4, so a split at {frame} would leave one half empty; "
        "choose one from 2 to 4"
    )


def test_what_is_seen_once_cannot_be_split():
    assert refusal(split, 1, 4).endswith("one half empty; it cannot be split")


@pytest.mark.parametrize("frame", [5, -1])
def test_a_split_is_within_the_clip(frame):
    assert refusal(split, 3, frame) == f"there is no frame {frame}; the clip has frames 0 to 4"


def test_tracks_that_were_mixed_up_are_each_the_other_from_the_frame_on():
    clip, said = swap(CLIP, (0, 3), 1)
    assert views(clip)[0] == (A, C, None, D, E)
    assert views(clip)[3] == (None, B, None, None, None)
    assert [views(clip)[track_id] for track_id in (1, 7)] == [
        CLIP.tracks[1].views,
        (None,) * 3 + (E, A),
    ]
    assert labels(clip) == labels(CLIP)
    assert said == "tracks 0 and 3 are swapped from frame 1 on"


def test_what_is_swapped_twice_is_as_before():
    assert swap(swap(CLIP, (3, 7), 4).clip, (7, 3), 4).clip == CLIP


def test_a_swap_may_take_over_what_another_has_begun():
    clip, _ = swap(CLIP, (0, 3), 2)  # where 0 is not seen any more
    assert views(clip)[0] == (A, B, None, D, E)
    assert views(clip)[3] == (None, C, None, None, None)


@pytest.mark.parametrize(
    ("track_ids", "frame", "reason"),
    [
        ((3, 3), 2, "track 3 is named twice; name two tracks"),
        ((3, 4), 2, "there is no track 4; there are 0, 1, 3, 7"),
        ((3, 7), 5, "there is no frame 5; the clip has frames 0 to 4"),
        ((0, 1), 4, "neither track is seen from frame 4 on; choose an earlier frame"),
        ((1, 7), 3, "neither track is seen before frame 3; choose a later frame"),
        ((0, 1), 2, "nothing of track 1 would be left; merge the tracks instead"),
        ((1, 0), 2, "nothing of track 1 would be left; merge the tracks instead"),
    ],
)
def test_a_swap_that_makes_no_sense_is_refused(track_ids, frame, reason):
    assert refusal(swap, track_ids, frame) == reason


def test_a_dropped_track_is_gone():
    clip, said = drop(CLIP, 3)
    assert list(views(clip)) == [0, 1, 7]
    assert said == "track 3 (dog), seen in 3 frames, is dropped"


def test_all_tracks_may_be_dropped():
    clip = CLIP
    for track in CLIP.tracks:
        clip = drop(clip, track.track_id).clip
    assert clip.tracks == ()
    with pytest.raises(ConfigError, match="there is no track 3; there are none at all"):
        drop(clip, 3)


def test_a_renamed_track_has_another_class():
    clip, said = rename(CLIP, 3, "cow")
    assert labels(clip) == {0: 0, 1: 0, 3: 2, 7: 2}
    assert views(clip) == views(CLIP)
    assert said == "track 3 is of class cow, and was of class dog"


def test_unknown_classes_are_refused_with_the_nearest_one():
    assert refusal(rename, 3, "persn") == (
        "there is no class 'persn'; did you mean 'person'? known: person, dog, cow"
    )
    assert refusal(rename, 3, "xyz") == "there is no class 'xyz'; known: person, dog, cow"


def test_tracks_that_are_hardly_seen_are_dropped():
    clip, said = drop_short(CLIP, 3)
    assert list(views(clip)) == [3]
    assert said == "tracks seen in fewer than 3 frames dropped: 0, 1, 7"
    assert drop_short(CLIP, 1) == (CLIP, "tracks seen in fewer than 1 frame dropped: none")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(merge, ([0, 9],)), (split, (9, 2)), (drop, (9,)), (rename, (9, "dog"))],
    ids=["merge", "split", "drop", "rename"],
)
def test_unknown_tracks_are_refused_with_those_that_exist(function, arguments):
    assert refusal(function, *arguments) == "there is no track 9; there are 0, 1, 3, 7"


def test_many_ids_are_named_as_ranges():
    clip = split(split(CLIP, 3, 3).clip, 7, 4).clip
    with pytest.raises(ConfigError, match="there are 0, 1, 3, 7-9"):
        drop(clip, 5)


def test_a_refusal_tells_which_edit_it_is_about():
    edit = Edit("--drop 9", lambda clip: drop(clip, 9))
    with pytest.raises(ConfigError, match="--drop 9: there is no track 9; there are"):
        edit.apply(CLIP)
    assert Edit("--drop 3", lambda clip: drop(clip, 3)).apply(CLIP) == drop(CLIP, 3)
