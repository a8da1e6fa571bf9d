"""A finished run whose tracks are known to the pixel, with the clip that it was made of."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from qivis.export.tracks_json import write_tracks
from qivis.inference.clip_again import frames_again
from qivis.inference.redraw import redraw
from qivis.inference.run_folder import OVERLAY, TRACKS
from qivis.inference.summary import summarize, write_summary
from qivis.ops import rle
from qivis.structures import Categories, Category, Track, TrackedClip, View

SIZE = (96, 128)  # (H, W)
GREY = 120  # of the clip
RATE = 8000  # of its sound
FRAMES = 8
TIMES = (0.0, 0.04, 0.08, 0.12, 0.2, 0.28, 0.36, 0.44)  # from the middle on at half the rate
CATEGORIES = Categories((Category(1, "person"), Category(18, "dog")))
LEFT, RIGHT = (slice(50, 90), slice(8, 48)), (slice(50, 90), slice(80, 120))
SEEN = {0: (LEFT, range(8)), 3: (RIGHT, range(4)), 7: (RIGHT, range(4, 8))}


def write_clip(path: Path, frames: int = FRAMES) -> Path:
    """Grey pictures at uneven times, and silence."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("pcm_s16le", rate=RATE)
        audio.layout = "mono"
        silence = np.zeros((1, RATE // 2), np.int16)
        sound = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        sound.sample_rate, sound.pts = RATE, 0
        container.mux(audio.encode(sound))
        for seconds in TIMES[:frames]:
            picture = np.full((*SIZE, 3), GREY, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(1000 * seconds), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


def tracked_clip() -> TrackedClip:
    """0 on the left all the time; on the right, one object that is first 3, then 7."""
    tracks = []
    for track_id, (where, frames) in SEEN.items():
        mask = torch.zeros(1, *SIZE, dtype=torch.bool)
        mask[0, where[0], where[1]] = True
        view = View(rle.encode(mask)[0], 0.75, 0.5)
        views = tuple(view if frame in frames else None for frame in range(FRAMES))
        tracks.append(Track(track_id, int(track_id == 0), views))
    return TrackedClip(SIZE, Fraction(25), TIMES, CATEGORIES, tuple(tracks))


def make_run(folder: Path) -> Path:
    """Make `folder/clip.mkv` and the run `folder/run` of it."""
    source, run = write_clip(folder / "clip.mkv"), folder / "run"
    task = {"source": str(source), "bytes": source.stat().st_size, "decoder": "auto"}
    task |= {"stride": 1, "seconds": None, "max_frames": None}
    clip = tracked_clip()
    summary = summarize(clip, "clip.mkv", "clip", task, 1.0, "cpu")
    write_tracks(clip, run / TRACKS)
    write_summary(summary, run)
    scratch = folder / "scratch"
    scratch.mkdir()
    redraw(clip, frames_again(summary), run / OVERLAY, source, scratch)
    return run


def pictures(video: Path) -> list[NDArray[np.uint8]]:
    """(H, W, 3) RGB, all of them."""
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def times(video: Path) -> list[float | None]:
    """Seconds of all pictures."""
    with av.open(str(video)) as container:
        return [frame.time for frame in container.decode(video=0)]


def seconds_of_sound(video: Path) -> float:
    """Whole length of what can be heard; 0 without a sound."""
    with av.open(str(video)) as container:
        frames = container.decode(audio=0) if container.streams.audio else ()
        return sum(frame.samples / frame.sample_rate for frame in frames)


def contents(folder: Path) -> dict[str, bytes]:
    """All files, by their path in the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
