"""An evaluation that many processes share: each keeps what it found in a file of its own.

Nobody waits for anybody: who finds all parts there, scores them. A part that is there already is
not made again, so that the same command can be given again after a failure.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qivis.config import ExperimentConfig, to_dict
from qivis.errors import DataError
from qivis.files import checksum, write_atomically
from qivis.inference.predictor import pick_device
from qivis.inference.summary import software_versions
from qivis.models.source import checksum_of
from qivis.shards import Shard

Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Part:
    """The part of one process, and the folder for the files of all, which all of them see."""

    shard: Shard
    folder: Path


def task_of(
    weights: str, config: ExperimentConfig, data_root: Path, device: str, precision: str | None
) -> dict[str, Any]:
    """What the results of an evaluation depend on, as JSON.

    Of pictures and videos only their names are known, from the annotations.

    Raises:
        WeightsError: if there are no such weights, or no such device.
        DataError: if the annotations cannot be read.
    """
    return {
        "weights_sha256": checksum_of(weights),
        "data_root": str(data_root),
        "data": to_dict(config.data),
        "annotations_sha256": _checksum(data_root / config.data.val.annotations),
        "tracking": to_dict(config.tracking),
        "device": pick_device(device).type,
        "precision": precision,
        "versions": software_versions(),
    }


def find_all(
    find: Callable[[Sequence[int]], Results],
    total: int,
    part: Part | None,
    task: Mapping[str, Any],
) -> Results | None:
    """The results of a whole set: found here, or gathered from the parts.

    Args:
        find: gives the results of the items at some positions.
        total: number of the items of the set.
        part: what this process finds; None for all, without files.
        task: all that the results depend on, as JSON; parts of another task, or of another total,
            are not there.

    Returns:
        None if other parts are not there yet.

    Raises:
        DataError: if the part cannot be written.
    """
    if part is None:
        return find(range(total))
    task = {**task, "items": total}
    own = _file(part, part.shard.index)
    if _read(own, task) is None:
        content = {"task": task, "results": find(part.shard.of(range(total)))}
        try:
            write_atomically(own, json.dumps(content).encode("ascii"))
        except OSError as error:
            raise DataError(f"{own}: cannot be written ({error.strerror})") from error
    parts = [_read(_file(part, index), task) for index in range(part.shard.count)]
    there = [results for results in parts if results is not None]
    return [result for some in there for result in some] if len(there) == len(parts) else None


def _checksum(annotations: Path) -> str:
    try:
        return checksum(annotations)
    except OSError as error:
        raise DataError(f"{annotations}: cannot be read ({error.strerror})") from error


def _file(part: Part, index: int) -> Path:
    return part.folder / f"part-{index}-of-{part.shard.count}.json"


def _read(path: Path, task: Mapping[str, Any]) -> Results | None:
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        results: Results = content["results"]
        same = content["task"] == json.loads(json.dumps(task))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return results if same else None
