"""All objects of one class as black and white pictures, which video editors take as a matte.

python examples/matte.py CLIP person FOLDER
"""

import sys
from pathlib import Path

from PIL import Image

from qivis import load_predictor, segment_video


def main(clip: str, name: str, folder: str) -> None:
    """Write 00000.png, 00001.png ... of every frame."""
    predictor = load_predictor()
    names = predictor.categories.names
    if name not in names:
        sys.exit(f"there is no class {name!r}; there are {', '.join(names)}")
    wanted = names.index(name)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for frame, tracked in segment_video(clip, predictor):
        matte = tracked[tracked.labels == wanted].masks.any(dim=0)
        picture = Image.fromarray((matte.byte() * 255).numpy())
        picture.save(Path(folder) / f"{frame.index:05d}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
