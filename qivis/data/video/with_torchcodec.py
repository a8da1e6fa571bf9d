"""Decoding with torchcodec on an NVIDIA GPU, where both are there (extra `gpu-video`).

Needs FFmpeg's shared libraries on the system. What the project's own machines could run of this
is the choice of it and the message without it; the decoding itself has not been run. The GPU
rounds colours in its own way: results are not bit-equal to those of the other decoders.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qivis.data.video.deadline import within
from qivis.data.video.packet_table import read_packet_table
from qivis.data.video.source import DecoderStoppedError
from qivis.data.video.with_pyav import Probe
from qivis.errors import VideoError
from qivis.ffmpeg import name_of
from qivis.structures import Frame

CHUNK_FRAMES = 16
CHUNK_SECONDS = 10.0


def has_torchcodec() -> bool:
    """Whether torchcodec can be imported and there is a GPU for it."""
    try:
        check_torchcodec()
    except VideoError:
        return False
    return True


def check_torchcodec() -> None:
    """Import torchcodec and look for a GPU.

    Raises:
        VideoError: if one of them is missing.
    """
    try:
        _video_decoder()
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: there is no FFmpeg
        reason = str(error).strip().partition("\n")[0]
        raise VideoError(
            f"decoder torchcodec: cannot be imported ({reason}); install the extra gpu-video "
            "and FFmpeg, or choose another decoder"
        ) from error
    if not torch.cuda.is_available():
        raise VideoError("decoder torchcodec: needs an NVIDIA GPU; choose another decoder")


def reason_against_torchcodec(found: Probe) -> str:
    """Why torchcodec might give other pictures than PyAV; empty if it does not."""
    if not found.is_upright:
        return "which turned or mirrored pictures it sets upright depends on its version"
    return ""


def decode_with_torchcodec(
    path: Path, size: tuple[int, int], gpu: torch.device, start: int = 0
) -> Iterator[Frame]:
    """The frames from index `start` on, in main memory.

    Args:
        path: the video.
        size: (H, W) of the frames, which are stored upright.
        gpu: that decodes.
        start: index of the first frame that is given.

    Raises:
        DecoderStoppedError: if it cannot open the file, fails, hangs, or would number the
            frames otherwise than their packets.
    """
    table = read_packet_table(path)
    num_frames = len(table.seconds)
    try:
        reader = within(CHUNK_SECONDS, partial(_open, path, gpu, num_frames))
        for begin in range(start, num_frames, CHUNK_FRAMES):
            end = min(begin + CHUNK_FRAMES, num_frames)
            images = within(CHUNK_SECONDS, partial(_read, reader, begin, end))
            _check_shape(images, (end - begin, 3, *size))
            for index, image in enumerate(images, begin):
                yield Frame(image.clone(), index, table.seconds[index])
    except DecoderStoppedError:
        raise
    except Exception as error:  # its errors come from C++ as RuntimeError and others
        raise DecoderStoppedError(str(error).partition("\n")[0]) from error


def _video_decoder() -> Any:
    from torchcodec.decoders import VideoDecoder

    return VideoDecoder


def _open(path: Path, gpu: torch.device, num_frames: int) -> Any:
    # Approximate seeking gives wrong frames where the rate varies.
    reader = _video_decoder()(name_of(path), device=str(gpu), seek_mode="exact")
    if len(reader) != num_frames:
        raise DecoderStoppedError(f"counts {len(reader)} frames of {num_frames}")
    return reader


def _read(reader: Any, begin: int, end: int) -> Tensor:
    """(N, 3, H, W), channels last in memory."""
    images: Tensor = reader.get_frames_in_range(begin, end).data.cpu()
    return images


def _check_shape(images: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(images.shape) != expected:
        raise DecoderStoppedError(f"gives pictures of {tuple(images.shape)} for {expected}")
