"""The network as an ONNX graph: one picture in, the best K objects out.

The graph has fixed shapes and all that is the same for every picture: normalising, the network,
ranking with its NMS, and the masks of the K best. What depends on the picture and on what is asked
stays outside: resizing, thresholds, judging and pasting masks, tracking.
"""

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from qivis.config.schema import InputConfig
from qivis.errors import ConfigError
from qivis.files import write_atomically
from qivis.models.outputs import Match, Prediction
from qivis.models.queryinst import QueryInst
from qivis.models.ranking import DUPLICATE_IOU, Pairs, pair_scores
from qivis.models.weights import HEADER_KEY, WeightsHeader, header_text
from qivis.ops.images import fit_size
from qivis.structures import ImageBatch

INPUTS = ("image", "size")
OUTPUTS = ("scores", "labels", "boxes", "masks", "queries", "embeddings")  # the last: if learned
DIVISOR = 32  # of the sides of what the network sees: the coarsest stride
MOST_DETECTIONS = 50  # as many as a `Predictor` keeps
CANDIDATES = 1024  # pairs that NMS looks at; those behind them score next to nothing
WIDESCREEN = (1080, 1920)


class OnePicture(nn.Module):
    """What is exported: a network with the fixed parts of its pre- and postprocessing."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: QueryInst, config: InputConfig, detections: int) -> None:
        """Args: config: how pictures become its input. detections: K."""
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(config.pixel_std).view(3, 1, 1))
        self._detections = detections

    def forward(self, image: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        """Find the K best (query, class) pairs of a picture.

        Args:
            image: (3, H, W) uint8 RGB, the picture in its top left corner; the rest is not seen.
            size: (2,) int64, (h, w) of the picture.

        Returns:
            `OUTPUTS`: scores (K,), best first, and -1 behind the last where NMS left fewer;
            labels (K,) int64; boxes (K, 4), x1 y1 x2 y2 in pixels of `image`; masks (K, M, M),
            probabilities on the grids of the boxes; queries (K, D) of the last stage, and
            embeddings (K, E) if the network has an association head.
        """
        # What reads the sizes of a batch takes them in a tensor as well.
        sizes = cast("tuple[tuple[int, int], ...]", size[None])
        prediction: Prediction = self.model(ImageBatch(self._prepare(image, size), sizes))
        last, pairs = prediction.stages[-1], fixed_pairs(prediction, self._detections)
        matches = [Match(pairs.queries, pairs.queries)]
        stage = len(prediction.stages) - 1
        logits = self.model.mask_logits(prediction, stage, matches, pairs.labels)
        found = (pairs.scores, pairs.labels, last.boxes[0, pairs.queries], logits.sigmoid())
        queries = last.queries[0, pairs.queries]
        if self.model.association is None:
            return (*found, queries)
        return (*found, queries, self.model.embeddings(prediction, matches))

    def _prepare(self, image: Tensor, size: Tensor) -> Tensor:
        """(1, 3, H, W), normalised, zero where the picture is not; as `normalize_and_pad`."""
        height, width = image.shape[1:]
        inside = (torch.arange(height) < size[0])[:, None] & (torch.arange(width) < size[1])
        return ((image.float() - self.mean) / self.std).where(inside, 0.0)[None]


def fixed_pairs(prediction: Prediction, count: int) -> Pairs:
    """As `best_pairs` of the only image, but always `count` of them.

    Where fewer survive NMS, pairs with the score -1 fill up.
    """
    boxes, scores = prediction.stages[-1].boxes[0], pair_scores(prediction)[0]
    most = min(max(count, CANDIDATES), scores.numel())
    best, indices = scores.flatten().topk(most)
    queries, labels = indices // scores.shape[1], indices % scores.shape[1]
    if prediction.initial.proposed:
        kept = batched_nms(boxes[queries], best, labels, DUPLICATE_IOU)
        best = torch.full_like(best, -1.0).index_put((kept,), best[kept])
    best, rows = best.topk(count)
    return Pairs(queries[rows], labels[rows], best)


def default_size(config: InputConfig) -> tuple[int, int]:
    """(H, W) that pictures of 16:9 have as the network's input, padding included."""
    height, width = fit_size(WIDESCREEN, config.short_side, config.long_side)
    return -(-height // DIVISOR) * DIVISOR, -(-width // DIVISOR) * DIVISOR


def export_onnx(
    path: Path,
    model: QueryInst,
    header: WeightsHeader,
    size: tuple[int, int],
    detections: int = MOST_DETECTIONS,
) -> None:
    """Write the graph of a network, whole or not at all; takes up to a few minutes.

    Args:
        path: where to.
        model: in evaluation mode, on the CPU.
        header: of its weights; goes into the file, which needs no other beside it.
        size: (H, W) of the pictures that it will see, multiples of 32.
        detections: K; fewer where the network has fewer pairs of a query and a class.

    Raises:
        ConfigError: if there can be no graph of these measures, or what makes it is missing.
    """
    _check(size, detections)
    _check_installed()
    pairs = header.model.num_queries * len(header.categories)
    step = OnePicture(model, header.input, min(detections, pairs)).eval()
    image = torch.zeros(3, *size, dtype=torch.uint8)
    graph = _convert(step, (image, torch.tensor(size)))
    graph.model.metadata_props[HEADER_KEY] = header_text(header)
    for node in graph.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with paths of this machine
    write_atomically(path, graph.model_proto.SerializeToString())


def _check(size: tuple[int, int], detections: int) -> None:
    if any(side % DIVISOR or side < 2 * DIVISOR for side in size):
        raise ConfigError(
            f"an ONNX graph sees pictures whose sides are multiples of {DIVISOR}, "
            f"from {2 * DIVISOR} on; got {size[0]} x {size[1]}"
        )
    if detections < 1:
        raise ConfigError(f"an ONNX graph has at least 1 detection, got {detections}")


def _check_installed() -> None:
    try:
        import onnxscript  # noqa: F401 - torch's exporter imports it, minutes later
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"exporting needs {error.name}, which is not installed: pip install 'qivis[onnx]'"
        ) from error


def _convert(step: OnePicture, example: tuple[Tensor, Tensor]) -> Any:
    outputs = OUTPUTS[: -1 if step.model.association is None else None]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's and torchvision's own insides
        program = torch.export.export(step, example)
        program = program.run_decompositions(
            {torch.ops.aten.embedding_bag.padding_idx: _weighted_sums}
        )
        return torch.onnx.export(
            program, dynamo=True, input_names=INPUTS, output_names=outputs, verbose=False
        )


def _weighted_sums(
    rows: Tensor, indices: Tensor, offsets: Tensor, *settings: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """RoIAlign's `embedding_bag` as plain gather and sum: ONNX would make it a slow loop.

    Args:
        rows: (R, C).
        indices: (P * n,) int32 or int64, P bags of n each; ONNX knows only the latter.
        offsets: (P,).
        settings: the others of aten's operator; the fourth are the weights, as `indices`.

    Returns:
        (P, C), and what the operator returns besides and nobody reads.
    """
    weights = settings[3]
    samples = indices.shape[0] // offsets.shape[0]
    cells = rows[indices.long()].view(-1, samples, rows.shape[1])
    sums = torch.bmm(weights.view(-1, 1, samples), cells)[:, 0]
    return sums, offsets, offsets, offsets
