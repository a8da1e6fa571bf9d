from dataclasses import replace

import pytest
import torch

from qivis.config.schema import TrackingConfig
from qivis.structures import Detections
from qivis.tracking import build_tracker

SIZE = (100, 200)
RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
CONFIG = TrackingConfig()


def frame(*objects):
    """Detections of (box, looks, score, label), whose masks fill their boxes."""
    masks = torch.zeros(len(objects), *SIZE, dtype=torch.bool)
    for mask, ((x1, y1, x2, y2), *_) in zip(masks, objects, strict=True):
        mask[y1:y2, x1:x2] = True
    return Detections(
        size=SIZE,
        boxes=torch.tensor([o[0] for o in objects], dtype=torch.float32).view(-1, 4),
        labels=torch.tensor([o[3] for o in objects], dtype=torch.int64),
        scores=torch.tensor([o[2] for o in objects], dtype=torch.float32),
        masks=masks,
        embeddings=torch.tensor([o[1] for o in objects], dtype=torch.float32).view(-1, 3),
    )


def seen(x, looks=RED, score=0.9, label=0):
    """A 20 x 20 object in the middle row, `x` pixels from the left."""
    return (x, 40, x + 20, 60), looks, score, label


def ids_of(frames, config=CONFIG):
    tracker = build_tracker(config)
    return [tracker.update(detections).track_ids.tolist() for detections in frames]


def test_ids_start_at_zero_and_stay():
    frames = [frame(seen(x, RED, 0.9), seen(x + 100, GREEN, 0.8)) for x in range(0, 60, 6)]
    assert ids_of(frames) == [[0, 1]] * 10


def test_a_new_object_gets_the_next_id():
    frames = [frame(seen(10)), frame(seen(10), seen(100, GREEN)), frame(seen(100, GREEN))]
    assert ids_of(frames) == [[0], [0, 1], [1]]


def test_object_keeps_its_id_after_an_absence():
    absence = [frame()] * (CONFIG.memory_frames - 1)
    assert ids_of([frame(seen(10)), *absence, frame(seen(10))])[-1] == [0]


def test_object_that_reappears_elsewhere_keeps_its_id_by_its_looks():
    absence = [frame()] * (CONFIG.memory_frames - 1)
    assert ids_of([frame(seen(10)), *absence, frame(seen(150))])[-1] == [0]


def test_object_unseen_for_too_long_comes_back_as_a_new_one():
    absence = [frame()] * CONFIG.memory_frames
    assert ids_of([frame(seen(10)), *absence, frame(seen(10))])[-1] == [1]


def test_crossing_objects_keep_their_ids_by_their_looks():
    tracker = build_tracker(CONFIG)
    for step in range(17):  # hidden where they meet, so that the place says nothing of who is who
        left, right = seen(10 * step, RED, 0.8), seen(160 - 10 * step, GREEN, 0.9)
        tracked = tracker.update(frame() if 6 <= step <= 10 else frame(left, right))
        looks = {tuple(row) for row in tracked.embeddings.tolist()}
        if looks:
            red = tracked.track_ids[tracked.embeddings[:, 0] == 1].item()
            assert (red, len(tracked)) == (1, 2)


def test_lookalikes_keep_their_ids_by_their_places():
    frames = [frame(seen(x, RED, 0.9), seen(x + 60, RED, 0.8)) for x in range(0, 60, 6)]
    assert ids_of(frames) == [[0, 1]] * 10


def test_a_small_fast_object_keeps_its_id():
    frames = [frame(((x, 40, x + 6, 46), RED, 0.9, 0)) for x in range(0, 190, 9)]
    assert ids_of(frames) == [[0]] * len(frames)


def test_a_lone_unlike_object_elsewhere_opens_a_new_track():
    assert ids_of([frame(seen(10, RED)), frame(seen(150, GREEN))]) == [[0], [1]]


def test_a_lone_unlike_object_opens_a_new_track_long_after_the_other_left():
    frames = [frame(seen(10, RED)), *[frame()] * 20, frame(seen(150, GREEN))]
    assert ids_of(frames)[-1] == [1]


def test_low_scores_continue_a_track_but_do_not_start_one():
    low = (CONFIG.keep_score + CONFIG.birth_score) / 2
    frames = [frame(seen(10, score=s)) for s in (low, CONFIG.birth_score, low, low)]
    assert ids_of(frames) == [[], [0], [0], [0]]


WEAK = (CONFIG.keep_score + CONFIG.birth_score) / 2


def test_a_weak_detection_elsewhere_does_not_carry_a_track_away():
    assert ids_of([frame(seen(10)), frame(seen(150, score=WEAK))])[-1] == []


@pytest.mark.parametrize(
    ("absence", "expected"), [(CONFIG.recent_frames - 1, [0]), (CONFIG.recent_frames, [])]
)
def test_a_weak_detection_does_not_bring_a_track_back_after_long(absence, expected):
    frames = [frame(seen(10)), *[frame()] * absence, frame(seen(10, score=WEAK))]
    assert ids_of(frames)[-1] == expected


def test_scores_too_low_to_look_at_continue_nothing():
    assert ids_of([frame(seen(10)), frame(seen(10, score=CONFIG.keep_score / 2))])[-1] == []


def test_a_birth_score_below_the_gate_lowers_the_gate():
    config = replace(CONFIG, birth_score=0.02)
    assert ids_of([frame(seen(10, score=0.05))], config) == [[0]]


def test_of_two_masks_of_one_object_the_better_is_tracked():
    duplicate = (10, 40, 29, 60), GREEN, 0.8, 1
    tracked = build_tracker(CONFIG).update(frame(seen(10), duplicate))
    assert tracked.scores.tolist() == pytest.approx([0.9])


def test_empty_frames_give_empty_results():
    tracker = build_tracker(CONFIG)
    for _ in range(3):
        tracked = tracker.update(frame())
        assert (len(tracked), tracked.masks.shape) == (0, (0, *SIZE))


def test_order_of_detections_does_not_matter():
    objects = [seen(10, RED, 0.9), seen(60, GREEN, 0.8), seen(110, BLUE, 0.7), seen(160, RED, 0.6)]
    moved = [((x1 + 5, y1, x2 + 5, y2), *rest) for (x1, y1, x2, y2), *rest in objects]
    forward = ids_of([frame(*objects), frame(*moved)])
    backward = ids_of([frame(*objects[::-1]), frame(*moved[::-1])])
    assert forward == backward == [[0, 1, 2, 3]] * 2


def test_ids_are_unique_in_every_frame():
    generator = torch.Generator().manual_seed(0)
    tracker = build_tracker(CONFIG)
    for _ in range(30):
        corners = torch.randint(0, 80, (12, 2), generator=generator).tolist()
        objects = [((x, y, x + 15, y + 15), RED, 0.5, 0) for x, y in corners]
        ids = tracker.update(frame(*objects)).track_ids.tolist()
        assert len(ids) == len(set(ids))


def test_label_of_a_track_does_not_flicker():
    tracker = build_tracker(CONFIG)
    sightings = [(0.9, 2), (0.3, 1), (0.9, 2), (0.4, 1), (0.9, 2)]
    labels = [tracker.update(frame(seen(10, RED, s, k))).labels.tolist() for s, k in sightings]
    assert labels == [[2]] * 5


def test_label_of_a_track_is_the_class_with_the_best_mean_score():
    # Class 0 is ahead in the first frame and in number of frames, class 1 in the mean.
    tracker = build_tracker(CONFIG)
    for first, second in [(0.5, 0.49), (0.5, 0.49), (0.3, 0.9)]:
        both = frame(seen(10, RED, first, 0), seen(10, RED, second, 1))
        tracked = tracker.update(both)
    assert tracked.labels.tolist() == [1]


def test_what_was_detected_is_passed_on_as_it_was():
    detections = frame(seen(10, RED, 0.4), seen(100, GREEN, 0.9))
    tracked = build_tracker(CONFIG).update(detections)
    assert torch.equal(tracked.boxes, detections.boxes[[1, 0]])
    assert torch.equal(tracked.masks, detections.masks[[1, 0]])
    assert torch.equal(tracked.embeddings, detections.embeddings[[1, 0]])


@pytest.mark.parametrize(
    ("scores", "shared"),
    [((0.9, 0.8), True), ((0.9, 0.2), True), ((0.2, 0.9), False), ((0.8, 0.9), False)],
    ids=["all", "all but the last", "all but the first", "another order"],
)
def test_masks_are_copied_only_where_they_have_to_be(scores, shared):
    detections = frame(*[seen(x, score=score) for x, score in zip((10, 90), scores, strict=True)])
    tracked = build_tracker(CONFIG).update(detections)
    rows = sorted((i for i in (0, 1) if scores[i] > 0.3), key=lambda i: -scores[i])
    assert torch.equal(tracked.masks, detections.masks[rows])
    assert (tracked.masks.data_ptr() == detections.masks.data_ptr()) == shared


def test_likeness_says_how_much_an_object_looks_as_before():
    tracker = build_tracker(CONFIG)
    halfway = (0.8, 0.6, 0.0)
    told = [tracker.update(frame(seen(0, looks))).likeness.tolist() for looks in (RED, halfway)]
    assert told[0] == pytest.approx([1.0])  # nothing to compare with
    assert told[1] == pytest.approx([0.8])


def test_likeness_is_one_where_looks_are_not_compared():
    tracker = build_tracker(replace(CONFIG, association="overlap"))
    told = [tracker.update(frame(seen(0, looks))).likeness.tolist() for looks in (RED, GREEN)]
    assert told == [[1.0], [1.0]]


@pytest.mark.parametrize("assignment", ["greedy", "hungarian"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_look_that_is_no_number_harms_no_other_object_and_no_other_frame(value, assignment):
    config = replace(CONFIG, assignment=assignment)
    good = frame(seen(0, RED), seen(60, GREEN), seen(120, BLUE))
    bad = frame(seen(0, RED), seen(60, (value, 0.0, 0.0)), seen(120, BLUE))
    first, second, third, *_ = ids_of([good, bad, good, good], config)
    assert first == third == [0, 1, 2]
    assert (second[0], second[2]) == (0, 2)
    assert ids_of([bad, good], config)[1][0] == 0


def test_two_trackers_number_their_tracks_apart():
    first = ids_of([frame(seen(10), seen(100, GREEN))])
    assert ids_of([frame(seen(10))]) == [[0]]
    assert first == [[0, 1]]


OVERLAP = replace(CONFIG, association="overlap")


def test_overlap_follows_masks_though_looks_differ():
    frames = [frame(seen(10, RED), seen(100, GREEN)), frame(seen(13, GREEN), seen(103, RED))]
    assert ids_of(frames, OVERLAP) == [[0, 1], [0, 1]]
    # By their looks, and with them alone, they are the other way round.
    assert ids_of(frames, replace(CONFIG, appearance_weight=1.0)) == [[0, 1], [1, 0]]


def test_overlap_loses_what_moves_too_fast_though_looks_are_the_same():
    frames = [frame(seen(10)), frame(seen(40))]
    assert ids_of(frames, OVERLAP) == [[0], [1]]
    assert ids_of(frames, CONFIG) == [[0], [0]]


def test_overlap_knows_of_no_motion():
    frames = [frame(seen(x)) for x in range(0, 60, 5)]
    # 20 pixels further on, where it would have moved in four unseen frames, there is no overlap.
    assert ids_of([*frames, *[frame()] * 3, frame(seen(75))], OVERLAP)[-1] == [1]
    assert ids_of([*frames, *[frame()] * 3, frame(seen(55))], OVERLAP)[-1] == [0]


def test_overlap_sees_masks_and_not_boxes():
    upper, lower = frame(seen(10)), frame(seen(10))
    upper.masks[0, 50:] = False
    lower.masks[0, :50] = False
    assert ids_of([upper, lower, upper], OVERLAP) == [[0], [1], [0]]


def test_learned_looks_are_compared_as_queries_are():
    frames = [frame(seen(10, RED), seen(100, GREEN)), frame(seen(60, GREEN), seen(150, RED))]
    assert ids_of(frames, replace(CONFIG, association="embedding")) == ids_of(frames, CONFIG)


def test_a_lone_pair_that_looks_unlike_is_no_match_where_only_looks_count():
    config = replace(CONFIG, appearance_weight=1.0)
    assert ids_of([frame(seen(10, RED)), frame(seen(10, GREEN))], config) == [[0], [1]]


def test_together_a_better_scored_object_gives_way_where_greedily_it_takes():
    # The first mask overlaps 14 of 26 columns with track 0 and 12 of 28 with track 1; the second
    # 18 of 22 with track 0 and none with track 1. Greedy: 14 / 26 and nothing, so that the second
    # is new. Together: 12 / 28 + 18 / 22.
    before = frame(seen(10, score=0.9), seen(24, score=0.8))
    after = frame(seen(16, score=0.9), seen(8, score=0.8))
    assert ids_of([before, after], OVERLAP) == [[0, 1], [0, 2]]
    assert ids_of([before, after], replace(OVERLAP, assignment="hungarian")) == [[0, 1], [1, 0]]


def test_memory_does_not_grow_with_the_video():
    looks = torch.eye(3).tolist()
    frames = [frame(seen((67 * i) % 150, looks[i % 3]), seen(170, looks[i % 2])) for i in range(12)]
    tracker = build_tracker(replace(OVERLAP, memory_frames=4))
    held = []
    for index in range(1000):
        tracked = tracker.update(frames[index % len(frames)])
        tensors = [value for value in vars(tracker.state.memory).values() if torch.is_tensor(value)]
        held.append(sum(value.numel() * value.element_size() for value in tensors))
    assert tracked.track_ids.max() > 100  # many were born
    assert max(held[500:]) == max(held[:500]) < 10 * 600  # bytes, for at most ten tracks
