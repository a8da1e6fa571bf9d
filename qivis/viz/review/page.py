"""`review.html`: one file with a clip, its tracks, and all it takes to look at them offline.

It is `page/review.html` with style, scripts, data and video put in. What comes from outside, as
names of clips and classes, is in the data and reaches the page as text. Its content security
policy lets these very scripts run, no others, and nothing be fetched.
"""

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template

from qivis.errors import DataError
from qivis.files import write_atomically
from qivis.structures import TrackedClip
from qivis.viz.review.footage import read_footage
from qivis.viz.review.moments import suspicious_moments
from qivis.viz.review.page_data import PageData, best_frame, portrait_key, to_page_data

SOURCES = files("qivis.viz.review") / "page"
SCRIPTS = (
    "masks.js",
    "clip.js",
    "elements.js",
    "picture.js",
    "player.js",
    "timeline.js",
    "moments.js",
    "command.js",
    "edits.js",
    "main.js",
)


def write_review(clip: TrackedClip, name: str, video: Path, path: Path) -> None:
    """Write the review page of a clip, whole or not at all.

    Args:
        clip: what was found in it.
        name: of the clip, for the heading.
        video: an H.264 mp4 with one picture for each frame that could be decoded, in order, of
            any size; see `write_proxy`.
        path: of the page. Its folder is the run that the edits made on the page will name.

    Raises:
        DataError: if the video cannot be read, or has another number of pictures.
    """
    decoded = [frame for frame, seconds in enumerate(clip.times) if seconds is not None]
    picture_of = {frame: index for index, frame in enumerate(decoded)}
    moments = suspicious_moments(clip)
    portraits = {(track.track_id, best_frame(track)) for track in clip.tracks}
    portraits.update(portrait for moment in moments for portrait in moment.portraits)
    masks = {track.track_id: track.masks for track in clip.tracks}
    footage = read_footage(
        video,
        {
            portrait_key(track_id, frame): (picture_of[frame], mask)
            for track_id, frame in sorted(portraits)
            if (mask := masks[track_id][frame])
        },
    )
    if len(footage.times) != len(decoded):
        raise DataError(
            f"{video}: has {len(footage.times)} pictures, but of {name} {len(decoded)} frames were "
            "decoded; a review page needs one for each"
        )
    shown: list[float | None] = [None] * len(clip.times)
    for frame, seconds in zip(decoded, footage.times, strict=True):
        shown[frame] = seconds
    data = to_page_data(clip, (name, str(path.parent)), shown, moments, footage.thumbnails)
    write_atomically(path, _fill(data, video.read_bytes()).encode("utf-8"))


def _fill(data: PageData, video: bytes) -> str:
    """The page."""
    style = _source("review.css")
    scripts = [_source(name) for name in SCRIPTS]
    return Template(_source("review.html")).substitute(
        title=html.escape(data["name"]),
        policy=_policy(style, scripts),
        style=f"<style>{style}</style>",
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
        data=_json_in_html(data),
        video=base64.b64encode(video).decode("ascii"),
    )


def _source(name: str) -> str:
    return (SOURCES / name).read_text(encoding="utf-8")


def _policy(style: str, scripts: list[str]) -> str:
    allowed = " ".join(map(_digest, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; "
        "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _json_in_html(data: PageData) -> str:
    """JSON that can stand in a script element: no name in it can end the element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
