import pytest
import torch

from qivis.ops import rle
from qivis.structures import TrackedDetections
from qivis.tracking import TrackletCollector, views_of

SIZE = (4, 6)


def tracked(*objects):
    """Objects of (track id, label, score); the mask is the column of the track id."""
    masks = torch.zeros(len(objects), *SIZE, dtype=torch.bool)
    for mask, (track_id, *_) in zip(masks, objects, strict=True):
        mask[:, track_id] = True
    return TrackedDetections(
        size=SIZE,
        boxes=torch.zeros(len(objects), 4),
        labels=torch.tensor([o[1] for o in objects], dtype=torch.int64),
        scores=torch.tensor([o[2] for o in objects]),
        masks=masks,
        embeddings=torch.zeros(len(objects), 8),
        track_ids=torch.tensor([o[0] for o in objects], dtype=torch.int64),
        likeness=torch.ones(len(objects)),
    )


def collect(frames, min_frames=1):
    collector = TrackletCollector(min_frames)
    for objects in frames:
        collector.add(views_of(tracked(*objects)))
    return collector.tracks()


def test_a_track_has_an_entry_for_every_frame_and_none_where_it_is_unseen():
    (track,) = collect([[], [(2, 0, 0.5)], [], [(2, 0, 0.5)]])
    assert [mask is not None for mask in track.masks] == [False, True, False, True]
    expected = torch.zeros(1, *SIZE, dtype=torch.bool)
    expected[..., 2] = True
    assert torch.equal(rle.decode([track.masks[1]], SIZE), expected)


def test_its_score_is_the_mean_over_the_frames_in_which_it_is_seen():
    (track,) = collect([[(0, 0, 0.9)], [], [(0, 0, 0.5)], [(0, 0, 0.4)]])
    assert track.score == pytest.approx(0.6)


def test_its_label_is_the_last_word_of_the_tracker():
    (track,) = collect([[(0, 3, 0.9)], [(0, 1, 0.1)]])
    assert track.label == 1


def test_tracks_come_by_id_whoever_is_seen_first():
    tracks = collect([[(4, 0, 0.9), (1, 0, 0.5)], [(0, 0, 0.5)]])
    assert [track.track_id for track in tracks] == [0, 1, 4]


def test_short_tracks_are_dropped():
    frames = [[(0, 0, 0.9), (1, 0, 0.9)], [(0, 0, 0.9)], [(0, 0, 0.9), (1, 0, 0.9)]]
    assert [track.track_id for track in collect(frames, min_frames=3)] == [0]


def test_in_a_video_shorter_than_the_shortest_track_nothing_is_too_short():
    assert len(collect([[(0, 0, 0.9)]], min_frames=3)) == 1


def test_a_video_without_objects_has_no_tracks():
    assert collect([[], []]) == []
    assert collect([]) == []


def test_an_object_without_a_pixel_counts_as_unseen():
    collector, frame = TrackletCollector(1), tracked((0, 0, 0.9), (1, 0, 0.9))
    frame.masks[1] = False
    collector.add(views_of(frame))
    assert [track.track_id for track in collector.tracks()] == [0]


def test_dense_masks_are_not_kept():
    collector, frame = TrackletCollector(1), tracked((0, 0, 0.9))
    collector.add(views_of(frame))
    frame.masks.zero_()
    assert rle.area(collector.tracks()[0].masks[0]) == 4
