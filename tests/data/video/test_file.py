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
REORDERED = {"x264-params": "keyint=12:bframes=2:b-adapt=0:b-pyramid=none:scenecut=0"}
HIDDEN = {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}
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
    "h264 in avi": ("clip.avi", {"options": REORDERED}),
    "vp8 with hidden frames": ("clip.webm", {"codec": "libvpx", "options": HIDDEN}),
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
        assert video.lost == []
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


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_damage_leaves_gaps_and_is_reported(
    damaged_clip: MakeClip,
    number_of: NumberOf,
    caplog: pytest.LogCaptureFixture,
    decoder: Decoder,
) -> None:
    path = damaged_clip(20, 21, 30)
    video = open_video(path, decoder)
    with caplog.at_level(logging.WARNING):
        frames = list(video)
    assert [frame.index for frame in frames] == [i for i in range(40) if i not in {20, 21, 30}]
    assert [number_of(frame.image) for frame in frames] == [frame.index for frame in frames]
    assert [frame.seconds for frame in frames] == pytest.approx([f.index / FPS for f in frames])
    assert video.lost == [20, 21, 30]
    (warning,) = caplog.messages
    assert f"{path}: damaged; 3 frames could not be decoded, first of index 20" in warning


def test_losses_are_known_when_the_next_frame_comes(damaged_clip: MakeClip) -> None:
    video = open_video(damaged_clip(0, 1, 30))
    assert [(frame.index, len(video.lost)) for frame in video][:2] == [(2, 2), (3, 2)]


@pytest.mark.parametrize("start", [19, 20, 21, 25])
def test_a_reading_that_begins_later_has_the_same_gaps(damaged_clip: MakeClip, start: int) -> None:
    video = open_video(damaged_clip(20, 21, 30))
    shown = [frame.index for frame in video.frames(start)]
    assert shown == [i for i in range(start, 40) if i not in {20, 21, 30}]
    assert video.lost == [i for i in (20, 21, 30) if i >= start]


def test_frames_that_depend_on_one_another_keep_their_numbers(
    make_clip: MakeClip, number_of: NumberOf
) -> None:
    # The packet of a frame that others refer to: what these look like is up to the decoder.
    path = make_clip("clip.mp4", options={"x264-params": "keyint=10:scenecut=0"})
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    damaged = next(packet for packet in packets if packet.pts == packets[0].pts + 15 * 512)
    content = path.read_bytes().replace(bytes(damaged), bytes(damaged.size))
    path.write_bytes(content)
    for decoder in ("auto", "pyav"):
        video = VideoFile(path, decoder)
        frames = list(video)
        assert sorted([frame.index for frame in frames] + video.lost) == list(range(40))
        assert video.lost
        assert all(number_of(f.image) == f.index for f in frames if not 10 <= f.index < 20)


def test_what_is_cut_off_an_mp4_is_counted(make_clip: MakeClip, number_of: NumberOf) -> None:
    path = make_clip("clip.mp4", codec="mjpeg", pix_fmt="yuvj420p", mux={"movflags": "faststart"})
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: positions[25]])
    for decoder in ("auto", "pyav"):
        video = VideoFile(path, decoder)
        assert [number_of(frame.image) for frame in video] == list(range(25))
        assert video.lost == list(range(25, 40))


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


def test_times_that_begin_anew_go_on_at_the_pace_of_the_clip(
    make_clip: MakeClip, number_of: NumberOf
) -> None:
    path = make_clip("clip.ts", num_frames=8)
    path.write_bytes(2 * path.read_bytes())
    frames = list(open_video(path))
    assert [number_of(frame.image) for frame in frames] == 2 * list(range(8))
    assert [frame.index for frame in frames] == list(range(16))
    assert [frame.seconds for frame in frames] == pytest.approx([i / FPS for i in range(16)])


def test_reading_ends_at_a_limit(damaged_clip: MakeClip) -> None:
    video = open_video(damaged_clip(20, 21, 30), max_frames=21)
    assert [frame.index for frame in video] == list(range(20))
    assert video.lost == [20]
    assert [frame.index for frame in video.frames(18)] == [18, 19]
    assert list(video.frames(21)) == []


def test_pictures_that_are_too_large_are_refused(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", num_frames=2)
    for most in (64 * 96, 2**31 - 1, 10**30):
        assert len(list(open_video(path, max_pixels=most))) == 2
    message = r"clip\.mp4: pictures of 96 x 64 pixels, but at most 6143 pixels are allowed; raise"
    with pytest.raises(VideoError, match=message):
        open_video(path, max_pixels=64 * 96 - 1)


@pytest.mark.parametrize("width", [2, 4, 6, 8, 10, 12, 16, 24, 32, 34])
def test_pictures_may_be_as_narrow_as_one_likes(make_clip: MakeClip, width: int) -> None:
    """decord gives some of them with the padding of their rows."""
    path = make_clip("clip.mp4", num_frames=3, size=(64, width))
    found, expected = ([frame.image for frame in open_video(path, by)] for by in ("auto", "pyav"))
    assert [tuple(image.shape) for image in found] == [(3, 64, width)] * 3
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_pictures_that_grow_too_large_on_the_way_are_damage(make_clip: MakeClip) -> None:
    small, large = make_clip("small.ts", num_frames=4), make_clip("large.ts", 4, size=(512, 512))
    path = small.with_name("both.ts")
    path.write_bytes(small.read_bytes() + large.read_bytes())
    assert [frame.size for frame in open_video(path)] == [SIZE] * 8
    with open_video(path, max_pixels=64 * 96) as video:
        assert [frame.size for frame in video] == [SIZE] * 4
        assert video.lost


def test_a_decoder_that_hangs_is_given_up(
    make_clip: MakeClip, number_of: NumberOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_decord, "CHUNK_SECONDS", 0.0)
    path = make_clip("clip.mp4")
    assert [number_of(frame.image) for frame in open_video(path)] == list(range(40))
    with pytest.raises(VideoError, match="decord cannot decode it \\(no answer within 0 s"):
        list(open_video(path, "decord"))


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


def test_nothing_is_missing_behind_the_last_frame(
    make_clip: MakeClip, caplog: pytest.LogCaptureFixture
) -> None:
    video = open_video(make_clip("clip.mp4"))
    with caplog.at_level(logging.WARNING):
        assert list(video.frames(40)) == []  # as of a run that was killed when all was read
    assert caplog.text == ""


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
        "missing.mp4": "no such file; expected a video, a picture, a folder of pictures, a glob, "
        "a webcam's number, an address (rtsp://, http://, ...) or - for standard input",
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


SAME = {
    "plain": ("clip.mp4", {}),
    "sides that no power of two divides": ("clip.mp4", {"size": (66, 98)}),
    "odd width": ("clip.webm", {"codec": "libvpx-vp9", "size": (64, 97)}),
    "tagged BT.709": ("clip.mp4", {"tags": {"colorspace": 1}}),
    "tagged BT.601": ("clip.mp4", {"tags": {"colorspace": 5}}),
    "full range": ("clip.mp4", {"tags": {"color_range": 2}}),
    "4:2:2": ("clip.mp4", {"pix_fmt": "yuv422p"}),
    "4:4:4": ("clip.mp4", {"pix_fmt": "yuv444p"}),
    "jpeg": ("clip.mov", {"codec": "mjpeg", "pix_fmt": "yuvj422p"}),
    "grey": ("clip.mp4", {"pix_fmt": "gray"}),
    "hevc": ("clip.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
    "rotated": ("clip.mov", {"turn": (90, False)}),
}


@pytest.mark.parametrize(("name", "how"), SAME.values(), ids=SAME)
def test_decord_and_pyav_give_the_same_bits(
    make_clip: MakeClip, name: str, how: dict[str, Any]
) -> None:
    path = make_clip(name, num_frames=12, noise=True, **how)
    for one, other in zip(VideoFile(path, "decord"), VideoFile(path, "pyav"), strict=True):
        assert (one.index, one.seconds) == (other.index, other.seconds)
        assert torch.equal(one.image, other.image)


DIFFERENT = {
    "odd height": ("clip.webm", {"codec": "libvpx-vp9", "size": (65, 96)}),
    "ten bits": ("clip.mp4", {"pix_fmt": "yuv420p10le"}),
    "mirrored": ("clip.mov", {"turn": (0, True)}),
}


@pytest.mark.parametrize(("name", "how"), DIFFERENT.values(), ids=DIFFERENT)
def test_decord_is_not_used_where_its_bits_would_differ(
    make_clip: MakeClip, name: str, how: dict[str, Any]
) -> None:
    path = make_clip(name, num_frames=4, **how)
    with pytest.raises(VideoError, match="decord cannot decode it"):
        next(VideoFile(path, "decord").frames())
    assert len(list(VideoFile(path, "auto"))) == 4


def in_sequence(path: Path) -> tuple[list[Any], list[float]]:
    """What PyAV gives without any of our code, as stored, with the times since the first."""
    with av.open(str(path)) as container:
        pictures = list(container.decode(container.streams.video[0]))
        images = [picture.to_ndarray(format="rgb24") for picture in pictures]
    times = [float((p.pts - pictures[0].pts) * p.time_base) for p in pictures]
    return images, times


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_odd_real_files_equal_what_pyav_gives_in_sequence(
    shared_data: Path, decoder: Decoder
) -> None:
    paths = sorted((shared_data / "clips" / "odd").iterdir())
    assert paths
    turns = {"rotation_90": 1, "rotation_180": 2, "rotation_270": 3, "rotated_180": 2}
    for path in paths:
        quarters = next((n for name, n in turns.items() if path.name.startswith(name)), 0)
        images, times = in_sequence(path)
        video = open_video(path, decoder)
        frames = list(video)
        assert video.lost == [], path
        assert [frame.index for frame in frames] == list(range(len(images))), path
        assert [frame.seconds for frame in frames] == pytest.approx(times), path
        for frame, expected in zip(frames, images, strict=True):
            upright = np.rot90(expected, -quarters)
            assert np.array_equal(frame.image.permute(1, 2, 0).numpy(), upright), path
            assert frame.size == video.info.size, path


def test_broken_real_files_give_what_they_hold_or_one_line(shared_data: Path) -> None:
    folder = shared_data / "clips" / "broken"
    images, lost = [], 0
    with av.open(str(folder / "truncated.mp4")) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        for packet in container.demux(stream):
            try:
                images += [picture.to_ndarray(format="rgb24") for picture in packet.decode()]
            except av.FFmpegError:
                lost += 1
    for decoder in ("auto", "pyav"):
        video = VideoFile(folder / "truncated.mp4", decoder)
        frames = list(video)
        assert len(video.lost) == lost > 0
        assert sorted([f.index for f in frames] + video.lost) == list(range(len(images) + lost))
        for frame, expected in zip(frames, images, strict=True):
            assert np.array_equal(frame.image.permute(1, 2, 0).numpy(), expected)
    for name, message in (("empty.webm", "is empty"), ("audio_only.mp3", "only audio")):
        with pytest.raises(VideoError, match=message):
            open_video(folder / name)
