import csv
from dataclasses import replace

import pytest

from qivis.export.tracks_csv import COLUMNS, write_csv
from qivis.structures import Categories, Category
from tests.tracked_clip import CATEGORIES, LABELS, SCORES, empty_clip, masks, tracked_clip


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_is_a_row_per_object_and_frame(tmp_path):
    write_csv(tracked_clip(), tmp_path / "tracks.csv")
    rows = read(tmp_path / "tracks.csv")
    for row, ((frame, track_id), mask) in zip(rows, masks().items(), strict=True):
        assert (int(row["frame"]), int(row["track_id"])) == (frame, track_id)
        assert float(row["seconds"]) == pytest.approx(frame / 10)
        assert row["category"] == CATEGORIES.names[LABELS[track_id]]
        assert float(row["score"]) == SCORES[track_id]
        y, x = mask.nonzero(as_tuple=True)
        box = [int(row[name]) for name in ("x1", "y1", "x2", "y2")]
        assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert int(row["area"]) == mask.sum()


def test_a_line_looks_as_it_is_documented(tmp_path):
    write_csv(tracked_clip(), tmp_path / "tracks.csv")
    header, first, *_ = (tmp_path / "tracks.csv").read_bytes().split(b"\n")
    assert header == b"frame,seconds,track_id,category,score,x1,y1,x2,y2,area"
    assert first == b"0,0.000000,0,dog,0.5000,2,1,9,6,34"


def test_names_may_hold_commas_and_any_letter(tmp_path):
    names = Categories((Category(1, "a, b"), Category(2, 'l"öwe'), Category(3, "x")))
    write_csv(replace(tracked_clip(), categories=names), tmp_path / "tracks.csv")
    found = [row["category"] for row in read(tmp_path / "tracks.csv")]
    assert found == ['l"öwe', 'l"öwe', "a, b", "a, b", "a, b", "x"]


def test_a_clip_without_objects_has_its_header(tmp_path):
    write_csv(empty_clip(), tmp_path / "tracks.csv")
    assert (tmp_path / "tracks.csv").read_text() == ",".join(COLUMNS) + "\n"
