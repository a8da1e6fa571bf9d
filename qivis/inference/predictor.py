"""Pictures to detections: a network with everything that it needs to be used."""

import os
import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from qivis.config import from_dict, to_dict
from qivis.config.schema import InputConfig, TrackingConfig
from qivis.errors import ConfigError, DataError, WeightsError
from qivis.models.inputs import prepare, resize_for_test
from qivis.models.optimize import optimize as optimize_model
from qivis.models.postprocess import select_detections
from qivis.models.queryinst import QueryInst
from qivis.models.ranking import MOST_DETECTIONS
from qivis.models.source import open_weights
from qivis.ops.images import PICTURE, described, is_picture
from qivis.ops.upload import upload
from qivis.structures import Categories, Detections

LEAST_SCORE = 0.05  # what the tracker may still want to see (IDOL, CTVIS: 0.01 to 0.1)
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Predictor:
    """One verb: pictures in, detections out.

    model: in evaluation mode, on `device`.
    categories: what the labels mean.
    tracking: settings of the tracker that fit the model; they say which embeddings it will get.
    score_threshold: detections below it are dropped; 0 keeps all.
    max_detections: kept in a picture.
    precision: of the network's features; boxes, scores and masks are float32.
    """

    model: QueryInst
    input: InputConfig
    categories: Categories
    tracking: TrackingConfig
    device: torch.device
    score_threshold: float = LEAST_SCORE
    max_detections: int = MOST_DETECTIONS
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self._learned_embeddings and self.model.association is None:
            raise WeightsError(
                "association by embedding needs an association head, which these weights lack; "
                "associate by query or overlap, or take weights that tools/train_vis.py has trained"
            )

    @property
    def _learned_embeddings(self) -> bool:
        return self.tracking.association == "embedding"

    @torch.inference_mode()
    def __call__(self, images: Sequence[Tensor]) -> list[Detections]:
        """Find the objects of pictures.

        A CPU sees one at a time: that is faster there, and what is found in a picture does not
        depend on the others, to the last bit.

        Args:
            images: B of (3, H, W) uint8 RGB, of any sizes, on any device.

        Returns:
            B entries on `device`, best score first, in pixels of the pictures.

        Raises:
            DataError: if something is no picture.
        """
        check_pictures(images)
        # The network's precision is a matter of its own, not of who calls.
        with torch.autocast(self.device.type, enabled=False):
            if self.device.type == "cpu":
                return [detections for image in images for detections in self._find([image])]
            return self._find(images) if images else []

    def _find(self, images: Sequence[Tensor]) -> list[Detections]:
        uploaded = [upload(image, self.device) for image in images]
        batch = prepare(resize_for_test(uploaded, self.input), self.input)
        return select_detections(
            self.model,
            self.model(batch),
            [(image.shape[1], image.shape[2]) for image in images],
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
            learned_embeddings=self._learned_embeddings,
        )


def check_pictures(images: Sequence[object]) -> None:
    """See that what a predictor gets are pictures.

    Raises:
        DataError: for the first that is none.
    """
    for image in images:
        if not is_picture(image):
            raise DataError(f"expected pictures, each {PICTURE}, got {described(image)}")


def load_predictor(
    weights: str | Path = "default",
    device: str = "auto",
    association: str | None = None,
    *,
    optimize: bool = True,
    precision: Precision | Literal["auto"] = "auto",
) -> Predictor:
    """A predictor of named or stored weights.

    Args:
        weights: `default` for the model that comes with the package, the name of published
            weights, or the path of a weights file.
        device: `auto` for a GPU if there is one, else what torch calls a device.
        association: what the tracker goes by, as in `TrackingConfig`: `embedding`, `query` or
            `overlap`; by default what the weights recommend.
        optimize: whether the network's layers are fused and packed for speed; the plain ones find
            the same up to rounding, and can be trained.
        precision: of an optimized network; plain ones have float32. `auto` for bfloat16 on CPUs
            with instructions for it, where it takes half the time, else float32.

    Raises:
        WeightsError: if the weights cannot be had or used, there is no such device, or the weights
            have no embeddings that the asked association needs.
        ConfigError: if there is no such association or precision.
    """
    if precision not in ("auto", *typing.get_args(Precision)):
        raise ConfigError(f"precision: expected auto, float32 or bfloat16, got {precision!r}")
    target = pick_device(device)
    model, header = open_weights(weights)
    model.drop_training_heads()
    tracking = associated_by(header.tracking, association)
    model.to(target, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    try:
        predictor = Predictor(
            model=model,
            input=header.input,
            categories=header.categories,
            tracking=tracking,
            device=target,
        )
    except WeightsError as error:
        raise WeightsError(f"{weights}: {error}") from error
    if not optimize:
        return predictor
    return optimized(predictor, best_precision(target) if precision == "auto" else precision)


def optimized(predictor: Predictor, precision: Precision) -> Predictor:
    """The same with its network made faster, in place; see `qivis.models.optimize`."""
    optimize_model(predictor.model, getattr(torch, precision))
    return replace(predictor, precision=precision)


def associated_by(tracking: TrackingConfig, association: str | None) -> TrackingConfig:
    """The settings with another association; None for the one that they have.

    Raises:
        ConfigError: if there is no such association.
    """
    if association is None:
        return tracking
    asked = {**to_dict(tracking), "association": association}
    return from_dict(TrackingConfig, asked, "tracking")


def best_precision(device: torch.device) -> Precision:
    """The fastest that costs no accuracy to speak of."""
    is_fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if is_fast else "float32"


def pick_device(name: str) -> torch.device:
    """The device of a name; `auto` is a CUDA GPU if there is one, else the CPU.

    Of several processes that torchrun starts on a machine, `auto` and `cuda` give each a GPU of
    its own.

    Raises:
        WeightsError: if torch has no such device here.
    """
    if name == "auto" and not torch.cuda.is_available():
        name = "cpu"
    elif name in ("auto", "cuda"):
        rank = os.environ.get("LOCAL_RANK")
        name = "cuda" if rank is None else f"cuda:{rank}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise WeightsError(f"device {name!r} cannot be used here ({reason}); try cpu") from error
    return device
