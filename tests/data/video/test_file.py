"""Video files: every frame once, in order, upright, at its time, whichever decoder gives it."""

import logging
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from qivis.data.video import VideoInfo, open_video, with_decord
from qivis.data.video.file import Decoder, VideoFile
from qivis.errors import VideoError

from .conftest import FPS, SIZE, MakeClip, NumberOf, paint

OPEN_GOP = {"x265-params": "open-gop=1:keyint=12:bframes=4:b-adapt=0:log-level=none"}
FINE = {"qmin": "1", "qmax": "2"}
KINDS = {
    "plain": ("clip.mp4", {}),
    "far key frames": ("clip.mkv", {"options": {"x264-params": "keyint=250:scenecut=0"}}),
    "close key frames": ("clip.mp4", {"options": {"x264-params": "keyint=6:scenecut=0"}}),
    "open groups": ("clip.mkv", {"codec": "libx265", "options": OPEN_GOP}),
    "ten bit": ("clip.mp4", {"pix_fmt": "yuv420p10le"}),
    "avi": ("clip.avi", {"codec": "mpeg4", "options": FINE}),
    "motion jpeg": ("clip.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "transport stream": ("clip.ts", {"options": {"x264-params": "keyint=12:scenecut=0"}}),
    "flash": ("clip.flv", {}),
    "vp9": ("clip.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}),
    "av1": ("clip.mkv", {"codec": "libsvtav1", "options": {"preset": "12"}}),
    "no times": ("clip.h264", {}),
    "leading dash": ("-clip.mp4", {}),
    "colon": ("http:clip.mp4", {}),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fences and seeks, as in long clips."""
    monkeypatch.setattr(with_decord, "CHUNK_FRAMES", 8)
    monkeypatch.setattr(with_decord, "READ_AHEAD_BYTES", 0)


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
@pytest.mark.parametrize(("name", "how"), KINDS.values(), ids=KINDS)
def test_every_frame_comes_once_in_order_at_its_time(
    make_clip: MakeClip, number_of: NumberOf, name: str, how: dict[str, Any], decoder: Decoder
) -> None:
    with open_video(make_clip(name, **how), decoder) as video:
        frames = list(video)
        assert video.frames_lost == 0
    assert [number_of(frame.image) for frame in frames] == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(40)])
    assert {(frame.size, frame.image.dtype) for frame in frames} == {(SIZE, torch.uint8)}


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("start", [0, 7, 17, 39, 40])
def test_reading_can_begin_anywhere(
    make_clip: MakeClip, number_of: NumberOf, start: int, decoder: Decoder
) -> None:
    video = open_video(make_clip("clip.mp4", options={"x264-params": "keyint=6"}), decoder)
    frames = list(video.frames(start))
    assert [number_of(frame.image) for frame in frames] == list(range(start, 40))
    assert [frame.index for frame in frames] == list(range(start, 40))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(start, 40)])


def test_the_header_says_what_comes(make_clip: MakeClip) -> None:
    info = open_video(make_clip("clip.mp4")).info
    assert info == VideoInfo(num_frames=40, size=SIZE, fps=Fraction(FPS), seconds=1.6)


def test_a_stream_without_header_claims_nothing(make_clip: MakeClip) -> None:
    info = open_video(make_clip("clip.h264")).info
    assert info == VideoInfo(num_frames=0, size=SIZE, fps=Fraction(FPS), seconds=0.0)


def test_times_are_those_of_the_clip(make_clip: MakeClip) -> None:
    def slow_down(packet: Any) -> None:
        packet.pts, packet.dts = packet.pts**2, packet.pts**2

    path = make_clip("clip.mkv", num_frames=20, codec="mjpeg", pix_fmt="yuvj420p", edit=slow_down)
    for decoder in ("decord", "pyav"):
        seconds = [frame.seconds for frame in VideoFile(path, decoder)]
        # Matroska counts in milliseconds.
        assert seconds == pytest.approx([i * i / FPS for i in range(20)], abs=5e-4)


@pytest.mark.parametrize("mirrored", [False, True], ids=["rotated", "mirrored"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_frames_are_upright(make_clip: MakeClip, degrees: int, mirrored: bool) -> None:
    path = make_clip("clip.mov", num_frames=10, turn=(degrees, mirrored))
    for decoder in ("auto", "pyav"):
        video = VideoFile(path, decoder)
        for frame in video:
            expected = np.rot90(paint(frame.index), degrees // 90)
            expected = expected[:, ::-1] if mirrored else expected
            difference = expected - frame.image.permute(1, 2, 0).numpy().astype(float)
            assert frame.size == video.info.size == expected.shape[:2]
            assert np.abs(difference).mean() < 3


def test_packets_that_are_not_to_be_shown_are_not_shown(
    make_clip: MakeClip, number_of: NumberOf
) -> None:
    def cut_off_ten(packet: Any) -> None:
        packet.pts, packet.dts = packet.pts - 10, packet.dts - 10

    path = make_clip("clip.mp4", options={"x264-params": "keyint=12:scenecut=0"}, edit=cut_off_ten)
    frames = list(open_video(path))
    assert [number_of(frame.image) for frame in frames] == list(range(10, 40))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(30)])


def test_damage_costs_the_damaged_frames_and_is_reported(
    damaged_clip: MakeClip, number_of: NumberOf, caplog: pytest.LogCaptureFixture
) -> None:
    path = damaged_clip(20, 21, 30)
    video = open_video(path)
    with caplog.at_level(logging.WARNING):
        frames = list(video)
    shown = [number_of(frame.image) for frame in frames]
    assert shown == [i for i in range(40) if i not in {20, 21, 30}]
    assert [frame.index for frame in frames] == list(range(37))
    assert frames[20].seconds == pytest.approx(22 / FPS)
    assert video.frames_lost == 3
    (warning,) = caplog.messages
    assert f"{path}: left out what could not be decoded, 3 times" in warning


def test_a_clip_that_ends_early_gives_what_there_is(
    make_clip: MakeClip, number_of: NumberOf, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_clip("clip.mkv", codec="mjpeg", pix_fmt="yuvj420p")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        shown = [number_of(frame.image) for frame in open_video(path)]
    assert 15 <= len(shown) <= 22
    assert shown == list(range(len(shown)))
    assert "of the 1.6 s that its header claims" in caplog.text


@pytest.mark.parametrize("module", ["decord", "cv2"])
def test_files_are_read_without(
    make_clip: MakeClip, number_of: NumberOf, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    shown = [number_of(frame.image) for frame in open_video(make_clip("clip.mp4"))]
    assert shown == list(range(40))


def test_insisting_on_decord_refuses_what_it_cannot_read(make_clip: MakeClip) -> None:
    path = make_clip("clip.ts")
    with pytest.raises(VideoError, match=r"clip\.ts: decord cannot decode it \(a container"):
        list(open_video(path, "decord"))


def test_a_source_can_be_handed_to_a_worker(make_clip: MakeClip, number_of: NumberOf) -> None:
    video = pickle.loads(pickle.dumps(open_video(make_clip("clip.mp4"))))
    assert [number_of(frame.image) for frame in video] == list(range(40))


def test_a_new_reading_and_closing_end_the_old_one(make_clip: MakeClip) -> None:
    video = open_video(make_clip("clip.mp4"))
    first = video.frames()
    next(first)
    second = video.frames(5)
    assert next(second).index == 5
    assert list(first) == []
    video.close()
    assert list(second) == []


def test_a_kept_frame_keeps_no_other_in_memory(make_clip: MakeClip) -> None:
    for decoder in ("decord", "pyav"):
        first, second, *_ = VideoFile(make_clip("clip.mp4"), decoder)
        # Had both been cut from one piece of memory, they would lie side by side.
        assert second.image.data_ptr() - first.image.data_ptr() != first.image.numel()


def make_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))


def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path) -> None:
    make_sound(tmp_path / "sound.wav")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.mp4").write_text("not a video, whatever its name says\n" * 100)
    expected = {
        "sound.wav": "holds no video, only audio",
        "empty.mp4": "the file is empty",
        "notes.mp4": "not a video that can be read (Invalid data found when processing input)",
        "missing.mp4": "no such file; expected a video, a picture, a folder of pictures or a glob",
    }
    for name, message in expected.items():
        with pytest.raises(VideoError) as caught:
            open_video(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {message}"


def test_a_file_without_one_good_frame_is_refused(damaged_clip: MakeClip) -> None:
    path = damaged_clip(0, 1, 2, num_frames=3)
    with pytest.raises(VideoError, match="not one frame can be decoded; the file is damaged"):
        open_video(path)


READ_PICTURE_AFTER_CLIP = """
import sys
from qivis.data.video import open_video

print(len(list(open_video(sys.argv[1], "decord"))), len(list(open_video(sys.argv[2]))))
"""


def test_pictures_can_be_read_after_a_video(make_clip: MakeClip, tmp_path: Path) -> None:
    # In a process of its own, in which OpenCV has not been imported before decord.
    Image.fromarray(paint(0)).save(tmp_path / "0.png")
    paths = [str(make_clip("clip.mp4")), str(tmp_path / "0.png")]
    command = [sys.executable, "-c", READ_PICTURE_AFTER_CLIP, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["40", "1"]


MEASURE_MEMORY = """
import sys, time
from pathlib import Path
from qivis.data.video import open_video, with_decord

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

with_decord.READ_AHEAD_BYTES = 2**24
for frame in open_video(sys.argv[1], "decord"):
    if frame.index == 0:
        start = megabytes()
    if frame.index % 32 == 31:
        time.sleep(0.1)  # time to read ahead
print(megabytes() - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory use from /proc")
def test_a_slow_consumer_does_not_make_memory_grow(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    options = {"preset": "ultrafast", "x264-params": "keyint=16:scenecut=0"}
    picture = np.zeros((360, 640, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = 360, 640, "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        for index in range(320):  # 210 MB of pictures
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    command = [sys.executable, "-c", MEASURE_MEMORY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100


def test_odd_real_files_equal_what_pyav_gives_in_sequence(shared_data: Path) -> None:
    paths = sorted((shared_data / "clips" / "odd").iterdir())
    assert paths
    for path in paths:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            reference = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        video = open_video(path)
        frames = list(video)
        assert len(frames) == len(reference), path
        if "rotat" in path.name:
            continue  # the reference is not upright
        for frame, expected in zip(frames, reference, strict=True):
            difference = frame.image.permute(1, 2, 0).numpy().astype(float) - expected
            assert np.abs(difference).mean() < 5, path  # decord rounds ten bits differently
