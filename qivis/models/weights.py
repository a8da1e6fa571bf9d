"""Weights files: the project's own, and the published ones.

A weights file is safetensors, with the network's settings, the input geometry, the tracking
settings and the categories in its header: whoever has it needs no config file.
"""

import json
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from qivis.config import from_dict, to_dict
from qivis.config.schema import InputConfig, ModelConfig, TrackingConfig
from qivis.errors import ConfigError, WeightsError
from qivis.files import write_atomically
from qivis.models.build import build_model
from qivis.models.plain_load import load_plain
from qivis.models.queryinst import QueryInst
from qivis.structures import Categories, Category

HEADER_KEY = "qivis"

# The published names (mmdetection 2 and 3 alike) and ours, in the order in which they are tried.
_PUBLISHED_NAMES = (
    (r"backbone\.", r"backbone.body."),
    (r"neck\.lateral_convs\.(\d)\.conv\.", r"fpn.lateral.\1."),
    (r"neck\.fpn_convs\.(\d)\.conv\.", r"fpn.output.\1."),
    (r"rpn_head\.init_proposal_bboxes\.", r"queries.boxes."),
    (r"rpn_head\.init_proposal_features\.", r"queries.features."),
    (r"roi_head\.bbox_head\.(\d)\.", r"stages.\1."),
    (r"roi_head\.mask_head\.(\d)\.", r"mask_heads.\1."),
)
_PUBLISHED_PARTS = (
    (r"attention\.attn\.", "attention."),
    (r"instance_interactive_conv_norm\.", "interact_norm."),
    (r"instance_interactive_conv\.dynamic_layer\.", "interact.generate."),
    (r"instance_interactive_conv\.fc_layer\.", "flatten."),
    (r"instance_interactive_conv\.fc_norm\.", "flatten_norm."),
    (r"instance_interactive_conv\.", "interact."),
    (r"ffn\.layers\.0\.0\.", "ffn.0."),
    (r"ffn\.layers\.1\.", "ffn.2."),
    (r"cls_fcs\.", "class_tower."),
    (r"reg_fcs\.", "box_tower."),
    (r"fc_cls\.", "class_logits."),
    (r"fc_reg\.", "box_deltas."),
    (r"convs\.(\d)\.conv\.", lambda found: f"convs.{3 * int(found[1])}."),
    (r"convs\.(\d)\.bn\.", lambda found: f"convs.{3 * int(found[1]) + 1}."),
    (r"conv_logits\.", "logits."),
)


@dataclass(frozen=True)
class WeightsHeader:
    """What a weights file says of itself.

    inference_only: whether the mask heads that only training needs have been dropped.
    """

    model: ModelConfig
    input: InputConfig
    tracking: TrackingConfig
    categories: Categories
    inference_only: bool


def save_weights(path: Path, model: QueryInst, header: WeightsHeader, dtype: torch.dtype) -> None:
    """Write a weights file, whole or not at all.

    Args:
        path: where to.
        model: whose weights are written, without its training heads if the header says so.
        header: what the file says of itself.
        dtype: of the written floating-point weights.
    """
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
        if not (header.inference_only and _is_training_head(name, len(model.mask_heads)))
    }
    write_atomically(path, save(tensors, metadata={HEADER_KEY: header_text(header)}))


def load_weights(path: Path) -> tuple[QueryInst, WeightsHeader]:
    """The network of a weights file, in float32.

    Raises:
        WeightsError: if the file is missing, damaged, no qivis weights, or does not fit the
            network that it describes.
    """
    tensors, header = _read(path)
    if header.inference_only:
        tensors = {_as_only_head(name, header.model): t for name, t in tensors.items()}
    return build_for(tensors, header, str(path)), header


def build_for(tensors: Mapping[str, Tensor], header: WeightsHeader, source: str) -> QueryInst:
    """The network that a header describes, with its weights.

    Nothing is trusted: memory is taken only when the tensors, which are there, fit the description.

    Args:
        tensors: by the project's names.
        header: what is said of them.
        source: the file, for messages.

    Raises:
        WeightsError: if there is no such network, or the weights do not fit it.
    """
    with torch.device("meta"):
        sketch = _described(header, len(tensors), source)
    check_fit(sketch, tensors, source)
    model = _described(header, len(tensors), source)
    model.load_state_dict(tensors)
    return model


def header_text(header: WeightsHeader) -> str:
    """The header as it is written into files, JSON."""
    content = {
        "model": to_dict(header.model),
        "input": to_dict(header.input),
        "tracking": to_dict(header.tracking),
        "categories": [{"id": c.id, "name": c.name} for c in header.categories],
        "inference_only": header.inference_only,
    }
    return json.dumps(content)


def read_header(text: str, source: str) -> WeightsHeader:
    """The header that a file has.

    Args:
        text: as `header_text` writes it.
        source: the file, for messages.

    Raises:
        WeightsError: if something in it is missing, unknown, or of a wrong type.
    """
    try:
        return _parse_header(json.loads(text), source)
    except (KeyError, TypeError, ValueError, RecursionError, ConfigError) as error:
        raise WeightsError(f"{source}: its header is damaged ({_first_line(error)})") from error


def load_published(model: QueryInst, state_dict: Mapping[str, Tensor]) -> None:
    """Load the state dict of a published mmdetection QueryInst checkpoint, strictly.

    Args:
        model: with learned queries; takes the weights.
        state_dict: by the published names (mmdetection 2 and 3 alike).

    Raises:
        WeightsError: listing the names that are missing or unexpected, and the shapes that differ.
    """
    load_strictly(model, own_names(state_dict), "published weights")


def own_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published weights by the project's names."""
    return {_own_name(name): tensor for name, tensor in state_dict.items()}


def read_published(path: Path) -> Mapping[str, Tensor]:
    """The state dict in a published checkpoint; nothing in the file is executed.

    Raises:
        WeightsError: if the file is no checkpoint of plain tensors.
    """
    content = load_plain(path)
    state_dict = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state_dict, dict) or not all(
        _is_weight(*entry) for entry in state_dict.items()
    ):
        raise WeightsError(f"{path}: expected a checkpoint with a 'state_dict' of tensors")
    # A view can show one stored number a billion times.
    shown = sum(tensor.numel() * tensor.element_size() for tensor in state_dict.values())
    if shown > path.stat().st_size:
        raise WeightsError(f"{path}: its tensors ({shown:,} bytes) are larger than the file")
    return state_dict


def load_strictly(model: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Load weights, all of them and nothing else.

    Raises:
        WeightsError: listing the names that are missing or unexpected, and the shapes that differ.
    """
    check_fit(model, tensors, source)
    model.load_state_dict(tensors)


def check_fit(model: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """See that tensors have the names and shapes of a network's weights.

    Raises:
        WeightsError: listing the names that are missing or unexpected, and the shapes that differ.
    """
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    problems = [
        f"missing {_listed(expected.keys() - tensors.keys())}",
        f"unexpected {_listed(tensors.keys() - expected.keys())}",
        f"""of another shape {
            _listed(
                f"{name} {tuple(tensors[name].shape)} instead of {tuple(shape)}"
                for name, shape in expected.items()
                if name in tensors and tensors[name].shape != shape
            )
        }""",
    ]
    found = [problem for problem in problems if not problem.endswith(" none")]
    if found:
        raise WeightsError(f"{source}: does not fit the network: {'; '.join(found)}")


def _read(path: Path) -> tuple[dict[str, Tensor], WeightsHeader]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, struct.error) as error:
        raise WeightsError(f"{path}: not a readable weights file ({_first_line(error)})") from error
    if HEADER_KEY not in metadata:
        raise WeightsError(
            f"{path}: safetensors without a '{HEADER_KEY}' header; tools/convert_weights.py makes "
            "qivis weights of published ones"
        )
    return tensors, read_header(metadata[HEADER_KEY], str(path))


def _is_weight(name: Any, value: Any) -> bool:
    """Whether this is an entry of a state dict, its numbers all there."""
    if not (isinstance(name, str) and isinstance(value, Tensor)):
        return False
    is_dense = value.layout == torch.strided and not value.is_quantized
    return is_dense and value.device.type == "cpu"


def _described(header: WeightsHeader, most_stages: int, source: str) -> QueryInst:
    config = header.model
    if config.num_stages > most_stages:
        raise WeightsError(f"{source}: has {most_stages} tensors for {config.num_stages} stages")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers without channels
            model = build_model(config, len(header.categories))
            if header.inference_only:
                model.drop_training_heads()
    except Exception as error:  # numbers without sense raise whatever the layer they meet says
        raise WeightsError(
            f"{source}: its header describes no network ({_first_line(error)})"
        ) from error
    return model


def _parse_header(content: dict[str, Any], source: str) -> WeightsHeader:
    categories = tuple(from_dict(Category, entry, source) for entry in content["categories"])
    if not categories or len({category.id for category in categories}) < len(categories):
        raise ValueError("expected at least one category, each with an id of its own")
    return WeightsHeader(
        model=from_dict(ModelConfig, content["model"], source),
        input=from_dict(InputConfig, content["input"], source),
        tracking=from_dict(TrackingConfig, content["tracking"], source),
        categories=Categories(categories),
        inference_only=bool(content["inference_only"]),
    )


def _own_name(published: str) -> str:
    for pattern, own in _PUBLISHED_NAMES:
        head, count = re.subn(f"^{pattern}", own, published)
        if count:
            break
    else:
        return published
    if not head.startswith(("stages.", "mask_heads.")):
        return head
    for pattern, replacement in _PUBLISHED_PARTS:
        part, count = re.subn(rf"(?<=\d\.){pattern}", replacement, head, count=1)
        if count:
            return part
    return head


def _is_training_head(name: str, num_heads: int) -> bool:
    return name.startswith("mask_heads.") and not name.startswith(f"mask_heads.{num_heads - 1}.")


def _as_only_head(name: str, config: ModelConfig) -> str:
    return re.sub(rf"^mask_heads\.{config.num_stages - 1}\.", "mask_heads.0.", name)


def _listed(names: Any, most: int = 5) -> str:
    names = sorted(names)
    shown = ", ".join(names[:most]) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
