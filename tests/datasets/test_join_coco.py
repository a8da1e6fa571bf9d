import json

import pytest
import torch
from join_coco import main

from qivis.data.coco import CocoImages


@pytest.fixture
def halves(shapes, tmp_path):
    """The moving shapes, and again with other ids and one class under another number."""
    pictures = tmp_path / "train2017"
    pictures.symlink_to(shapes / "train2017")
    path = shapes / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    numbers = {category["id"]: category["id"] + 50 for category in content["categories"]}
    for category in content["categories"]:
        category["id"] = numbers[category["id"]]
    for annotation in content["annotations"]:
        annotation["category_id"] = numbers[annotation["category_id"]]
    content["categories"].append({"id": 99, "name": "star"})
    (tmp_path / "other.json").write_text(json.dumps(content))
    return [(pictures, path), (pictures, tmp_path / "other.json")]


def test_a_joined_set_has_the_pictures_and_objects_of_all(halves, tmp_path, capsys):
    sets = [str(part) for half in halves for part in ("--set", *half)]
    main([str(tmp_path / "all.json"), *sets])
    joined = CocoImages(tmp_path, tmp_path / "all.json", strict=True)
    single = CocoImages(*halves[0])
    assert len(joined) == 2 * len(single)
    assert [category.name for category in joined.categories] == [
        *(category.name for category in single.categories),
        "star",
    ]
    for index in range(len(joined)):
        ((mine,), (its,)) = joined[index], single[index % len(single)]
        assert torch.equal(mine.image, its.image)
        assert torch.equal(mine.targets.labels, its.targets.labels)
        assert torch.equal(mine.targets.masks, its.targets.masks)
    assert f"{len(joined)} pictures" in capsys.readouterr().out


def test_pictures_lie_below_the_joined_file(halves, tmp_path, capsys):
    sets = [str(part) for half in halves for part in ("--set", *half)]
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "joined" / "all.json"), *sets])
    assert stop.value.code == 2
    assert f"train2017: not below {tmp_path / 'joined'}, the folder of" in capsys.readouterr().err


def test_a_file_of_another_format_is_named(tmp_path, capsys):
    (tmp_path / "boxes.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "all.json"), "--set", str(tmp_path), str(tmp_path / "boxes.json")])
    assert stop.value.code == 2
    assert "boxes.json: not in COCO format, it has no annotations" in capsys.readouterr().err
    assert not (tmp_path / "all.json").exists()
