"""The network as an ONNX graph: pictures in, the best K objects of each out.

The graph takes any number of pictures of one size, and has all that is the same for every picture:
normalising, the network, ranking with its NMS, and the masks of the K best. What depends on the
picture and on what is asked stays outside: resizing, thresholds, judging and pasting masks,
tracking.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from qivis.config.schema import InputConfig
from qivis.errors import ConfigError
from qivis.files import write_atomically
from qivis.models.outputs import Chosen, Prediction
from qivis.models.queryinst import QueryInst
from qivis.models.ranking import DUPLICATE_IOU, MOST_DETECTIONS, pair_scores
from qivis.models.weights import HEADER_KEY, WeightsHeader, header_text
from qivis.ops.boxes import apart
from qivis.ops.images import fit_size
from qivis.structures import ImageBatch

FORMAT = 2  # counts the changes of what a graph takes and gives
INPUTS = ("images", "sizes")
OUTPUTS = ("scores", "labels", "boxes", "masks", "queries", "embeddings")  # the last: if learned
DIVISOR = 32  # of the sides of what the network sees: the coarsest stride
LONGEST_SIDE = 8192
CANDIDATES = 1024  # pairs that NMS looks at; those behind them score next to nothing
EXAMPLES = 2  # pictures that the network is traced with, which takes a single one for special
WIDESCREEN = (1080, 1920)


class Pictures(nn.Module):
    """What is exported: a network with the fixed parts of its pre- and postprocessing.

    Whatever it calls asks a tensor for its shape, not for its `len`, which would be traced as the
    number that it is of the example.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: QueryInst, config: InputConfig, detections: int) -> None:
        """Args: config: how pictures become its input. detections: K."""
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(config.pixel_std).view(3, 1, 1))
        self._detections = detections

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        """Find the K best (query, class) pairs of each picture.

        Args:
            images: (B, 3, H, W) uint8 RGB, the pictures in their top left corners; the rest is not
                seen.
            sizes: (B, 2) int64, (h, w) of each picture.

        Returns:
            `OUTPUTS`: scores (B, K), best first, and -1 behind the last where NMS left fewer;
            labels (B, K) int64; boxes (B, K, 4), x1 y1 x2 y2 in pixels of `images`; masks
            (B, K, M, M), probabilities on the grids of the boxes; queries (B, K, D) of the last
            stage, and embeddings (B, K, E) if the network has an association head.
        """
        grids = sizes.flip(1).float()
        # Nothing that is called here reads sizes on the host.
        prediction: Prediction = self.model(ImageBatch(self._prepare(images, grids), (), grids))
        queries, labels, scores = fixed_pairs(prediction, self._detections)
        rows = torch.arange(images.shape[0])[:, None]
        chosen = Chosen(rows.expand_as(queries).flatten(), queries.flatten())
        stage = len(prediction.stages) - 1
        logits = self.model.mask_logits(prediction, stage, chosen, labels.flatten())
        last, shape = prediction.stages[stage], labels.shape
        boxes, masks = last.boxes[rows, queries], logits.sigmoid().unflatten(0, shape)
        found = (scores, labels, boxes, masks, last.queries[rows, queries])
        if self.model.association is None:
            return found
        return (*found, self.model.embeddings(prediction, chosen).unflatten(0, shape))

    def _prepare(self, images: Tensor, grids: Tensor) -> Tensor:
        """(B, 3, H, W), normalised, zero where the pictures are not; as `normalize_and_pad`."""
        height, width = images.shape[2:]
        inside_x = torch.arange(width) < grids[:, :1]  # (B, W)
        inside_y = torch.arange(height) < grids[:, 1:]  # (B, H)
        inside = inside_y[:, None, :, None] & inside_x[:, None, None, :]
        return ((images.float() - self.mean) / self.std).where(inside, 0.0)


def fixed_pairs(prediction: Prediction, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `best_pairs`, but always `count` of each image.

    Where fewer survive NMS, pairs with the score -1 fill up.

    Returns:
        Queries, labels and scores, each (B, count).
    """
    boxes, scores = prediction.stages[-1].boxes, pair_scores(prediction)
    num_classes = scores.shape[2]
    most = min(max(count, CANDIDATES), scores.shape[1] * num_classes)
    best, indices = scores.flatten(1).topk(most)
    queries, labels = indices // num_classes, indices % num_classes
    rows = torch.arange(boxes.shape[0])[:, None]
    if prediction.initial.proposed:
        images = rows.expand_as(queries).flatten()
        moved = apart(boxes[rows, queries].flatten(0, 1), images, labels.flatten())
        kept = nms(moved, best.flatten(), DUPLICATE_IOU)
        flat = best.flatten()
        best = torch.full_like(flat, -1.0).index_put((kept,), flat[kept]).view_as(best)
    best, places = best.topk(count)
    return queries.gather(1, places), labels.gather(1, places), best


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
    step = Pictures(model, header.input, min(detections, pairs)).eval()
    images = torch.zeros(EXAMPLES, 3, *size, dtype=torch.uint8)
    graph = _convert(step, (images, torch.tensor([size] * EXAMPLES)))
    graph.model.metadata_props[HEADER_KEY] = header_text(header)
    for node in graph.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with paths of this machine
    write_atomically(path, graph.model_proto.SerializeToString())


def _check(size: tuple[int, int], detections: int) -> None:
    if any(side % DIVISOR or not 2 * DIVISOR <= side <= LONGEST_SIDE for side in size):
        raise ConfigError(
            f"an ONNX graph sees pictures whose sides are multiples of {DIVISOR}, from "
            f"{2 * DIVISOR} to {LONGEST_SIDE}; got {size[0]} x {size[1]}"
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


def _convert(step: Pictures, example: tuple[Tensor, Tensor]) -> Any:
    outputs = OUTPUTS[: -1 if step.model.association is None else None]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's and torchvision's own insides
        batch = torch.export.Dim("batch")
        sizes = ({0: batch}, {0: batch})
        program = torch.export.export(step, example, dynamic_shapes=sizes)
        program = program.run_decompositions(
            {torch.ops.aten.embedding_bag.padding_idx: _weighted_sums}
        )
        return torch.onnx.export(
            program,
            dynamo=True,
            input_names=INPUTS,
            output_names=outputs,
            dynamic_shapes=sizes,
            verbose=False,
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
