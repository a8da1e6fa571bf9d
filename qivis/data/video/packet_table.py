"""What the packets of a file say of its frames, read without decoding one.

Decoders that seek number the frames by it, or are not used where they would number otherwise.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from qivis.data.video.container import cut_off, has_times, open_container, reason_of, video_stream
from qivis.data.video.source import DecoderStoppedError, Limits
from qivis.errors import VideoError
from qivis.ffmpeg import UNDECODED

# decord can begin in the middle of what is made for broadcast (MPEG-TS and -PS), unnoticed.
CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm", "avi"})
# They have packets that are not shown, and decord does not notice before the end.
HIDING = frozenset({"vp8", "mpeg4"})


@dataclass(frozen=True)
class PacketTable:
    """What the packets say of the T frames, in the order of presentation.

    seconds: T times from the first frame on.
    keys: ascending indices of the frames from which decoding can begin.
    """

    seconds: Sequence[float]
    keys: Sequence[int]

    def key_before(self, index: int) -> int:
        """The frame from which decoding must begin to get at this one."""
        return self.keys[bisect_right(self.keys, index) - 1]


def read_packet_table(path: Path) -> PacketTable:
    """Read all packets without decoding them.

    Raises:
        DecoderStoppedError: if a decoder that seeks would number or decode the frames wrongly:
            another kind of container or codec, an end that is cut off, packets that are not
            shown (edit lists), lack a time or share one, or key frames that are followed by
            frames from before them (open groups of pictures).
    """
    ticks, key_ticks = list[int](), list[int]()
    try:
        with open_container(path, UNDECODED) as container:
            stream = video_stream(container, path, Limits())
            _check_container(container, stream)
            for packet in container.demux(stream):
                if packet.size > 0:
                    ticks.append(_tick_to_show(packet, after=key_ticks))
                    key_ticks += ticks[-1:] if packet.is_keyframe else []
            time_base = stream.time_base or Fraction(1)
    except (av.FFmpegError, VideoError) as error:
        raise DecoderStoppedError(reason_of(error)) from error
    ticks.sort()
    if not key_ticks or key_ticks[0] != ticks[0] or any(a == b for a, b in pairwise(ticks)):
        raise DecoderStoppedError("frames that share a time, or no key frame at the start")
    index_of = {tick: index for index, tick in enumerate(ticks)}
    seconds = [float((tick - ticks[0]) * time_base) for tick in ticks]
    return PacketTable(seconds, [index_of[tick] for tick in key_ticks])


def _check_container(container: InputContainer, stream: VideoStream) -> None:
    if CONTAINERS.isdisjoint(container.format.name.split(",")):
        raise DecoderStoppedError(f"a container of the kind {container.format.name}")
    if stream.codec_context.name in HIDING:
        raise DecoderStoppedError(f"{stream.codec_context.name}, which can hide packets")
    if not has_times(container, stream):
        raise DecoderStoppedError("a container that does not say when frames are shown")
    if cut_off(container, stream):
        raise DecoderStoppedError("a file that ends too early")


def _tick_to_show(packet: "Packet[VideoStream]", after: Sequence[int]) -> int:
    """When a packet's picture is shown; it must not be before the latest key frame."""
    if packet.pts is None or packet.is_discard or packet.is_corrupt:
        raise DecoderStoppedError("packets without a time, or not to be shown")
    if after and packet.pts < after[-1]:
        raise DecoderStoppedError("frames that precede their key frame")
    return packet.pts
