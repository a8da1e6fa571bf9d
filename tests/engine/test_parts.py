"""Evaluations that many processes share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from qivis.config import ExperimentConfig
from qivis.engine.parts import Part, Results, find_all, task_of
from qivis.errors import DataError, WeightsError
from qivis.shards import Shard

TASK: dict[str, Any] = {"weights": "a", "names": ("x", "y")}


def find(positions: Sequence[int]) -> Results:
    """Two results of each item, with a score that a careless file would round."""
    return [{"item": i, "score": 0.1 + 0.2 * i, "rank": rank} for i in positions for rank in (0, 1)]


def fail(positions: Sequence[int]) -> Results:
    raise AssertionError(f"{positions} is there already")


def by_item(results: Results | None) -> Results:
    assert results is not None
    return sorted(results, key=lambda result: int(result["item"]))


def test_alone_all_is_found_without_files() -> None:
    assert find_all(find, 5, None, TASK) == find(range(5))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_who_comes_last_has_the_results_of_all(tmp_path: Path, order: Sequence[int]) -> None:
    parts = [Part(Shard(index, 3), tmp_path / "new") for index in order]
    found = [find_all(find, 5, part, TASK) for part in parts]
    assert found[:2] == [None, None]
    assert by_item(found[2]) == find(range(5))


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    parts = [Part(Shard(index, 2), tmp_path) for index in range(2)]
    for part in parts:
        find_all(find, 5, part, TASK)
    assert by_item(find_all(fail, 5, parts[0], TASK)) == find(range(5))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"task": {}, "results": []}', '{"task'])
def test_a_part_of_something_else_is_not_there(tmp_path: Path, content: str) -> None:
    first, second = (Part(Shard(index, 2), tmp_path) for index in range(2))
    (tmp_path / "part-1-of-2.json").write_text(content)
    assert find_all(find, 5, first, TASK) is None
    assert by_item(find_all(find, 5, second, TASK)) == find(range(5))


def test_parts_of_other_weights_are_not_mixed_with_these(tmp_path: Path) -> None:
    first, second = (Part(Shard(index, 2), tmp_path) for index in range(2))
    find_all(find, 5, first, TASK)
    assert find_all(find, 5, second, TASK | {"weights": "b"}) is None


def test_parts_of_a_set_that_has_grown_since_are_made_again(tmp_path: Path) -> None:
    first, second = (Part(Shard(index, 2), tmp_path) for index in range(2))
    for part in (first, second):
        find_all(find, 4, part, TASK)
    assert find_all(find, 6, first, TASK) is None
    assert by_item(find_all(find, 6, second, TASK)) == find(range(6))


def test_more_processes_than_items_are_no_obstacle(tmp_path: Path) -> None:
    found = [find_all(find, 1, Part(Shard(index, 3), tmp_path), TASK) for index in range(3)]
    assert found[2] == find([0])


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"part-0-of-1\.json: cannot be written"):
        find_all(find, 1, Part(Shard(0, 1), tmp_path / "file"), TASK)


def set_in(folder: Path) -> Path:
    """The annotation file that the default config measures on."""
    path = folder / ExperimentConfig().data.val.annotations
    path.parent.mkdir()
    path.write_text("{}")
    return path


def test_the_task_tells_weights_data_tracking_device_and_software(
    tiny_weights: Path, tmp_path: Path
) -> None:
    set_in(tmp_path)
    task = task_of(str(tiny_weights), ExperimentConfig(), tmp_path, "cpu", None)
    assert task["data_root"] == str(tmp_path)
    assert len(task["weights_sha256"]) == 64
    assert task["device"] == "cpu"
    assert {"qivis", "torch"} <= task["versions"].keys()
    assert {"data", "tracking", "precision"} <= task.keys()
    with pytest.raises(WeightsError, match="no such file"):
        task_of("gone.safetensors", ExperimentConfig(), tmp_path, "cpu", None)


def test_another_content_of_the_annotation_file_is_another_task(
    tiny_weights: Path, tmp_path: Path
) -> None:
    annotations = set_in(tmp_path)

    def task() -> dict[str, Any]:
        return task_of(str(tiny_weights), ExperimentConfig(), tmp_path, "cpu", None)

    before = task()
    assert task() == before
    annotations.write_text("[]")
    assert task() != before
    annotations.unlink()
    with pytest.raises(DataError, match=r"instances_val2017\.json: cannot be read \(No such file"):
        task()
