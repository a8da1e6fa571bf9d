"""How many objects of each class each second of a clip shows, as CSV.

python examples/count_objects.py runs/my_clip/tracks.json
"""

import json
import sys
from collections import defaultdict
from pathlib import Path


def main(tracks: str) -> None:
    """Print a line per second: objects that are seen in it, however briefly."""
    entries = json.loads(Path(tracks).read_text(encoding="utf-8"))
    classes = sorted({entry["category"] for entry in entries})
    seen = defaultdict[tuple[int, str], set[int]](set)  # ids by second and class
    for entry in entries:
        for seconds, mask in zip(entry["times"], entry["segmentations"], strict=True):
            if mask:
                seen[int(seconds), entry["category"]].add(entry["track_id"])
    print(",".join(["second", *classes]))
    for second in range(max((second for second, _ in seen), default=-1) + 1):
        print(",".join(map(str, [second, *(len(seen[second, name]) for name in classes)])))


if __name__ == "__main__":
    main(sys.argv[1])
