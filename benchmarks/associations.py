"""How well each way of association keeps identities, on the same detections.

    python benchmarks/associations.py configs/vis/nano_vis.yaml --data-root DIR \
        --weights mlp.safetensors dynamic_conv.safetensors masktrack.safetensors

The weights have one detector and different association heads, as `train_vis` makes them with
`optim.learn: association`. `overlap` and `query` learn nothing of videos; they use the tracking
settings that image models have by default, learned embeddings those of the config.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.config import TrackingConfig, load_config
from qivis.data.sources import validation_videos
from qivis.engine.evaluate_videos import as_metrics, evaluate_videos
from qivis.engine.find_tracks import open_video_predictor
from qivis.errors import QivisError, WeightsError
from qivis.inference.predictor import Predictor

COLUMNS = ("AP", "AP50", "IDF1", "HOTA", "AssA", "id_switches")


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
        frames = sum(videos.length(video) for video in range(len(videos)))
        print(f"{len(videos)} videos, {frames} frames\n")
        print("| association | " + " | ".join(COLUMNS) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        opened = [open_video_predictor(name, config, args.device) for name in args.weights]
        check_same_detector(opened)
        for title, predictor in rows(opened):
            metrics = as_metrics(evaluate_videos(predictor, videos))
            cells = [f"{metrics[name]:.1f}" for name in COLUMNS[:-1]]
            print(f"| {title} | " + " | ".join([*cells, f"{metrics['id_switches']:.0f}"]) + " |")
            sys.stdout.flush()
    except QivisError as error:
        print(f"associations: {error}", file=sys.stderr)
        return 2
    return 0


def rows(opened: Sequence[Predictor]) -> Iterator[tuple[str, Predictor]]:
    """A title and a predictor for each row of the table."""
    plain = TrackingConfig()
    yield "overlap", replace(opened[0], tracking=replace(plain, association="overlap"))
    yield "query", replace(opened[0], tracking=replace(plain, association="query"))
    for predictor in opened:
        yield f"embedding: {type(predictor.model.association).__name__}", predictor


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


if __name__ == "__main__":
    sys.exit(main())
