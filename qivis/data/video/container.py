"""Into a container of video by PyAV, and what it says of its pictures."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from qivis.data.video.source import Limits
from qivis.errors import VideoError
from qivis.ffmpeg import name_of

FALLBACK_FPS = Fraction(25)  # of streams that state no rate, such as raw H.264
# An AVI has no times to show pictures at. FFmpeg finds them out for some codecs, not for these.
UNTIMED_IN_AVI = frozenset({"h264", "hevc"})
FFMPEG_MOST = 2**31 - 1  # of its numbers of pixels


def open_container(
    path: Path, options: Mapping[str, str] | None = None
) -> AbstractContextManager[InputContainer]:
    """Open a file for reading.

    Args:
        path: of the file.
        options: of FFmpeg, such as `qivis.ffmpeg.UNDECODED`.

    Raises:
        VideoError: if it cannot be read or has no known format.
    """
    try:
        return av.open(name_of(path), options=dict(options or {}), metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: not a video that can be read ({reason_of(error)})") from error


def video_stream(container: InputContainer, name: Path | str, limits: Limits) -> VideoStream:
    """The stream that shows moving pictures; the cover of an album is none.

    Args:
        container: what to look into.
        name: for messages.
        limits: pictures that grow to twice as much on the way count as damaged.

    Raises:
        VideoError: if there is none, or no decoder for it, or its pictures are too large.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        held = sorted({other.type for other in container.streams})
        raise VideoError(f"{name}: holds no video, only {' and '.join(held) or 'nothing'}")
    codec = stream.codec_context
    if codec is None:  # whatever the types say: there is no decoder for it
        raise VideoError(f"{name}: its video codec is not known to this build of PyAV")
    limits.check(name, (codec.height, codec.width))
    # FFmpeg counts the memory of a picture, whose rows and columns are rounded up.
    most = min(2 * limits.max_pixels + 2**16, FFMPEG_MOST)
    codec.options = {"max_pixels": str(most)}
    return stream


def rate_of(stream: VideoStream) -> Fraction:
    """Frames a second."""
    return Fraction(stream.average_rate or stream.guessed_rate or FALLBACK_FPS)


def claimed_seconds(container: InputContainer, stream: VideoStream) -> float:
    """The length that the container claims; 0.0 if it claims none."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def has_times(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the times of packets, if there are any, are those at which pictures are shown."""
    return container.format.name != "avi" or stream.codec_context.name not in UNTIMED_IN_AVI


def cut_off(container: InputContainer, stream: VideoStream) -> int:
    """How many pictures of the stream's index lie wholly beyond the end of the file.

    Only of the mp4 family, where the index is needed for reading: others may have one that is
    wrong, or none.
    """
    if "mp4" not in container.format.name.split(",") or container.size <= 0:
        return 0
    return sum(
        entry.pos >= container.size and not entry.is_discard for entry in stream.index_entries
    )


def reason_of(error: BaseException) -> str:
    """What FFmpeg says, without its error number."""
    return str(getattr(error, "strerror", None) or error)
