"""Moments of a clip that look like identity switches, by five signs; each is scored in [0, 1].

handover: a track ends, and within `WINDOW` seconds one of its class begins nearby. Its score is
    the closeness of the last and the first mask, falling to 0 over the window.
overlap: a track begins, or ends, on one of its class that goes on. The IoU of the two masks.
jump: from one view to the next a mask is elsewhere or of another size. 1 - 2 * closeness to where
    it was, or to where its last step would have taken it if that is closer; falling as above
    with the time that it was not seen.
swap: a jump to where another track was, which in the same frame is where this one was. Its score
    is that of the jump.
look: a view resembles what its track looked like before far less than its views usually do.
    1 - likeness / median likeness of the track, times n / (n + 2) after n views: a track that was
    hardly seen says little of what it should look like. Half of that where the border cuts it.

Signs of the same trouble at most `NEARBY` seconds apart become one moment, of each kind the
strongest; whatever else is strange about tracks that change places belongs to that. Its score is
1 - the product of (1 - score): what they are worth together if each were right as often as its
score says, and none knew of the others.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from math import hypot, prod
from statistics import median

from qivis.ops import rle
from qivis.structures import TrackedClip
from qivis.viz.review.sights import Sight, closeness, nearness, sights
from qivis.wording import counted

WINDOW = 3.0  # seconds; who comes back later is rarely taken for the one who left
NEARBY = 0.5  # seconds
LEAST_SCORE = 0.25  # below it nearly all are false alarms
MOST_MOMENTS = 200  # more than anybody looks through


class Sign(StrEnum):
    """What makes a moment suspicious."""

    HANDOVER = "handover"
    OVERLAP = "overlap"
    JUMP = "jump"
    SWAP = "swap"
    LOOK = "look"


class Remedy(StrEnum):
    """What repairs a moment if it is an identity switch."""

    MERGE = "merge"  # the two tracks are one object
    SPLIT = "split"  # from this frame on, the first of the tracks is another object
    SWAP = "swap"  # from this frame on, each of the two tracks is the other


REMEDIES = {
    Sign.HANDOVER: Remedy.MERGE,
    Sign.OVERLAP: Remedy.MERGE,
    Sign.JUMP: Remedy.SPLIT,
    Sign.SWAP: Remedy.SWAP,
    Sign.LOOK: Remedy.SPLIT,
}


@dataclass(frozen=True)
class Moment:
    """Where an object may have got another identity.

    sign: the strongest of those that speak for it; `SWAP` if that is among them.
    start: index of the last frame before.
    frame: index of the first frame in doubt.
    track_ids: one or two; of two to be merged the older first, else the one that was noticed.
    score: in [0, 1].
    reason: for a person, without a full stop.
    """

    sign: Sign
    start: int
    frame: int
    track_ids: tuple[int, ...]
    score: float
    reason: str

    @property
    def remedy(self) -> Remedy:
        """By what it may have gone wrong."""
        return REMEDIES[self.sign]

    @property
    def portraits(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Track and frame of the two views that tell, compared, whether this is a switch."""
        start = self.frame if self.sign is Sign.OVERLAP else self.start
        last = self.track_ids[-1] if self.remedy is Remedy.MERGE else self.track_ids[0]
        return (self.track_ids[0], start), (last, self.frame)

    def explains(self, other: "Moment") -> bool:
        """Whether another, at about the same time, is a sign of the same trouble."""
        if self.remedy is Remedy.SWAP and other.remedy is Remedy.SPLIT:
            return other.track_ids[0] in self.track_ids
        if self.remedy is not other.remedy:
            return False
        if self.remedy is Remedy.SPLIT:
            return self.track_ids[0] == other.track_ids[0]
        return set(self.track_ids) == set(other.track_ids)


@dataclass(frozen=True)
class _Trace:
    """A track by its sights."""

    track_id: int
    label: int
    name: str
    sights: list[Sight]

    @property
    def first(self) -> Sight:
        return self.sights[0]

    @property
    def last(self) -> Sight:
        return self.sights[-1]

    def at(self, frame: int) -> Sight | None:
        """The sight in a frame, None if there is none."""
        place = bisect_right(self.sights, frame, key=lambda sight: sight.frame)
        found = self.sights[place - 1] if place else None
        return found if found and found.frame == frame else None

    def may_be(self, other: "_Trace") -> bool:
        return self.label == other.label and self.track_id != other.track_id


def suspicious_moments(clip: TrackedClip) -> list[Moment]:
    """Where identities may have been mixed up, the most suspicious first."""
    names = clip.categories.names
    traces = [
        _Trace(track.track_id, track.label, f"{names[track.label]} {track.track_id}", sights(track))
        for track in clip.tracks
    ]
    window = max(1, round(WINDOW * clip.fps))
    signs = [
        *_handovers(traces, window),
        *_overlaps(traces, last_frame=len(clip.times) - 1),
        *(sign for trace in traces for sign in _jumps(trace, traces, window)),
        *(sign for trace in traces for sign in _looks(trace)),
    ]
    clear = [sign for sign in signs if sign.score >= LEAST_SCORE]
    return _gather(clear, max(1, round(NEARBY * clip.fps)))[:MOST_MOMENTS]


def _handovers(traces: Sequence[_Trace], window: int) -> Iterator[Moment]:
    """Each end and each beginning belong to one handover at most: the best."""
    pairs = [
        (_handover_score(old.last, new.first, window), old, new)
        for old in traces
        for new in traces
        if old.may_be(new) and 0 < new.first.frame - old.last.frame <= window
    ]
    ended, begun = set[int](), set[int]()
    for score, old, new in sorted(pairs, key=lambda pair: -pair[0]):
        if old.track_id not in ended and new.track_id not in begun:
            ended.add(old.track_id)
            begun.add(new.track_id)
            missing = new.first.frame - old.last.frame - 1
            when = f"{counted(missing, 'frame')} later" if missing else "in the next frame"
            reason = f"{old.name} ends, and {new.name} begins close by {when}"
            ids = (old.track_id, new.track_id)
            yield Moment(Sign.HANDOVER, old.last.frame, new.first.frame, ids, score, reason)


def _handover_score(old: Sight, new: Sight, window: int) -> float:
    return closeness(old, new) * _promptness(old, new, window)


def _promptness(old: Sight, new: Sight, window: int) -> float:
    """1 for consecutive frames, 0 for a window without a sight."""
    return max(0.0, 1 - (new.frame - old.frame - 1) / window)


def _overlaps(traces: Sequence[_Trace], last_frame: int) -> Iterator[Moment]:
    for one in traces:
        if one.first.frame > 0:
            older = [other for other in traces if other.first.frame < one.first.frame]
            yield from _overlaps_at(one, one.first, older, "begins")
        if one.last.frame < last_frame:
            staying = [other for other in traces if other.last.frame > one.last.frame]
            yield from _overlaps_at(one, one.last, staying, "ends")


def _overlaps_at(
    one: _Trace, sight: Sight, others: Sequence[_Trace], event: str
) -> Iterator[Moment]:
    present = [
        (other, seen)
        for other in others
        if other.may_be(one) and (seen := other.at(sight.frame)) is not None
    ]
    ious = rle.overlaps([sight.view.mask], [seen.view.mask for _, seen in present])
    for (other, _), iou in zip(present, ious.ravel().tolist(), strict=True):
        reason = f"{one.name} {event} on top of {other.name}: their masks share {iou:.0%}"
        first, second = sorted((one, other), key=lambda trace: (trace.first.frame, trace.track_id))
        ids = (first.track_id, second.track_id)
        yield Moment(Sign.OVERLAP, max(sight.frame - 1, 0), sight.frame, ids, iou, reason)


def _jumps(trace: _Trace, traces: Sequence[_Trace], window: int) -> Iterator[Moment]:
    before = trace.first
    for old, new in pairwise(trace.sights):
        likeness_of_place = nearness(_surprise(before, old, new), old, new)
        score = max(0.0, 1 - 2 * likeness_of_place) * _promptness(old, new, window)
        before = old
        if score < LEAST_SCORE:
            continue
        sign, ids, reason = Sign.JUMP, [trace.track_id], f"{trace.name} {_change(old, new)}"
        if former := _owner(trace, new, old.frame, traces):
            ids.append(former.track_id)
            reason += f", to where {former.name} was"
            if _owner(trace, old, new.frame, [former]):
                sign, reason = Sign.SWAP, f"{trace.name} and {former.name} change places"
        yield Moment(sign, old.frame, new.frame, tuple(ids), score, reason)


def _surprise(before: Sight, old: Sight, new: Sight) -> float:
    """Pixels from where an object was, or from where its last step leads if that is less."""
    step_x, step_y = new.x - old.x, new.y - old.y
    pace = (new.frame - old.frame) / max(1, old.frame - before.frame)
    drift_x, drift_y = pace * (old.x - before.x), pace * (old.y - before.y)
    return min(hypot(step_x, step_y), hypot(step_x - drift_x, step_y - drift_y))


def _change(old: Sight, new: Sight) -> str:
    """In words, where a mask went; or how its size changed, if that is what matters."""
    reach = (old.diagonal + new.diagonal) / 2
    distance = hypot(new.x - old.x, new.y - old.y)
    factor = max(old.area, new.area) / min(old.area, new.area)
    if distance >= reach / 2:
        return f"jumps by {distance:.0f} pixels"
    return f"is suddenly {factor:.1f} times {'larger' if new.area > old.area else 'smaller'}"


def _owner(trace: _Trace, place: Sight, frame: int, traces: Sequence[_Trace]) -> _Trace | None:
    """Which other trace of the class is in `frame` at a place of this one, if any."""
    places = [
        (closeness(seen, place), other)
        for other in traces
        if other.may_be(trace) and (seen := other.at(frame)) is not None
    ]
    close, owner = max(places, key=lambda place: place[0], default=(0.0, None))
    return owner if close >= 0.5 else None


def _looks(trace: _Trace) -> Iterator[Moment]:
    usual = median(sight.view.likeness for sight in trace.sights)
    for number, (old, new) in enumerate(pairwise(trace.sights), start=1):
        likeness = new.view.likeness
        if usual <= 0 or likeness >= usual:
            continue
        missing = new.frame - old.frame - 1
        after = f", after {counted(missing, 'frame')} out of sight" if missing else ""
        reason = (
            f"{trace.name} looks unlike before: likeness {likeness:.2f}, usually {usual:.2f}{after}"
        )
        trust = number / (number + 2) * (0.5 if new.is_cut else 1)
        score = min(1.0, 1 - likeness / usual) * trust
        yield Moment(Sign.LOOK, old.frame, new.frame, (trace.track_id,), score, reason)


def _gather(signs: Sequence[Moment], nearby: int) -> list[Moment]:
    """Moments, best first, of signs that belong together."""
    groups = list[list[Moment]]()
    for sign in sorted(signs, key=lambda s: (s.sign is not Sign.SWAP, -s.score, s.frame)):
        for group in groups:
            if group[0].explains(sign) and abs(group[0].frame - sign.frame) <= nearby:
                group.append(sign)
                break
        else:
            groups.append([sign])
    moments = [_one_of(group) for group in groups]
    return sorted(moments, key=lambda moment: (-moment.score, moment.frame))


def _one_of(group: Sequence[Moment]) -> Moment:
    """One moment of a group, whose signs of each kind go from the strongest to the weakest."""
    strongest = [
        sign
        for place, sign in enumerate(group)
        if sign.sign not in {stronger.sign for stronger in group[:place]}
    ]
    return replace(
        group[0],
        track_ids=max((sign.track_ids for sign in strongest), key=len),
        score=1 - prod(1 - sign.score for sign in strongest),
        reason="; ".join(sign.reason for sign in strongest),
    )
