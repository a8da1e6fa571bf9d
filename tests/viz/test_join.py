"""Parts of an overlay put together: the pictures, their times and the sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from qivis.errors import DataError
from qivis.viz.join import join_videos
from qivis.viz.writer import VideoWriter

SIZE = (48, 64)
FPS = Fraction(30000, 1001)
RATE = 48_000
TONE = 440


def write_parts(folder: Path, times: list[float], lengths: list[int]) -> list[Path]:
    """Parts whose frame i is of the grey 10 * i."""
    parts, index = [], 0
    for number, length in enumerate(lengths):
        parts.append(folder / f"{number}.mp4")
        with VideoWriter(parts[-1], SIZE, FPS) as writer:
            for _ in range(length):
                writer.write(np.full((*SIZE, 3), 10 * index, np.uint8), times[index])
                index += 1
    return parts


def write_clip(path: Path, codec: str, seconds: float, delay: float = 0.0) -> None:
    """A clip of one grey with a tone that begins after `delay`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=RATE)
        audio.layout = "mono"
        for index in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            container.mux(video.encode(frame))
            wave = np.sin(2 * np.pi * TONE * (index * 4800 + np.arange(4800)) / RATE)
            sound = av.AudioFrame.from_ndarray(
                (wave * 20_000).astype(np.int16)[None], format="s16", layout="mono"
            )
            sound.sample_rate, sound.time_base = RATE, Fraction(1, RATE)
            sound.pts = index * 4800 + round(delay * RATE)
            container.mux(audio.encode(sound))
        container.mux(video.encode())
        container.mux(audio.encode())


def sound_of(path: Path) -> tuple[float, float, float]:
    """When the sound begins, how long it is, and its strongest frequency."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    wave = np.concatenate([frame.to_ndarray()[0].astype(float) for frame in frames])
    spectrum = np.abs(np.fft.rfft(wave))
    strongest = float(np.fft.rfftfreq(len(wave), 1 / frames[0].sample_rate)[spectrum.argmax()])
    assert frames[0].time is not None
    return frames[0].time, len(wave) / frames[0].sample_rate, strongest


def test_frames_of_all_parts_are_there_at_their_times(tmp_path: Path) -> None:
    times = [0.0, 0.03, 0.07, 0.5, 0.51, 0.9, 1.4]
    parts = write_parts(tmp_path, times, [3, 1, 3])
    join_videos(parts, times, tmp_path / "whole.mp4", FPS, None)
    with av.open(str(tmp_path / "whole.mp4")) as container:
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=2e-5)
    means = [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]
    assert means == pytest.approx([10 * i for i in range(7)], abs=3)


def test_a_steady_rate_stays_exact(tmp_path: Path) -> None:
    times = [float(index / FPS) for index in range(9)]
    join_videos(write_parts(tmp_path, times, [4, 5]), times, tmp_path / "whole.mp4", FPS, None)
    with av.open(str(tmp_path / "whole.mp4")) as container:
        assert container.streams.video[0].average_rate == FPS


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.mp4", "aac"), ("clip.mkv", "pcm_s16le"), ("clip.mkv", "libopus")]
)
def test_the_sound_of_the_clip_goes_along(tmp_path: Path, name: str, codec: str) -> None:
    write_clip(tmp_path / name, codec, seconds=2)
    times = [index / 10 for index in range(20)]
    parts = write_parts(tmp_path, times, [8, 12])
    join_videos(parts, times, tmp_path / "whole.mp4", Fraction(10), tmp_path / name)
    with av.open(str(tmp_path / "whole.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    begin, seconds, frequency = sound_of(tmp_path / "whole.mp4")
    assert begin == pytest.approx(0, abs=0.05)
    assert seconds == pytest.approx(2, abs=0.1)
    assert frequency == pytest.approx(TONE, abs=3)


def test_the_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", "aac", seconds=3)
    times = [index / 10 for index in range(10)]
    parts = write_parts(tmp_path, times, [10])
    join_videos(parts, times, tmp_path / "whole.mp4", Fraction(10), tmp_path / "clip.mp4")
    assert sound_of(tmp_path / "whole.mp4")[1] == pytest.approx(1.1, abs=0.1)


def test_the_sound_stays_in_step_with_the_pictures(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "pcm_s16le", seconds=2, delay=0.5)
    times = [index / 10 for index in range(20)]
    parts = write_parts(tmp_path, times, [20])
    join_videos(parts, times, tmp_path / "whole.mp4", Fraction(10), tmp_path / "clip.mkv")
    assert sound_of(tmp_path / "whole.mp4")[0] == pytest.approx(0.5, abs=0.05)


def test_the_sound_stays_in_step_where_the_first_pictures_are_lost(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "pcm_s16le", seconds=2, delay=0.5)
    times = [index / 10 for index in range(3, 20)]  # of the clip; the overlay begins with the first
    parts = write_parts(tmp_path, times, [17])
    join_videos(parts, times, tmp_path / "whole.mp4", Fraction(10), tmp_path / "clip.mkv")
    assert sound_of(tmp_path / "whole.mp4")[0] == pytest.approx(0.5 - 0.3, abs=0.05)


def test_relative_paths_are_not_taken_for_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("2024-01-01T12:30")
    times = [index / 10 for index in range(10)]
    parts = write_parts(folder, times, [10])
    write_clip(tmp_path / folder / "clip.mkv", "pcm_s16le", seconds=1)
    join_videos(parts, times, folder / "whole.mp4", Fraction(10), folder / "clip.mkv")
    assert sound_of(tmp_path / folder / "whole.mp4")[1] == pytest.approx(1, abs=0.1)


def test_a_clip_without_sound_gives_none(tmp_path: Path) -> None:
    (part,) = parts = write_parts(tmp_path, [0.0], [1])
    join_videos(parts, [0.0], tmp_path / "whole.mp4", FPS, part)
    with av.open(str(tmp_path / "whole.mp4")) as container:
        assert not container.streams.audio


def test_sound_that_cannot_be_read_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video at all")
    parts = write_parts(tmp_path, [0.0, 0.1], [2])
    join_videos(parts, [0.0, 0.1], tmp_path / "whole.mp4", FPS, tmp_path / "clip.mp4")
    assert "its sound cannot be taken over" in caplog.text
    with av.open(str(tmp_path / "whole.mp4")) as container:
        assert container.streams.video[0].frames == 2


def test_the_same_parts_are_the_same_bytes(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [0.0, 0.1], [2])
    for name in ("a.mp4", "b.mp4"):
        join_videos(parts, [0.0, 0.1], tmp_path / name, FPS, None)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [0.0], [1])
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/whole\.mp4: cannot be written"):
        join_videos(parts, [0.0], tmp_path / "file" / "whole.mp4", FPS, None)
