"""Where weights come from: the package, the published ones by name, or a file."""

from importlib import resources
from pathlib import Path

from qivis.config.schema import InputConfig, TrackingConfig
from qivis.errors import WeightsError
from qivis.files import checksum
from qivis.models.build import build_model
from qivis.models.coco_categories import COCO_CATEGORIES
from qivis.models.queryinst import QueryInst
from qivis.models.weights import WeightsHeader, load_published, load_weights, read_published
from qivis.models.zoo import fetch, published

DEFAULT = "default"
EMBEDDED = "nano.safetensors"


def open_weights(weights: str | Path) -> tuple[QueryInst, WeightsHeader]:
    """A network with its weights.

    Args:
        weights: `default`, the name of published weights, or the path of a weights file.

    Raises:
        WeightsError: if there are no such weights, or they cannot be used.
    """
    path = find_weights(weights)
    if path.suffix == ".onnx":
        raise WeightsError(f"{weights}: is an ONNX graph, which only qivis-infer --weights runs")
    if weights == DEFAULT or Path(weights).is_file():
        return load_weights(path)
    try:
        return open_published(path, str(weights))
    except WeightsError as error:
        raise WeightsError(f"{error}; delete it, and it is downloaded again") from error


def find_weights(weights: str | Path) -> Path:
    """The file that holds the weights; published ones are downloaded if need be.

    Args:
        weights: as `open_weights` takes them.

    Raises:
        WeightsError: if there are no such weights.
    """
    if weights == DEFAULT:
        return Path(str(resources.files("qivis.assets") / EMBEDDED))
    path = Path(weights)
    if path.is_file():
        return path
    if str(weights) and path.is_dir():
        raise WeightsError(f"{weights}: is a folder; give the path of a weights file in it")
    if path.suffix or len(path.parts) != 1:
        raise WeightsError(
            f"{str(weights) or repr(weights)}: no such file; give the path of a weights file, the "
            f"name of published weights, or {DEFAULT!r}"
        )
    return fetch(str(weights))


def checksum_of(weights: str | Path) -> str:
    """SHA-256 of the file that holds the weights, hexadecimal.

    Args:
        weights: as `open_weights` takes them.

    Raises:
        WeightsError: if there are no such weights.
    """
    return checksum(find_weights(weights))


def open_published(path: Path, name: str) -> tuple[QueryInst, WeightsHeader]:
    """The network of a published checkpoint.

    Args:
        path: of the checkpoint.
        name: of the published weights, which says what network it is.

    Raises:
        WeightsError: if the file does not hold what the name promises.
    """
    header = WeightsHeader(
        model=published(name).model,
        input=InputConfig(),
        tracking=TrackingConfig(),
        categories=COCO_CATEGORIES,
        inference_only=False,
    )
    model = build_model(header.model, len(header.categories))
    tensors = read_published(path)
    try:
        load_published(model, tensors)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return model, header
