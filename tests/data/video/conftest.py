"""Clips made on the spot: 40 grey frames, each of its own brightness, with a white corner."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

SIZE = (64, 96)
FPS = 25
# Frame i has the brightness 30 + 5 (17 i mod 40): neighbours differ so much that no codec takes
# them for one another. 33 is the inverse of 17: 17 * 33 = 1 mod 40.
MakeClip = Callable[..., Path]
NumberOf = Callable[[Tensor], int]


def paint(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    picture = np.full((*size, 3), 30 + 5 * (17 * index % 40), dtype=np.uint8)
    picture[: size[0] // 4, : size[1] // 4] = 255
    return picture


@pytest.fixture(scope="session")
def number_of() -> NumberOf:
    """Which frame an upright (3, H, W) image is, from its middle."""

    def read(image: Tensor) -> int:
        height, width = image.shape[1:]
        middle = image[:, height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
        return 33 * round((float(middle.float().mean()) - 30) / 5) % 40

    return read


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Encode frames.

    options, mux: of the codec and of the container.
    edit: may change each packet before it is written.
    turn: to be done by the player: degrees counter-clockwise, then whether to mirror.
    size: (H, W).
    tags: what the codec's header says of the colours.
    noise: instead of grey.
    """

    def make(
        name: str,
        num_frames: int = 40,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: Mapping[str, str] | None = None,
        edit: Callable[[Any], None] | None = None,
        turn: tuple[int, bool] | None = None,
        size: tuple[int, int] = SIZE,
        tags: Mapping[str, int] | None = None,
        noise: bool = False,
        mux: Mapping[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        random = np.random.default_rng(0)
        with av.open(str(path), "w", options=dict(mux or {})) as container:
            stream: Any = container.add_stream(codec, rate=FPS, options=dict(options or {}))
            stream.height, stream.width = size
            stream.pix_fmt = pix_fmt
            for name, value in (tags or {}).items():
                setattr(stream.codec_context, name, value)
            if turn is not None:
                stream.set_display_rotation(turn[0], hflip=turn[1])
            packets = []
            for index in range(num_frames):
                noisy = random.integers(0, 256, (*size, 3), np.uint8)
                picture = noisy if noise else paint(index, size)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, FPS)
                packets += stream.encode(frame)
            for packet in packets + stream.encode():
                if edit is not None:
                    edit(packet)
                container.mux(packet)
        return path

    return make


@pytest.fixture
def damaged_clip(make_clip: MakeClip) -> Callable[..., Path]:
    """A clip with the packets of these frames zeroed; each frame is a packet of its own."""

    def make(*damaged: int, num_frames: int = 40) -> Path:
        path = make_clip("clip.mkv", num_frames, codec="mjpeg", pix_fmt="yuvj420p")
        content = path.read_bytes()
        with av.open(str(path)) as container:
            packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        for index in damaged:
            assert content.count(packets[index]) == 1
            content = content.replace(packets[index], bytes(len(packets[index])))
        path.write_bytes(content)
        return path

    return make
