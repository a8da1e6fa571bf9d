"""What becomes of damaged videos: frames and a count of the lost ones, or one line; nothing else.

    python benchmarks/fuzz_video.py [--cases 300] [--decoder auto decord pyav] [--keep FOLDER]

Makes a clip with each encoder that PyAV brings, damages copies of them (cut off, bits flipped in
the header or in the body, a run of zeros) and reads each in a process of its own. It is a failure
if that process dies, gives no sign of life for 12 s, raises anything but VideoError, or breaks
what `FrameSource` promises: every index once, as a frame or as lost, times that grow, one size.
It is also a failure if decoders do not agree on which frames there are.

The case number says everything about a case: `--only 17` runs case 17 again, and `--keep` keeps
the files of failures.
"""

import argparse
import hashlib
import itertools
import logging
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import av
import numpy as np
from numpy.typing import NDArray

from qivis.data.video import open_video
from qivis.errors import VideoError

LIMIT = 12.0  # seconds without a frame; a hanging decord is given up after 10
NUM_FRAMES, FPS = 48, 25
SIZE = (180, 320)
HEADER = 2048  # bytes; headers of these clips are at the front
CLIPS = {  # name, codec, its options
    "h264.mp4": ("libx264", {"x264-params": "keyint=12"}),
    "hevc.mp4": ("libx265", {"x265-params": "keyint=12:log-level=none", "preset": "ultrafast"}),
    "h264.ts": ("libx264", {"x264-params": "keyint=12"}),
    "mpeg4.avi": ("mpeg4", {"bf": "2"}),
    "vp9.webm": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}),
    "mjpeg.mkv": ("mjpeg", {}),
}
FAILURES = ("broken promise", "untyped error", "crash", "hang", "other than before")


@dataclass(frozen=True)
class Outcome:
    """What came of reading a file: `kind` is "whole", "loss", "refused" or one of FAILURES.

    detail: the error, or how many frames came and how many were lost.
    frames: a digest of the indices of frames and losses, "" without frames.
    """

    kind: str
    detail: str = ""
    num_frames: int = 0
    num_lost: int = 0
    frames: str = ""
    seconds: float = 0.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cases, print a table; returns 1 if there was a failure."""
    args = parse(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = list(make_clips(folder))
        print(f"{len(clips)} clips of {NUM_FRAMES} frames: {', '.join(c.name for c in clips)}")
        numbers = [args.only] if args.only is not None else range(args.cases)
        tried = [try_case(number, clips, folder, args) for number in numbers]
    print_table({decoder: [case[decoder] for case in tried] for decoder in args.decoder})
    return int(any(outcome.kind in FAILURES for case in tried for outcome in case.values()))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=300, help="damaged files (300)")
    parser.add_argument("--only", type=int, help="the number of a single case")
    parser.add_argument(
        "--decoder", nargs="+", default=["auto", "decord", "pyav"], help="which of them to try"
    )
    parser.add_argument("--keep", type=Path, help="where to leave the files of failures")
    return parser.parse_args(argv)


def make_clips(folder: Path) -> Iterator[Path]:
    """A clip for each encoder there is; a disc moves over noise, so that everything is coded."""
    noise = np.random.default_rng(0).integers(0, 60, (*SIZE, 3), np.uint8)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    for name, (codec, options) in CLIPS.items():
        if codec not in av.codecs_available:
            print(f"no encoder {codec}")
            continue
        path = folder / name
        mux = {"fflags": "bitexact"} | ({"movflags": "faststart"} if path.suffix == ".mp4" else {})
        with av.open(str(path), "w", options=mux) as container:
            stream: Any = container.add_stream(codec, rate=FPS, options=options)
            stream.height, stream.width = SIZE
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for index in range(NUM_FRAMES):
                picture = noise.copy()
                picture[(rows - 90) ** 2 + (columns - 5 * index - 30) ** 2 < 900] = 200
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        yield path


def cut_off(content: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Leaves at least one byte."""
    return content[: rng.integers(1, len(content))]


def flip_header(content: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Where the pictures are described."""
    return _flip(content, rng, slice(0, HEADER))


def flip_body(content: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Where the pictures are."""
    return _flip(content, rng, slice(HEADER, None))


def zero_run(content: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Of up to 8 KB, anywhere."""
    start = rng.integers(len(content))
    damaged = content.copy()
    damaged[start : start + rng.integers(1, 8192)] = 0
    return damaged


def _flip(content: NDArray[np.uint8], rng: np.random.Generator, part: slice) -> NDArray[np.uint8]:
    """Flips one bit of up to 20 bytes."""
    damaged = content.copy()
    inside = damaged[part]
    where = rng.integers(len(inside), size=rng.integers(1, 21))
    inside[where] ^= np.left_shift(1, rng.integers(8, size=len(where))).astype(np.uint8)
    return damaged


DAMAGES: tuple[Callable[..., NDArray[np.uint8]], ...] = (cut_off, flip_header, flip_body, zero_run)


def try_case(
    number: int, clips: Sequence[Path], folder: Path, args: argparse.Namespace
) -> dict[str, Outcome]:
    """One damaged file through every decoder; tells of failures at once."""
    clip, damage = list(itertools.product(clips, DAMAGES))[number % (len(clips) * len(DAMAGES))]
    content = np.frombuffer(clip.read_bytes(), np.uint8)
    path = folder / f"case-{number}-{damage.__name__}-{clip.name}"
    path.write_bytes(damage(content, np.random.default_rng(number)).tobytes())
    found = {decoder: read_apart(path, decoder) for decoder in args.decoder}
    digests = {outcome.frames for outcome in found.values() if outcome.frames}
    if len(digests) > 1:
        found |= {d: Outcome("other than before", o.detail) for d, o in found.items() if o.frames}
    failures = [(d, o) for d, o in found.items() if o.kind in FAILURES]
    for decoder, outcome in failures:
        print(f"case {number}: {path.name}: {decoder}: {outcome.kind}: {outcome.detail}")
    if failures and args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        path.rename(args.keep / path.name)
    path.unlink(missing_ok=True)
    return found


def read_apart(path: Path, decoder: str) -> Outcome:
    """Read a file in a process of its own."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=read, args=(path, decoder, sender))
    process.start()  # the first time, this waits for what is loaded once for all
    started = time.perf_counter()
    sender.close()
    outcome = None
    try:
        while outcome is None:  # which says that there is another frame
            outcome = receiver.recv() if receiver.poll(LIMIT) else Outcome("hang")
    except EOFError:  # it went away without a word
        process.join()
        outcome = Outcome("crash", f"exit code {process.exitcode}")
    seconds = time.perf_counter() - started
    process.kill()
    process.join()
    return Outcome(**(vars(outcome) | {"seconds": seconds}))


def read(path: Path, decoder: Any, answer: Connection) -> None:
    """Read a file, check what `FrameSource` promises, and tell what came of it."""
    logging.disable()
    try:
        answer.send(_read(path, decoder, answer))
    except VideoError as error:
        kind = "untyped error" if "\n" in str(error) else "refused"
        answer.send(Outcome(kind, str(error)))
    except AssertionError as error:
        answer.send(Outcome("broken promise", str(error)))
    except Exception as error:
        answer.send(Outcome("untyped error", repr(error)))


def _read(path: Path, decoder: Any, answer: Connection) -> Outcome:
    indices, seconds = list[int](), list[float]()
    with open_video(path, decoder) as video:
        for frame in video:
            assert frame.size == video.info.size, f"{frame.size} for {video.info.size}"
            indices.append(frame.index)
            seconds.append(frame.seconds)
            answer.send(None)
            assert sorted(indices + video.lost) == list(range(frame.index + 1)), "an index is open"
        lost = video.lost
    total = len(indices) + len(lost)
    assert sorted(indices + lost) == list(range(total)), "an index is missing or there twice"
    assert all(a < b for a, b in itertools.pairwise(seconds)), "times do not grow"
    digest = hashlib.sha256(repr((indices, lost)).encode()).hexdigest()
    detail = f"{len(indices)} frames, {len(lost)} lost, {digest[:8]}"
    kind = "loss" if lost else "whole"
    return Outcome(kind, detail, len(indices), len(lost), digest if indices else "")


def print_table(outcomes: dict[str, list[Outcome]]) -> None:
    """A row for each decoder."""
    kinds = ("whole", "loss", "refused", *FAILURES)
    columns = ("cases", *kinds, "frames", "lost", "slowest")
    print("decoder ", "  ".join(columns))
    for decoder, found in outcomes.items():
        count = Counter(outcome.kind for outcome in found)
        values = [
            len(found),
            *(count[kind] for kind in kinds),
            sum(outcome.num_frames for outcome in found),
            sum(outcome.num_lost for outcome in found),
            f"{max(outcome.seconds for outcome in found):.1f} s",
        ]
        cells = zip(values, columns, strict=True)
        print(f"{decoder:8}", "  ".join(f"{value:>{len(name)}}" for value, name in cells))


CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["qivis.data.video"])  # each process would import torch otherwise

if __name__ == "__main__":
    sys.exit(main())
