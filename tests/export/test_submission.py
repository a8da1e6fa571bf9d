"""Writing what is uploaded."""

import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from qivis.data.youtube_vis import YouTubeVis
from qivis.errors import DataError
from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.export.submission import write_submission
from qivis.export.submission_check import check_submission
from qivis.export.submission_entries import Expected, VideoShape
from qivis.export.ytvis_json import TrackEntry, to_entries
from qivis.ops import rle
from qivis.structures import Categories, Category, Track, View

CATEGORIES = Categories((Category(1, "person"), Category(18, "dog")))
CLOSE_SCORES = (0.1 + 0.2, 0.3)  # differ in the 17th digit


@pytest.fixture
def entries() -> list[TrackEntry]:
    masks = torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(0)) > 0.5
    first, second = rle.encode(masks)
    tracks = [
        Track(0, 1, (View(first, CLOSE_SCORES[0], 1.0), None, View(second, CLOSE_SCORES[0], 1.0))),
        Track(3, 0, (None, None, View(first, CLOSE_SCORES[1], 1.0))),
    ]
    return to_entries(12, tracks, CATEGORIES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "results.zip"


def read(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["results.json"]
        return json.loads(archive.read("results.json"))


def test_the_archive_holds_what_the_format_asks_for(path: Path, entries: list[TrackEntry]) -> None:
    assert write_submission(iter(entries), path) == 2
    written = read(path)
    assert [list(entry) for entry in written] == [
        ["video_id", "category_id", "score", "segmentations"]
    ] * 2
    for entry, original in zip(written, entries, strict=True):
        assert entry.items() <= original.items()  # type: ignore[operator]
        assert all(m is None or isinstance(m["counts"], str) for m in entry["segmentations"])


def test_scores_keep_their_order(path: Path, entries: list[TrackEntry]) -> None:
    write_submission(entries, path)
    assert tuple(entry["score"] for entry in read(path)) == CLOSE_SCORES


def test_it_passes_the_check(path: Path, entries: list[TrackEntry]) -> None:
    write_submission(entries, path)
    report = check_submission(path, Expected({12: VideoShape(3, (7, 9))}, {1, 18}))
    assert report.faults == ()


def test_equal_results_make_equal_files(path: Path, entries: list[TrackEntry]) -> None:
    write_submission(entries, path)
    first = path.read_bytes()
    write_submission(entries, path)
    assert path.read_bytes() == first


def test_nothing_found_is_an_empty_list(path: Path) -> None:
    assert write_submission([], path) == 0
    assert read(path) == []


@pytest.mark.parametrize("reason", [RuntimeError, KeyboardInterrupt], ids=["a bug", "Ctrl-C"])
def test_what_is_broken_off_leaves_what_was_there(
    path: Path, entries: list[TrackEntry], reason: type[BaseException]
) -> None:
    def broken() -> Iterator[TrackEntry]:
        yield entries[0]
        raise reason

    with pytest.raises(reason):
        write_submission(broken(), path)
    assert list(path.parent.iterdir()) == []
    write_submission(entries, path)
    with pytest.raises(reason):
        write_submission(broken(), path)
    assert list(path.parent.iterdir()) == [path]
    assert len(read(path)) == 2


def test_entries_are_let_go_as_soon_as_they_are_written(
    path: Path, entries: list[TrackEntry]
) -> None:
    # A list of 300 entries of 100 kB each would take 30 MB.
    def many() -> Iterator[TrackEntry]:
        for index in range(300):
            mask = {"size": [7, 9], "counts": "0123456789" * 10_000 + str(index)}
            yield entries[0] | {"segmentations": [mask]}  # type: ignore[misc]

    tracemalloc.start()
    write_submission(many(), path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_place_that_cannot_be_written_to_is_an_error(
    tmp_path: Path, entries: list[TrackEntry]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/results\.zip: cannot be written \("):
        write_submission(entries, tmp_path / "file" / "results.zip")


def test_the_metric_says_the_same_of_the_archive_as_of_the_tracks(
    path: Path, shapes: Path, tmp_path: Path
) -> None:
    folder = shapes / "ytvis" / "valid"
    videos = YouTubeVis(folder / "JPEGImages", folder / "instances.json")
    truth = videos.ground_truth()
    labels = {category.id: label for label, category in enumerate(videos.categories)}
    entries = []
    for number, annotation in enumerate(truth["annotations"]):
        masks = annotation["segmentations"]
        cut = (*masks[: 3 + number], *[None] * (len(masks) - 3 - number))
        views = tuple(mask and View(mask, 0.9 - 0.1 * number, 1.0) for mask in cut)
        track = Track(number, labels[annotation["category_id"]], views)
        entries += to_entries(annotation["video_id"], [track], videos.categories)
    write_submission(entries, path)
    with zipfile.ZipFile(path) as archive:
        extracted = Path(archive.extract("results.json", tmp_path))
    in_memory = evaluate_youtube_vis(truth, entries)  # type: ignore[arg-type]
    from_file = evaluate_youtube_vis(folder / "instances.json", extracted)
    assert 0 < in_memory.stats[0] < 1
    assert from_file.stats == in_memory.stats
    assert from_file.per_class_ap == in_memory.per_class_ap
