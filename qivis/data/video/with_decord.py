"""Decoding with decord, fenced and watched.

decord reads ahead without bound while the consumer is slow: 2.7 GB for 1000 frames of 720p were
seen (dmlc/decord#157, #208). So a long clip is read in chunks, each by a reader of its own. That
decodes again from the last key frame, and some streams come out wrong when they are not read from
their beginning: it is done only where the packets say that it is cheap and exact, and each chunk
must begin with the very picture that followed the one before. decord also hangs on some files
without an error (dmlc/decord#269, #363), so a chunk that does not come is given up.
"""

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qivis.data.video.deadline import within
from qivis.data.video.packet_table import PacketTable, read_packet_table
from qivis.data.video.source import DecoderStoppedError
from qivis.data.video.upright import Pixels, to_image
from qivis.data.video.with_pyav import Probe
from qivis.ffmpeg import name_of
from qivis.memory import give_back_freed_memory
from qivis.structures import Frame

CHUNK_FRAMES = 32
CHUNK_BYTES = 64 * 2**20
CHUNK_SECONDS = 10.0  # a chunk takes a tenth of this even if the clip is large and the CPU busy
READ_AHEAD_BYTES = 64 * 2**20  # without a fence, at most this much of the clip lies ahead
MAX_REDECODING = 1.0  # from there on PyAV, which decodes each frame once, is faster
LARGEST_REOPENED = 64 * 2**20  # bytes of a file; opening reads all of it, for every chunk
THREADS = 2
NO_SUBSTITUTES = 1e-9  # share of frames that decord may replace by copies of others; 0 is "all"
# From these, decord and PyAV come to the same RGB, to the bit, if the height is even. Elsewhere
# their versions of FFmpeg place the colours of subsampled pictures differently.
SAME_IN_RGB = frozenset(
    {f"yuv{j}{kind}p" for j in ("", "j") for kind in (420, 422, 444)}
    | {"yuva420p", "gray", "rgb24"}
)


def reason_against_decord(found: Probe) -> str:
    """Why decord would give other pictures than PyAV; empty if it does not."""
    if found.is_mirrored:
        return "it would rotate mirrored pictures without flipping them"
    if found.pixel_format not in SAME_IN_RGB or found.stored_height % 2:
        return f"its colours differ in {found.pixel_format} of height {found.stored_height}"
    return ""


def decode_with_decord(
    path: Path, size: tuple[int, int], start: int = 0, max_redecoding: float = MAX_REDECODING
) -> Iterator[Frame]:
    """The frames from index `start` on.

    The reader is opened when the first frame is asked for, in the process that asks: decord
    hangs in one that was forked after it was opened.

    Args:
        path: the video.
        size: (H, W) of the frames, upright.
        start: index of the first frame that is given.
        max_redecoding: how many times the clip may be decoded again in all.

    Raises:
        DecoderStoppedError: if decord cannot open the file, fails, hangs, would be wrong, or
            slower than that.
    """
    table = read_packet_table(path)
    frame_bytes = 3 * size[0] * size[1]
    chunks = plan_chunks(table.keys, len(table.seconds), start, chunk_frames(frame_bytes))
    fences = [(len(table.seconds) - end) * frame_bytes > READ_AHEAD_BYTES for _, end in chunks]
    if math.isfinite(max_redecoding):
        _check_cost(path, any(fences), _redecoding(table, chunks, fences), max_redecoding)
    try:
        reader: Any = None
        expected: Pixels | None = None
        for (begin, end), is_fenced in zip(chunks, fences, strict=True):
            peek = is_fenced and end < len(table.seconds)
            indices = range(begin, end + peek)
            if reader is None:
                reader = within(CHUNK_SECONDS, partial(_open, path, len(table.seconds)))
            pictures = within(CHUNK_SECONDS, partial(_read, reader, indices))
            if is_fenced:
                reader = None  # and with it all that it has read ahead
                # Some stays in the heap of each of decord's threads: of 720p, 87 kB a frame. To
                # have blocks returned as they are freed would cost the network half its speed.
                give_back_freed_memory()
            _check_pictures(pictures, size, expected)
            expected = pictures[-1] if peek else None
            for index in range(begin, end):
                image = to_image(pictures[index - begin])
                yield Frame(image, index, table.seconds[index])
            del pictures  # before the next are read
    except DecoderStoppedError:
        raise
    except Exception as error:  # decord's own errors derive from nothing more specific
        raise DecoderStoppedError(_first_line(error)) from error


def chunk_frames(frame_bytes: int) -> int:
    """How many frames of this size make up a chunk, at least one."""
    return min(max(CHUNK_BYTES // frame_bytes, 1), CHUNK_FRAMES)


def plan_chunks(
    keys: Sequence[int], num_frames: int, start: int, longest: int
) -> list[tuple[int, int]]:
    """Cut start .. num_frames into chunks, ending at key frames where these are within reach.

    Args:
        keys: ascending indices of key frames.
        num_frames: of the whole clip.
        start: first frame of the first chunk.
        longest: frames in a chunk.

    Returns:
        (first, one past the last) of each chunk.
    """
    chunks = []
    key_set = set(keys)
    while start < num_frames:
        reach = min(start + longest, num_frames)
        end = next((e for e in range(reach, start, -1) if e in key_set), reach)
        end = num_frames if reach == num_frames else end
        chunks.append((start, end))
        start = end
    return chunks


def _redecoding(
    table: PacketTable, chunks: Sequence[tuple[int, int]], fences: Sequence[bool]
) -> float:
    """Frames to be decoded only to get to the beginning of a chunk, as a share of the clip."""
    is_after_seek = [True, *fences][: len(chunks)]
    frames = sum(
        begin - table.key_before(begin)
        for (begin, _), after in zip(chunks, is_after_seek, strict=True)
        if after
    )
    return frames / len(table.seconds)


def _check_cost(path: Path, is_reopened: bool, redecoding: float, max_redecoding: float) -> None:
    """Refuse what PyAV reads faster."""
    if redecoding > max_redecoding:
        raise DecoderStoppedError("key frames too far apart for reading in chunks")
    if is_reopened and path.stat().st_size > LARGEST_REOPENED:
        raise DecoderStoppedError("too large to be opened once more for every chunk")


def _open(path: Path, num_frames: int) -> Any:
    decord = _import_decord()
    decord.logging.set_level(decord.logging.QUIET)
    reader = decord.VideoReader(name_of(path), num_threads=THREADS, fault_tol=NO_SUBSTITUTES)
    if len(reader) != num_frames:
        raise DecoderStoppedError(f"counts {len(reader)} frames of {num_frames}")
    return reader


def _import_decord() -> Any:
    """Import decord after torch, without which it crashes together with CUDA (dmlc/decord#293).

    It has its library loaded into the namespace that all libraries share, where the zlib inside
    takes the place of OpenCV's, which then cannot read a PNG any more. It works as well without.
    """
    shared = ctypes.RTLD_GLOBAL
    ctypes.RTLD_GLOBAL = ctypes.RTLD_LOCAL  # type: ignore[misc]
    try:
        import decord
    finally:
        ctypes.RTLD_GLOBAL = shared  # type: ignore[misc]
    return decord


def _read(reader: Any, indices: range) -> list[Pixels]:
    """(H, W, 3) each."""
    return [reader[index].asnumpy() for index in indices]


def _check_pictures(
    pictures: Sequence[Pixels], size: tuple[int, int], expected: Pixels | None
) -> None:
    # Of some clips narrower than 32 pixels it gives rows with their padding, as more channels.
    if pictures[0].shape != (*size, 3):
        raise DecoderStoppedError(f"gives pictures of {pictures[0].shape} for {(*size, 3)}")
    if expected is not None and not np.array_equal(pictures[0], expected):
        raise DecoderStoppedError("gives another picture when it begins there")


def _first_line(error: Exception) -> str:
    """What decord says, without the time, the place in its source and the stack."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"\[[\d:]+\] \S+:\d+: |^\[.*\] ?", "", lines[0])
