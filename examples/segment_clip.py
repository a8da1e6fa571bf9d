"""Find the objects of a clip and follow them: python examples/segment_clip.py CLIP."""

import sys

from qivis import load_predictor, segment_video


def main(clip: str) -> None:
    """Print what each frame shows."""
    predictor = load_predictor()
    for frame, tracked in segment_video(clip, predictor):
        names = [predictor.categories.names[label] for label in tracked.labels.tolist()]
        found = zip(names, tracked.track_ids.tolist(), strict=True)
        print(f"{frame.seconds:7.3f} s:", ", ".join(f"{name} {id}" for name, id in found) or "-")


if __name__ == "__main__":
    main(sys.argv[1])
