"""How well tracks keep to their objects: HOTA, IDF1 and ID switches, by TrackEval's metrics.

AP asks whether whole tracks of good scores are right; these look at every frame by itself, and at
who is called what over time. The conventions are those of TrackEval's `YouTubeVIS`: categories are
compared one by one; every result is a track, whatever its score, so that weak ones are best left
out beforehand; masks of a frame are compared by their overlap, and may overlap one another.
TrackEval takes a crowd there for an object like others. Here it is none, and what is found in it
does not count, as in TrackEval's `KittiMOTS`: masks that lie in a crowd by more than half, and
overlap no object by half.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qivis.errors import DataError
from qivis.evaluation.mask_tracks import MaskTracks, read_mask_tracks, shared_pixels
from qivis.evaluation.per_video import map_videos
from qivis.evaluation.ytvis_input import Entries, Source, VideoEntries, read_comparison

LEAST_OVERLAP = 0.5  # that makes a mask and an object a match for IDF1, MOTA and ID switches


@dataclass(frozen=True)
class TrackFigures:
    """Figures of one category or of all; in [0, 1], more is better, if nothing else is said.

    hota: higher order tracking accuracy (Luiten et al., IJCV 2021): the geometric mean of the next
        two, averaged over the least overlaps 0.05 to 0.95.
    det_a: detection accuracy: whether masks are found, whatever their tracks.
    ass_a: association accuracy: whether the found masks of an object are of one track.
    idf1: F1 of masks whose track is that of their object (Ristani et al., ECCV workshops 2016).
    mota: 1 less all errors, over the annotated masks (Bernardin and Stiefelhagen, 2008); may be
        negative.
    id_switches: how often an object is found by another track than before; less is better.
    """

    hota: float
    det_a: float
    ass_a: float
    idf1: float
    mota: float
    id_switches: int


@dataclass(frozen=True)
class TrackMetrics:
    """overall: of all masks. per_class: by category id; None where the category has no object."""

    overall: TrackFigures
    per_class: dict[int, TrackFigures | None]


def measure_tracks(ground_truth: Source, results: Source) -> TrackMetrics:
    """Measure tracks against annotations.

    Much work is spread over the cores.

    Args:
        ground_truth, results: as `evaluate_youtube_vis` takes them.

    Raises:
        DataError: if annotations or results cannot be used, or TrackEval is not installed.
    """
    metrics = _metrics()
    comparison = read_comparison(ground_truth, results)
    videos = map_videos(_measure_video, comparison.videos)
    nobody = read_mask_tracks([], {})
    nothing = _measure(nobody, nobody)  # TrackEval cannot combine no videos at all
    by_category = {
        category: {
            name: metric.combine_sequences(
                {None: nothing[name]}
                | {i: video[category][name] for i, video in enumerate(videos) if category in video}
            )
            for name, metric in metrics.items()
        }
        for category in comparison.category_ids
    }
    overall = {
        name: metric.combine_classes_det_averaged(
            {None: nothing[name]} | {k: figures[name] for k, figures in by_category.items()}
        )
        for name, metric in metrics.items()
    }
    per_class = {
        category: _figures(measured) if _has_objects(measured) else None
        for category, measured in by_category.items()
    }
    return TrackMetrics(_figures(overall), per_class)


def _metrics() -> dict[str, Any]:
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise DataError(
            "HOTA, IDF1 and ID switches are measured by TrackEval, which is not installed: "
            "pip install 'qivis[track-metrics]'"
        ) from error
    settings = {"THRESHOLD": LEAST_OVERLAP, "PRINT_CONFIG": False}
    return {"hota": HOTA(), "identity": Identity(dict(settings)), "clear": CLEAR(dict(settings))}


def _measure_video(entries: VideoEntries) -> dict[int, dict[str, Any]]:
    """What the metrics say of each category of a video."""
    measured = {}
    for category in entries.categories():
        annotations = entries.annotations.get(category, [])
        found = read_mask_tracks(entries.results.get(category, []), entries.video)
        wanted = _tracks(annotations, entries.video, crowds=False)
        crowds = _tracks(annotations, entries.video, crowds=True)
        measured[category] = _measure(_without_crowds(found, wanted, crowds), wanted)
    return measured


def _tracks(annotations: Entries, video: Mapping[str, Any], *, crowds: bool) -> MaskTracks:
    return read_mask_tracks([a for a in annotations if bool(a.get("iscrowd")) == crowds], video)


def _without_crowds(found: MaskTracks, wanted: MaskTracks, crowds: MaskTracks) -> MaskTracks:
    """The tracks, not seen where they lie in a crowd and overlap no object."""
    hidden = np.zeros(found.areas.shape, dtype=bool)
    for common in shared_pixels(found, crowds):
        areas = found.areas[common.rows, common.frame]
        hidden[common.rows, common.frame] = (common.pixels > areas[:, None] / 2).any(axis=1)
    if not hidden.any():
        return found
    for common in shared_pixels(found, wanted):
        hidden[common.rows, common.frame] &= (common.overlaps < LEAST_OVERLAP).all(axis=1)
    return replace(found, areas=np.where(hidden, 0, found.areas))


def _measure(found: MaskTracks, wanted: MaskTracks) -> dict[str, Any]:
    """What each metric says of the tracks and objects of one video and category."""
    num_frames = max(found.areas.shape[1], wanted.areas.shape[1])
    found, wanted = _seen_tracks(found, num_frames), _seen_tracks(wanted, num_frames)
    overlaps = {common.frame: common.overlaps.T for common in shared_pixels(found, wanted)}
    found_ids, wanted_ids = (
        [tracks.seen(frame) for frame in range(num_frames)] for tracks in (found, wanted)
    )
    data = {
        "num_timesteps": num_frames,
        "num_gt_ids": len(wanted),
        "num_tracker_ids": len(found),
        "num_gt_dets": np.count_nonzero(wanted.areas),
        "num_tracker_dets": np.count_nonzero(found.areas),
        "gt_ids": wanted_ids,
        "tracker_ids": found_ids,
        "similarity_scores": [
            overlaps.get(frame, np.zeros((len(wanted_ids[frame]), len(found_ids[frame]))))
            for frame in range(num_frames)
        ],
    }
    return {name: metric.eval_sequence(data) for name, metric in _metrics().items()}


def _seen_tracks(tracks: MaskTracks, num_frames: int) -> MaskTracks:
    """The tracks that are seen at all: TrackEval divides by the number of their masks."""
    rows = np.flatnonzero(tracks.areas.any(axis=1)).tolist()
    areas = np.pad(tracks.areas[rows], ((0, 0), (0, num_frames - tracks.areas.shape[1])))
    return MaskTracks([tracks.masks[row] for row in rows], areas)


def _figures(measured: Mapping[str, Any]) -> TrackFigures:
    hota, identity, clear = measured["hota"], measured["identity"], measured["clear"]
    return TrackFigures(
        hota=float(np.mean(hota["HOTA"])),
        det_a=float(np.mean(hota["DetA"])),
        ass_a=float(np.mean(hota["AssA"])),
        idf1=float(identity["IDF1"]),
        mota=float(clear["MOTA"]),
        id_switches=int(clear["IDSW"]),
    )


def _has_objects(measured: Mapping[str, Any]) -> bool:
    return bool(measured["clear"]["CLR_TP"] + measured["clear"]["CLR_FN"] > 0)
