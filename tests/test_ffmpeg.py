"""What the options do to FFmpeg."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from qivis.ffmpeg import UNDECODED
from qivis.viz.writer import VideoWriter


def test_what_is_opened_undecoded_has_the_same_packets_and_pictures(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, (32, 48), Fraction(25)) as writer:
        for index in range(5):
            writer.write(np.full((32, 48, 3), 50 * index, np.uint8), index / 25)
    found = []
    for options in ({}, UNDECODED):
        with av.open(str(path), options=options) as container:
            knows_pictures = container.streams.video[0].codec_context.pix_fmt is not None
            assert knows_pictures == (not options)
            packets = [bytes(packet) for packet in container.demux(video=0)]
        with av.open(str(path), options=options) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        found.append((packets, pictures))
    (packets, pictures), (undecoded, others) = found
    assert packets == undecoded
    assert len(pictures) == len(others) == 5
    assert np.array_equal(pictures, others)
