"""An overlay of one's own, on which all but the objects is grey.

python examples/spotlight.py CLIP OUT.mp4
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from qivis import load_predictor, segment_video
from qivis.data.video import open_video
from qivis.viz import VideoWriter, draw


def main(clip: str, out: str) -> None:
    """Write the clip with its colours only where there are objects."""
    predictor = load_predictor()
    with (
        open_video(clip) as source,
        VideoWriter(Path(out), source.info.size, source.info.fps) as writer,
    ):
        for frame, tracked in segment_video(source, predictor):
            image = grey_outside(frame.image, tracked.masks.any(dim=0))
            writer.write(draw(image, tracked, predictor.categories.names), frame.seconds)


def grey_outside(image: Tensor, mask: Tensor) -> Tensor:
    """The image without its colours, and darker, where the mask is not set.

    Args:
        image: (3, H, W) uint8 RGB.
        mask: (H, W) bool.
    """
    grey = image.float().mean(dim=0, keepdim=True).mul(0.6).byte()
    return torch.where(mask, image, grey)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
