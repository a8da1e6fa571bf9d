"""The examples do what they say, on a few frames of the demo clip."""

import re
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from examples import count_objects, matte, segment_clip, spotlight
from qivis.export.tracks_json import write_tracks
from tests.tracked_clip import empty_clip, tracked_clip

ROOT = Path(__file__).parents[1]
NUM_FRAMES, SIZE = 6, (180, 320)
MODULES = (count_objects, matte, segment_clip, spotlight)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the demo clip, made smaller."""
    path = tmp_path_factory.mktemp("examples") / "clip.mp4"
    with av.open(ROOT / "qivis/assets/demo.mp4") as source, av.open(path, "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.height, stream.width = SIZE
        for index, frame in enumerate(islice(source.decode(video=0), NUM_FRAMES)):
            smaller = frame.reformat(height=SIZE[0], width=SIZE[1], format="yuv420p")
            smaller.pts, smaller.time_base = index, Fraction(1, 10)
            target.mux(stream.encode(smaller))
        target.mux(stream.encode())
    return path


def test_no_example_is_left_out_and_each_says_how_it_is_run() -> None:
    files = {path.stem: path.read_text() for path in (ROOT / "examples").glob("*.py")}
    assert files.keys() == {Path(module.__file__ or "").stem for module in MODULES}
    for name, source in files.items():
        assert f"python examples/{name}.py" in source
        assert 'if __name__ == "__main__":' in source


def test_objects_are_listed_frame_by_frame(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment_clip.main(str(clip))
    lines = capsys.readouterr().out.splitlines()
    times = [float(line.split(" s:")[0]) for line in lines]
    assert times == pytest.approx([index / 10 for index in range(NUM_FRAMES)])
    assert re.search(r"(person|animal|vehicle) \d", lines[-1])


def test_a_spotlight_leaves_the_clip_in_grey_but_for_its_objects(
    clip: Path, tmp_path: Path
) -> None:
    spotlight.main(str(clip), str(tmp_path / "out.mp4"))
    with av.open(tmp_path / "out.mp4") as written:
        frames = [frame.to_ndarray(format="rgb24") for frame in written.decode(video=0)]
    assert np.shape(frames) == (NUM_FRAMES, *SIZE, 3)
    colourful = np.ptp(frames[-1].astype(int), axis=2) > 60
    assert 0 < colourful.mean() < 0.9


def test_a_matte_is_white_where_the_class_is(clip: Path, tmp_path: Path) -> None:
    matte.main(str(clip), "vehicle", str(tmp_path / "mattes"))
    pictures = [np.array(Image.open(path)) for path in sorted((tmp_path / "mattes").iterdir())]
    assert np.shape(pictures) == (NUM_FRAMES, *SIZE)
    assert {*np.unique(pictures)} == {0, 255}


def test_a_matte_of_no_class_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no class 'dog'; there are person, animal, vehicle"):
        matte.main(str(clip), "dog", str(tmp_path / "mattes"))
    assert not (tmp_path / "mattes").exists()


def test_objects_are_counted_second_by_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tracks(tracked_clip(), tmp_path / "tracks.json")
    text = (tmp_path / "tracks.json").read_text()
    (tmp_path / "tracks.json").write_text(text.replace("0.3,", "1.3,").replace("0.4]", "2.4]"))
    count_objects.main(str(tmp_path / "tracks.json"))
    assert capsys.readouterr().out.splitlines() == [
        "second,dog,person,vehicle",
        "0,1,1,0",
        "1,0,1,0",
        "2,0,1,1",
    ]
    write_tracks(empty_clip(), tmp_path / "tracks.json")
    count_objects.main(str(tmp_path / "tracks.json"))
    assert capsys.readouterr().out == "second\n"
