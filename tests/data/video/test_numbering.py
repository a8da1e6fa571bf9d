"""Which index a picture has when packets before it gave none."""

from qivis.data.video.numbering import Numbering


def numbers(promised: list[int | None], shown: list[int | None], damaged: list[int]) -> Numbering:
    numbering = Numbering()
    for tick in promised:
        numbering.expect(tick)
    for tick in damaged:
        numbering.fail(tick)
    numbering.indices = [numbering.place(tick) for tick in shown]  # type: ignore[attr-defined]
    numbering.finish(cut_off=0)
    return numbering


def test_without_damage_pictures_are_counted() -> None:
    found = numbers([0, 30, 10, 20], shown=[0, 10, 20, 30], damaged=[])
    assert found.indices == [0, 1, 2, 3]
    assert (found.lost, found.unseen) == ([], 0)


def test_a_damaged_packet_leaves_a_gap_where_its_picture_would_be_shown() -> None:
    found = numbers([0, 30, 10, 20, 40], shown=[0, 20, 30], damaged=[10])
    assert found.indices == [0, 2, 3]
    assert found.lost == [1, 4]  # 40 may have needed 10


def test_what_is_silent_before_the_damage_is_not_meant_to_be_seen() -> None:
    found = numbers([0, 10, 20, 30, 40], shown=[0, 20, 40], damaged=[30])
    assert found.indices == [0, 1, 3]
    assert found.lost == [2]
    assert found.unseen == 1


def test_what_precedes_the_first_picture_in_silence_does_not_count() -> None:
    found = numbers([-20, -10, 0, 10], shown=[0, 10], damaged=[])
    assert found.indices == [0, 1]
    assert (found.lost, found.unseen, found.origin) == ([], 0, 0)


def test_a_lost_first_frame_is_index_0_all_the_same() -> None:
    found = numbers([100, 110], shown=[110], damaged=[100])
    assert found.indices == [1]
    assert (found.lost, found.origin) == ([0], 100)


def test_a_damaged_packet_that_gives_its_picture_yet_is_not_lost() -> None:
    found = numbers([0, 10, 20], shown=[0, 10, 20], damaged=[10])
    assert found.indices == [0, 1, 2]
    assert found.lost == []


def test_packets_that_share_a_time_are_two_frames() -> None:
    assert numbers([0, 10, 10, 20], shown=[0, 10, 10, 20], damaged=[]).indices == [0, 1, 2, 3]


def test_without_times_a_loss_is_where_the_decoder_stands() -> None:
    numbering = Numbering()
    for _ in range(3):
        numbering.expect(None)
    assert numbering.place(None) == 0
    numbering.fail(None)
    assert numbering.place(None) == 2
    numbering.expect(None)
    numbering.finish(cut_off=2)
    assert numbering.lost == [1, 3, 4]
    assert numbering.unseen == 1


def test_pictures_without_a_time_take_those_of_packets_in_order() -> None:
    found = numbers([0, 20, 10], shown=[None, None, None], damaged=[])
    assert found.indices == [0, 1, 2]
    assert (found.lost, found.unseen) == ([], 0)


def test_losses_before_the_start_are_not_recorded() -> None:
    numbering = Numbering(start=2)
    for tick in (0, 10, 20, 30, 40):
        numbering.expect(tick)
    numbering.suspect()
    assert [numbering.place(tick) for tick in (10, 40)] == [1, 4]
    assert numbering.lost == [2, 3]
