"""Reports on what is wrong."""

from qivis.export.submission_faults import (
    BAD_SCORE,
    MOST_LISTED,
    NO_TRACKS,
    UNUSUAL_SCORE,
    WRONG_LENGTH,
    Fault,
    as_text,
    collect,
)

WARNING = Fault(NO_TRACKS, "video 3", "there is no entry of it")


def test_a_report_of_no_faults_is_empty() -> None:
    report = collect([])
    assert report.is_uploadable
    assert report.faults == ()
    assert as_text(report) == ""


def test_warnings_do_not_stand_in_the_way_of_an_upload() -> None:
    assert collect([WARNING]).is_uploadable
    assert not collect([WARNING, Fault(BAD_SCORE, "entry 0", "score is None")]).is_uploadable


def test_of_a_kind_the_first_are_kept_and_all_counted() -> None:
    faults = (Fault(WRONG_LENGTH, f"entry {i}", "too short") for i in range(MOST_LISTED + 7))
    report = collect(faults)
    assert [fault.place for fault in report.faults] == [f"entry {i}" for i in range(MOST_LISTED)]
    assert report.counts == {WRONG_LENGTH: MOST_LISTED + 7}
    assert "wrong length (17 found)" in as_text(report)
    assert "... and 7 more" in as_text(report)


def test_a_report_says_what_where_and_what_to_do_and_the_worst_first() -> None:
    unusual = Fault(UNUSUAL_SCORE, "entry 1 (video 3)", "score is 95")
    short = Fault(WRONG_LENGTH, "entry 2 (video 3)", "1 segmentations, but the video has 4 frames")
    assert as_text(collect([unusual, short, WARNING])).splitlines() == [
        "fault: wrong length (1 found)",
        "  entry 2 (video 3): 1 segmentations, but the video has 4 frames",
        f"  remedy: {WRONG_LENGTH.remedy}",
        "warning: score outside 0 to 1 (1 found)",
        "  entry 1 (video 3): score is 95",
        f"  remedy: {UNUSUAL_SCORE.remedy}",
        "warning: video without an entry (1 found)",
        "  video 3: there is no entry of it",
        f"  remedy: {NO_TRACKS.remedy}",
    ]
