"""Decoding with decord, fenced and watched.

decord reads ahead without bound while the consumer is slow: 2.7 GB for 1000 frames of 720p were
seen (dmlc/decord#157, #208). A seek makes it drop what it has read ahead, but then it decodes
again from the last key frame, and some streams come out wrong after a seek. So the clip is read
in chunks with a seek after each, only where the packets say that this is cheap and exact, and
each chunk must begin with the very picture that followed the one before.
"""

import ctypes
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from qivis.data.video.source import DecoderStoppedError
from qivis.data.video.with_pyav import Pixels, open_container, to_image, video_stream
from qivis.errors import VideoError
from qivis.structures import Frame

CHUNK_FRAMES = 32
CHUNK_BYTES = 128 * 2**20
READ_AHEAD_BYTES = 256 * 2**20  # without a fence, at most this much of the clip lies ahead
MAX_REDECODING = 1.0  # from there on PyAV, which decodes each frame once, is faster
THREADS = 2
# decord can begin in the middle of what is made for broadcast (MPEG-TS and -PS), unnoticed.
CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm", "avi"})
NO_SUBSTITUTES = 1e-9  # share of frames that decord may replace by copies of others; 0 is "all"


@dataclass(frozen=True)
class PacketTable:
    """What the packets say of the T frames, in the order of presentation.

    seconds: T times from the first frame on.
    keys: ascending indices of the frames from which decoding can begin.
    """

    seconds: Sequence[float]
    keys: Sequence[int]


def decode_with_decord(
    path: Path, size: tuple[int, int], start: int = 0, max_redecoding: float = MAX_REDECODING
) -> Iterator[Frame]:
    """The frames from index `start` on.

    The reader is opened when the first frame is asked for, in the thread that asks: decord hangs
    in a process that was forked after it was opened.

    Args:
        path: the video.
        size: (H, W) of the frames, upright.
        start: index of the first frame that is given.
        max_redecoding: how many times the clip may be decoded again in all.

    Raises:
        DecoderStoppedError: if decord cannot open the file, fails, would be wrong, or slower
            than that.
    """
    table = read_packet_table(path)
    frame_bytes = 3 * size[0] * size[1]
    chunks = plan_chunks(table.keys, len(table.seconds), start, chunk_frames(frame_bytes))
    fences = [(len(table.seconds) - end) * frame_bytes > READ_AHEAD_BYTES for _, end in chunks]
    if _redecoding(table, chunks, fences) > max_redecoding:
        raise DecoderStoppedError("key frames too far apart for reading in chunks")
    try:
        reader = _open(path, len(table.seconds))
        expected: Pixels | None = None
        for (begin, end), is_fenced in zip(chunks, fences, strict=True):
            peek = is_fenced and end < len(table.seconds)
            pictures = reader.get_batch(range(begin, end + peek)).asnumpy()
            _check_pictures(pictures, size, expected)
            expected = pictures[-1].copy() if peek else None
            if is_fenced:
                reader.seek(0)
            for index in range(begin, end):
                image = to_image(pictures[index - begin].copy())
                yield Frame(image, index, table.seconds[index])
    except DecoderStoppedError:
        raise
    except Exception as error:  # decord's own errors derive from nothing more specific
        raise DecoderStoppedError(_first_line(error)) from error


def read_packet_table(path: Path) -> PacketTable:
    """Read all packets without decoding them.

    Raises:
        DecoderStoppedError: if decord would number or decode the frames wrongly: another kind of
            container, packets that are not shown (edit lists), lack a time or share one, or key
            frames that are followed by frames from before them (open groups of pictures).
    """
    ticks, key_ticks = list[int](), list[int]()
    try:
        with open_container(path) as container:
            if CONTAINERS.isdisjoint(container.format.name.split(",")):
                raise DecoderStoppedError(f"a container of the kind {container.format.name}")
            stream = video_stream(container, path)
            for packet in container.demux(stream):
                if packet.size > 0:
                    ticks.append(_tick_to_show(packet, after=key_ticks))
                    key_ticks += ticks[-1:] if packet.is_keyframe else []
            time_base = stream.time_base or Fraction(1)
    except (av.FFmpegError, VideoError) as error:
        raise DecoderStoppedError(_first_line(error)) from error
    ticks.sort()
    if not key_ticks or key_ticks[0] != ticks[0] or any(a == b for a, b in pairwise(ticks)):
        raise DecoderStoppedError("frames that share a time, or no key frame at the start")
    index_of = {tick: index for index, tick in enumerate(ticks)}
    seconds = [float((tick - ticks[0]) * time_base) for tick in ticks]
    return PacketTable(seconds, [index_of[tick] for tick in key_ticks])


def _tick_to_show(packet: "Packet[VideoStream]", after: Sequence[int]) -> int:
    """When a packet's picture is shown; it must not be before the latest key frame."""
    if packet.pts is None or packet.is_discard or packet.is_corrupt:
        raise DecoderStoppedError("packets without a time, or not to be shown")
    if after and packet.pts < after[-1]:
        raise DecoderStoppedError("frames that precede their key frame")
    return packet.pts


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
        begin - table.keys[bisect_right(table.keys, begin) - 1]
        for (begin, _), after in zip(chunks, is_after_seek, strict=True)
        if after
    )
    return frames / len(table.seconds)


def _open(path: Path, num_frames: int) -> Any:
    decord = _import_decord()
    decord.logging.set_level(decord.logging.QUIET)
    name = str(path.absolute())
    reader = decord.VideoReader(name, num_threads=THREADS, fault_tol=NO_SUBSTITUTES)
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


def _check_pictures(pictures: Pixels, size: tuple[int, int], expected: Pixels | None) -> None:
    if pictures.shape[1:3] != size:
        raise DecoderStoppedError(f"gives pictures of {pictures.shape[1:3]} for {size}")
    if expected is not None and not np.array_equal(pictures[0], expected):
        raise DecoderStoppedError("gives another picture after a seek")


def _first_line(error: Exception) -> str:
    """What decord says, without the time, the place in its source and the stack."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"\[[\d:]+\] \S+:\d+: |^\[.*\] ?", "", lines[0])
