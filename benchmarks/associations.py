"""How well each way of association keeps identities, on the same detections.

    python benchmarks/associations.py configs/vis/nano_vis.yaml --data-root DIR \
        --weights mlp.safetensors dynamic_conv.safetensors masktrack.safetensors

The weights have one detector and different association heads, as `train_vis` makes them with
`optim.learn: association`: every frame is seen by the detector once, and all rows track what it
found. `overlap` and `query` learn nothing of videos; they use the tracking
settings that image models have by default, learned embeddings those of the config.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.config import TrackingConfig, load_config
from qivis.data.sources import validation_videos
from qivis.data.youtube_vis import YouTubeVis
from qivis.engine.evaluate_videos import as_metrics, measure
from qivis.engine.find_tracks import open_video_predictor
from qivis.errors import QivisError, WeightsError
from qivis.export.ytvis_json import TrackEntry, to_entries
from qivis.inference.predictor import Predictor
from qivis.models.inputs import prepare, resize_for_test
from qivis.models.postprocess import select_detections
from qivis.structures import Detections, Frame
from qivis.tracking import TrackletCollector, build_tracker, views_of

COLUMNS = ("AP", "AP50", "IDF1", "HOTA", "AssA", "id_switches")


@dataclass(frozen=True)
class Row:
    """A way of association: whose embeddings it compares, if any, and how it tracks."""

    predictor: Predictor
    tracking: TrackingConfig
    found: list[TrackEntry] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--weights", nargs="+", required=True, metavar="PATH")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(argv)
    try:
        config = load_config(args.config)
        videos = validation_videos(config.data, args.data_root or Path(config.data.root))
        opened = [open_video_predictor(name, config, args.device) for name in args.weights]
        check_same_detector(opened)
        rows = dict(make_rows(opened))
        track(rows, videos)
        print(as_table(rows, videos))
    except QivisError as error:
        print(f"associations: {error}", file=sys.stderr)
        return 2
    return 0


def make_rows(opened: Sequence[Predictor]) -> Iterator[tuple[str, Row]]:
    """The rows of the table by their titles."""
    plain = TrackingConfig()
    for name in ("overlap", "query"):
        tracking = replace(plain, association=name)
        yield name, Row(replace(opened[0], tracking=tracking), tracking)
    for predictor in opened:
        yield type(predictor.model.association).__name__, Row(predictor, predictor.tracking)


def check_same_detector(opened: Sequence[Predictor]) -> None:
    """Rows can be compared only if they all get the same detections.

    Raises:
        WeightsError: if two of the weights differ in more than the association head.
    """
    expected = opened[0].model.state_dict()
    for predictor in opened:
        for name, tensor in predictor.model.state_dict().items():
            if not name.startswith("association.") and not torch.equal(tensor, expected[name]):
                raise WeightsError(f"the weights differ in {name}; expected one detector for all")


def track(rows: Mapping[str, Row], videos: YouTubeVis) -> None:
    """Fill in what each row finds in all videos."""
    for video in tqdm(range(len(videos)), desc="track", unit="video"):
        trackers = {title: build_tracker(row.tracking) for title, row in rows.items()}
        collectors = {
            title: TrackletCollector(row.tracking.min_frames) for title, row in rows.items()
        }
        for frame in videos.frames(video):
            for title, detections in detect(rows, frame).items():
                collectors[title].add(views_of(trackers[title].update(detections)))
        for title, row in rows.items():
            tracks = collectors[title].tracks()
            row.found.extend(to_entries(videos.video_id(video), tracks, videos.categories))


@torch.inference_mode()
def detect(rows: Mapping[str, Row], frame: Frame) -> dict[str, Detections]:
    """The detections of a frame, the same for all rows, with the embeddings of each row's head."""
    first = next(iter(rows.values())).predictor
    image = frame.image.to(first.device)
    prediction = first.model(prepare(resize_for_test([image], first.input), first.input))
    found = {}
    for title, row in rows.items():
        (detections,) = select_detections(
            row.predictor.model,
            prediction,
            [frame.size],
            score_threshold=min(row.tracking.keep_score, row.tracking.birth_score),
            max_detections=row.predictor.max_detections,
            learned_embeddings=row.tracking.association == "embedding",
        )
        found[title] = detections.to("cpu")
    return found


def as_table(rows: Mapping[str, Row], videos: YouTubeVis) -> str:
    """The figures of every row, in Markdown."""
    truth = videos.ground_truth()
    lines = ["| association | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for title, row in rows.items():
        metrics = as_metrics(measure(truth, row.found, videos.categories))
        cells = [f"{metrics[name]:.1f}" for name in COLUMNS[:-1]]
        lines.append(f"| {title} | " + " | ".join([*cells, f"{metrics['id_switches']:.0f}"]) + " |")
    return "\n".join([f"{len(videos)} videos", "", *lines])


if __name__ == "__main__":
    sys.exit(main())
