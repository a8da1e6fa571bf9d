"""The names of published weights, and where their files come from and go to."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from qivis.config import load_config
from qivis.errors import WeightsError
from qivis.models import zoo

CONFIGS = Path(__file__).parents[2] / "configs" / "image"
CONTENT = b"weights"


def test_weights_are_downloaded_once_into_the_cache(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()[:8]
    small = replace(zoo.ZOO["queryinst_r50_300q_coco"], version=f"20210904_101802-{digest}")
    monkeypatch.setattr(zoo, "ZOO", {"queryinst_r50_300q_coco": small})
    published = mirror / small.config / small.file_name
    published.parent.mkdir()
    published.write_bytes(CONTENT)
    path = zoo.fetch("queryinst_r50_300q_coco")
    assert path == tmp_path / "home" / small.file_name
    assert path.read_bytes() == CONTENT
    published.unlink()
    assert zoo.fetch("queryinst_r50_300q_coco") == path


def test_a_file_that_is_not_the_published_one_is_refused(mirror: Path, tmp_path: Path) -> None:
    entry = zoo.ZOO["queryinst_r50_300q_coco"]
    (mirror / entry.config).mkdir()
    (mirror / entry.config / entry.file_name).write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="not 85cffbd8"):
        zoo.fetch("queryinst_r50_300q_coco")
    assert not list((tmp_path / "home").glob("*.pth*"))


@pytest.mark.usefixtures("mirror")
def test_a_file_that_the_mirror_lacks_is_named_with_its_place_in_the_cache(tmp_path: Path) -> None:
    name = "queryinst_r50_fpn_1x_coco_20210907_084916-5a8f1998.pth"
    with pytest.raises(WeightsError) as caught:
        zoo.fetch("queryinst_r50_100q_1x_coco")
    assert f"/queryinst_r50_fpn_1x_coco/{name} (404 " in str(caught.value)
    place = tmp_path / "home" / name
    assert str(caught.value).endswith(
        f"put it at {place} (the mirror is that of QIVIS_WEIGHTS_URL)"
    )


# The published files as mmdetection's configs/queryinst/metafile.yml lists them.
@pytest.mark.parametrize(
    ("name", "file", "backbone", "num_queries"),
    [
        (
            "queryinst_r50_100q_1x_coco",
            "queryinst_r50_fpn_1x_coco/queryinst_r50_fpn_1x_coco_20210907_084916-5a8f1998.pth",
            "resnet50",
            100,
        ),
        (
            "queryinst_r50_100q_coco",
            "queryinst_r50_fpn_mstrain_480-800_3x_coco/"
            "queryinst_r50_fpn_mstrain_480-800_3x_coco_20210901_103643-7837af86.pth",
            "resnet50",
            100,
        ),
        (
            "queryinst_r50_300q_coco",
            "queryinst_r50_fpn_300_proposals_crop_mstrain_480-800_3x_coco/"
            "queryinst_r50_fpn_300_proposals_crop_mstrain_480-800_3x_coco_20210904_101802-"
            "85cffbd8.pth",
            "resnet50",
            300,
        ),
        (
            "queryinst_r101_100q_coco",
            "queryinst_r101_fpn_mstrain_480-800_3x_coco/"
            "queryinst_r101_fpn_mstrain_480-800_3x_coco_20210904_104048-91f9995b.pth",
            "resnet101",
            100,
        ),
        (
            "queryinst_r101_300q_coco",
            "queryinst_r101_fpn_300_proposals_crop_mstrain_480-800_3x_coco/"
            "queryinst_r101_fpn_300_proposals_crop_mstrain_480-800_3x_coco_20210904_153621-"
            "76cce59f.pth",
            "resnet101",
            300,
        ),
    ],
)
def test_every_published_file_has_a_name(
    name: str, file: str, backbone: str, num_queries: int
) -> None:
    entry = zoo.published(name)
    assert f"{entry.config}/{entry.file_name}" == file
    assert file.endswith(f"-{entry.sha256}.pth")
    assert (entry.model.backbone, entry.model.num_queries) == (backbone, num_queries)


@pytest.mark.parametrize(
    "config", sorted(CONFIGS.glob("queryinst_r*_coco.yaml")), ids=lambda path: path.stem
)
def test_the_name_of_a_config_means_the_weights_of_its_recipe(config: Path) -> None:
    assert zoo.published(config.stem).model == load_config(config).model
    assert len(zoo.published(config.stem).sha256) == 8


def test_five_configs_name_five_files() -> None:
    names = [path.stem for path in CONFIGS.glob("queryinst_r*_coco.yaml")]
    assert len({zoo.published(name).sha256 for name in names}) == len(names) == len(zoo.ZOO) == 5


def test_recipes_without_weights_are_not_taken_for_others() -> None:
    names = [path.stem for path in CONFIGS.glob("queryinst_[!r]*_coco.yaml")]
    assert len(names) == 3
    for name in names:
        with pytest.raises(WeightsError, match=f"no published weights are called '{name}'"):
            zoo.published(name)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("queryinst_r50_30q_coco", "; did you mean 'queryinst_r50_300q_coco'?"),
        ("yolo", "; there are queryinst_r50_100q_1x_coco, queryinst_r50_100q_coco, "),
    ],
)
def test_an_unknown_name_is_answered_with_a_known_one(name: str, remedy: str) -> None:
    with pytest.raises(WeightsError) as caught:
        zoo.fetch(name)
    assert str(caught.value).startswith(f"no published weights are called {name!r}{remedy}")


def test_weights_are_kept_under_the_home_folder_by_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QIVIS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert zoo.cache_folder() == tmp_path / ".cache" / "qivis"


def test_who_has_no_home_is_told_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIVIS_HOME", "~nobody-of-this-name/weights")
    with pytest.raises(WeightsError, match="name one with the environment variable QIVIS_HOME"):
        zoo.cache_folder()
