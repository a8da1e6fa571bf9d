"""The published QueryInst weights: their names, their networks, and where they are kept.

Figures and files are mmdetection's (configs/queryinst, metafile.yml).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qivis.config.schema import ModelConfig
from qivis.errors import WeightsError
from qivis.models.download import download
from qivis.wording import did_you_mean

PUBLISHED_AT = "https://download.openmmlab.com/mmdetection/v2.0/queryinst/"


@dataclass(frozen=True)
class Published:
    """One published weights file, trained on COCO train2017.

    config: mmdetection's name of the recipe, which is also the folder of the file.
    version: date and, behind the dash, the first 8 hex digits of the file's sha256.
    model: the network that it belongs to.
    """

    config: str
    version: str
    model: ModelConfig

    @property
    def file_name(self) -> str:
        """Name of the file."""
        return f"{self.config}_{self.version}.pth"

    @property
    def sha256(self) -> str:
        """The first 8 hex digits of the file's checksum."""
        return self.version.rpartition("-")[2]


ZOO: Mapping[str, Published] = {
    "queryinst_r50_100q_1x_coco": Published(
        config="queryinst_r50_fpn_1x_coco",
        version="20210907_084916-5a8f1998",
        model=ModelConfig(backbone="resnet50", num_queries=100),
    ),
    "queryinst_r50_100q_coco": Published(
        config="queryinst_r50_fpn_mstrain_480-800_3x_coco",
        version="20210901_103643-7837af86",
        model=ModelConfig(backbone="resnet50", num_queries=100),
    ),
    "queryinst_r50_300q_coco": Published(
        config="queryinst_r50_fpn_300_proposals_crop_mstrain_480-800_3x_coco",
        version="20210904_101802-85cffbd8",
        model=ModelConfig(backbone="resnet50", num_queries=300),
    ),
    "queryinst_r101_100q_coco": Published(
        config="queryinst_r101_fpn_mstrain_480-800_3x_coco",
        version="20210904_104048-91f9995b",
        model=ModelConfig(backbone="resnet101", num_queries=100),
    ),
    "queryinst_r101_300q_coco": Published(
        config="queryinst_r101_fpn_300_proposals_crop_mstrain_480-800_3x_coco",
        version="20210904_153621-76cce59f",
        model=ModelConfig(backbone="resnet101", num_queries=300),
    ),
}


def published(name: str) -> Published:
    """The published weights of a name.

    Args:
        name: a key of `ZOO`, or the name of the config file with the same recipe.

    Raises:
        WeightsError: if there are none of this name.
    """
    short_name = name.replace("_crop", "").replace("_3x", "")
    if short_name not in ZOO:
        remedy = did_you_mean(name, ZOO) or f"there are {', '.join(ZOO)}"
        raise WeightsError(f"no published weights are called {name!r}; {remedy}")
    return ZOO[short_name]


def fetch(name: str) -> Path:
    """The file of published weights, downloaded on first use.

    It is kept in the folder that the environment variable QIVIS_HOME names, by default
    `~/.cache/qivis`. QIVIS_WEIGHTS_URL names a mirror to take the place of `PUBLISHED_AT`.

    Args:
        name: as for `published`.

    Raises:
        WeightsError: if there are none of this name, or they cannot be had.
    """
    entry = published(name)
    mirror = os.environ.get("QIVIS_WEIGHTS_URL")
    address = f"{(mirror or PUBLISHED_AT).rstrip('/')}/{entry.config}/{entry.file_name}"
    target = cache_folder() / entry.file_name
    try:
        download(address, target, entry.sha256)
    except WeightsError as error:
        if mirror:
            raise WeightsError(f"{error} (the mirror is that of QIVIS_WEIGHTS_URL)") from error
        raise
    return target


def cache_folder() -> Path:
    """Where downloaded weights are kept.

    Raises:
        WeightsError: if it is to be in the home of a user, and there is none.
    """
    try:
        return Path(os.environ.get("QIVIS_HOME") or "~/.cache/qivis").expanduser()
    except RuntimeError as error:
        raise WeightsError(
            f"no folder for downloaded weights ({error}); name one with the environment variable "
            "QIVIS_HOME"
        ) from error
