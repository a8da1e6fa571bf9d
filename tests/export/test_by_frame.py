from qivis.export.by_frame import objects_in
from tests.tracked_clip import LOST, NUM_FRAMES, tracked_clip


def test_each_frame_has_the_objects_that_it_shows_by_id():
    clip = tracked_clip()
    ids = [[track.track_id for track, _ in objects_in(clip, frame)] for frame in range(NUM_FRAMES)]
    assert ids == [[0], [0, 4], [], [4], [4, 7]]
    assert ids[LOST] == []


def test_an_object_comes_with_its_view_of_this_frame():
    clip = tracked_clip()
    (_, first), (_, second) = objects_in(clip, 1)
    assert first is clip.tracks[0].views[1]
    assert second is clip.tracks[1].views[1]
