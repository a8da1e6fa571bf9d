"""An exported network with everything that it needs to be used, as `Predictor` is one.

Runs on the CPU, in ONNX Runtime, on what tools/export_onnx.py writes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from qivis.config.schema import InputConfig, TrackingConfig
from qivis.errors import WeightsError
from qivis.inference.predictor import (
    LEAST_SCORE,
    Precision,
    Predictor,
    associated_by,
    check_pictures,
)
from qivis.models.onnx_export import INPUTS, LONGEST_SIDE, OUTPUTS
from qivis.models.ranking import Pairs, judge_masks
from qivis.models.weights import HEADER_KEY, WeightsHeader, read_header
from qivis.ops.boxes import scale_boxes
from qivis.ops.images import fit_size, resize
from qivis.ops.masks import paste_masks
from qivis.structures import Categories, Detections

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NO_RUNTIME = "an ONNX graph runs in onnxruntime, which is not installed: pip install 'qivis[onnx]'"
EXPORT_AGAIN = "export it again with tools/export_onnx.py"
# Types and axes, by the letters of `Pictures.forward`.
TENSORS = {
    "images": ("uint8", "B3HW"),
    "sizes": ("int64", "B2"),
    "scores": ("float", "BK"),
    "labels": ("int64", "BK"),
    "boxes": ("float", "BK4"),
    "masks": ("float", "BKMM"),
    "queries": ("float", "BKD"),
    "embeddings": ("float", "BKE"),
}
QUIET = 3  # ONNX Runtime's level of errors: its warnings are about what it optimises away


@dataclass(frozen=True)
class OnnxPredictor:
    """One verb: pictures in, detections out.

    session: runs the graph.
    size: (H, W) of the pictures that the graph sees.
    judges_masks: whether scores shall say how clear the masks are, too.
    The other fields are those of `Predictor`; the graph says how many detections it keeps.
    """

    session: InferenceSession
    size: tuple[int, int]
    judges_masks: bool
    input: InputConfig
    categories: Categories
    tracking: TrackingConfig
    device: torch.device
    score_threshold: float = LEAST_SCORE
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        has_embeddings = OUTPUTS[-1] in [output.name for output in self.session.get_outputs()]
        if self.tracking.association == "embedding" and not has_embeddings:
            raise WeightsError(
                "association by embedding needs an association head, which this graph lacks; "
                "associate by query or overlap, or export weights that tools/train_vis.py has "
                "trained"
            )

    @torch.inference_mode()
    def __call__(self, images: Sequence[Tensor]) -> list[Detections]:
        """Find the objects of pictures.

        The graph sees one at a time, so that what is found in a picture does not depend on the
        others, to the last bit.

        Args:
            images: B of (3, H, W) uint8 RGB, of any sizes.

        Returns:
            B entries, best score first, in pixels of the pictures.

        Raises:
            DataError: if something is no picture.
            WeightsError: if the graph cannot be run, or gives labels of classes that are not there.
        """
        check_pictures(images)
        return [self._find(image) for image in images]

    def _find(self, image: Tensor) -> Detections:
        frame = (image.shape[1], image.shape[2])
        size = self._size_of(frame)
        found = self._run(resize(image, size))
        count = int((found["scores"] >= self.score_threshold).sum())  # the best come first
        rows = torch.arange(count)
        pairs = Pairs(rows, self._known(found["labels"][:count]), found["scores"][:count])
        masks = found["masks"][:count]
        if self.judges_masks:
            pairs, masks = judge_masks(pairs, masks, self.score_threshold)
        boxes = scale_boxes(found["boxes"][pairs.queries], size, frame)
        learned = self.tracking.association == "embedding"
        return Detections(
            size=frame,
            boxes=boxes,
            labels=pairs.labels,
            scores=pairs.scores,
            masks=paste_masks(masks, boxes, frame),
            embeddings=found["embeddings" if learned else "queries"][pairs.queries],
        )

    def _known(self, labels: Tensor) -> Tensor:
        """Labels, all of classes that there are."""
        others = labels[(labels < 0) | (labels >= len(self.categories))]
        if len(others):
            raise WeightsError(
                f"the ONNX graph gives label {others[0]}, but the classes of its header have "
                f"labels 0 to {len(self.categories) - 1}; {EXPORT_AGAIN}"
            )
        return labels

    def _size_of(self, frame: tuple[int, int]) -> tuple[int, int]:
        """What a picture is resized to: as `Predictor` does, or smaller to fit into the graph's."""
        size = fit_size(frame, self.input.short_side, self.input.long_side)
        shrink = min(1.0, self.size[0] / size[0], self.size[1] / size[1])
        return max(1, int(size[0] * shrink)), max(1, int(size[1] * shrink))

    def _run(self, image: Tensor) -> dict[str, Tensor]:
        """What the graph says of a picture that is no larger than its own; see `Pictures`."""
        canvas = torch.zeros(1, 3, *self.size, dtype=torch.uint8)
        canvas[0, :, : image.shape[1], : image.shape[2]] = image
        sizes = torch.tensor([image.shape[1:]])
        names = [output.name for output in self.session.get_outputs()]
        given = dict(zip(INPUTS, (canvas.numpy(), sizes.numpy()), strict=True))
        try:
            arrays = self.session.run(names, given)
        except Exception as error:  # see `_open`
            raise WeightsError(f"the ONNX graph cannot be run ({_reason(error)})") from error
        found = [torch.from_numpy(array[0]) for array in arrays]
        return dict(zip(names, found, strict=True))


AnyPredictor = Predictor | OnnxPredictor


def load_onnx_predictor(
    path: str | Path, device: str = "auto", association: str | None = None
) -> OnnxPredictor:
    """A predictor of an exported network.

    Args:
        path: of what tools/export_onnx.py wrote.
        device: `auto` or `cpu`.
        association: see `load_predictor`.

    Raises:
        WeightsError: if the file cannot be used, onnxruntime is missing, the device is another, or
            the graph has no embeddings that the asked association needs.
        ConfigError: if there is no such association.
    """
    check_onnx_device(device)
    session = _open(Path(path))
    header = _header(session, path)
    tracking = associated_by(header.tracking, association)
    try:
        return OnnxPredictor(
            session=session,
            size=_picture_size(session),
            judges_masks=header.model.queries == "featurized",
            input=header.input,
            categories=header.categories,
            tracking=tracking,
            device=torch.device("cpu"),
        )
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def check_onnx_device(device: str) -> None:
    """See that graphs run on a device.

    Raises:
        WeightsError: if it is neither `auto` nor `cpu`.
    """
    if device not in ("auto", "cpu"):
        raise WeightsError(
            f"device {device!r}: ONNX graphs run on the CPU here; leave --device out, or run the "
            "weights themselves"
        )


def _open(path: Path) -> InferenceSession:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # nothing is reported to its makers
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise WeightsError(f"{path}: {NO_RUNTIME}") from error
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; tools/export_onnx.py makes one of weights")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = QUIET
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # one class for each kind of damage, with no common base of its own
        raise WeightsError(
            f"{path}: not a readable ONNX graph ({_reason(error)}); delete it, and have it "
            "exported again"
        ) from error


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _header(session: InferenceSession, path: str | Path) -> WeightsHeader:
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if HEADER_KEY not in metadata:
        raise WeightsError(
            f"{path}: an ONNX graph without a '{HEADER_KEY}' header; tools/export_onnx.py makes "
            "one of weights"
        )
    return read_header(metadata[HEADER_KEY], str(path))


def _picture_size(session: InferenceSession) -> tuple[int, int]:
    """(H, W) of the pictures, once all inputs and outputs are what they should be."""
    values: list[Any] = [*session.get_inputs(), *session.get_outputs()]
    inputs, outputs = (
        tuple(value.name for value in side)
        for side in (session.get_inputs(), session.get_outputs())
    )
    if inputs != INPUTS or outputs not in (OUTPUTS, OUTPUTS[:-1]):
        raise WeightsError(
            f"an ONNX graph from {INPUTS} to {OUTPUTS} was expected, this one goes from {inputs} "
            f"to {outputs}; {EXPORT_AGAIN}"
        )
    lengths: dict[str, int] = {}
    for value in values:
        kind, letters = TENSORS[value.name]
        fits = value.type == f"tensor({kind})" and len(value.shape) == len(letters)
        if not fits or not all(map(partial(_fits, lengths), letters, value.shape)):
            shape = ", ".join(str(lengths.get(letter, letter)) for letter in letters)
            raise WeightsError(
                f"'{value.name}' of the ONNX graph was expected to be tensor({kind}) of ({shape}), "
                f"it is {value.type} of {tuple(value.shape)}; {EXPORT_AGAIN}"
            )
    return lengths["H"], lengths["W"]


def _fits(lengths: dict[str, int], letter: str, length: object) -> bool:
    """Whether an axis is as long as its letter says: a number, or the same wherever it stands."""
    if letter == "B":
        return not isinstance(length, int) or length == 1  # any number, or the one that is given
    if not isinstance(length, int) or not 1 <= length <= LONGEST_SIDE:
        return False
    return length == (int(letter) if letter.isdigit() else lengths.setdefault(letter, length))
