"""What runs the network of a command line: PyTorch, or ONNX Runtime with an exported graph."""

import logging
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import torch

from qivis.config.schema import InputConfig
from qivis.errors import ConfigError, WeightsError
from qivis.files import make_writable
from qivis.inference.onnx_predictor import (
    AnyPredictor,
    check_onnx_device,
    load_onnx_predictor,
)
from qivis.inference.predictor import load_predictor, pick_device
from qivis.inference.summary import software_versions
from qivis.models.onnx_export import FORMAT, default_size, export_onnx
from qivis.models.source import checksum_of, open_weights
from qivis.models.zoo import cache_folder

LONGEST_STEM = 80  # characters of a file's name that go into that of its graph

log = logging.getLogger(__name__)


def load_for_runtime(args: Namespace) -> AnyPredictor:
    """The predictor of `--weights`, `--runtime`, `--device`, `--precision` and `--association`.

    Raises:
        WeightsError: if the weights, the runtime or the device cannot be used.
        ConfigError: if what is asked does not go together.
    """
    is_graph = Path(args.weights).suffix == ".onnx"
    if is_graph and args.runtime == "torch":
        raise ConfigError(f"--runtime torch cannot run {args.weights}; give the weights themselves")
    if is_graph and args.imgsz is not None:
        raise ConfigError(
            f"--imgsz: the size of {args.weights} is fixed; export another with "
            "tools/export_onnx.py --size"
        )
    if (is_graph or args.runtime == "onnx") and args.precision == "bfloat16":
        raise ConfigError(
            "--precision bfloat16: ONNX graphs have float32; leave one of the two out"
        )
    if is_graph:
        return load_onnx_predictor(args.weights, args.device, args.association)
    if args.runtime == "onnx":
        check_onnx_device(args.device)  # before the minutes that an export takes
        graph = exported(args.weights, args.imgsz)
        return load_onnx_predictor(graph, args.device, args.association)
    return load_predictor(args.weights, args.device, args.association, precision=args.precision)


def gpu_of(args: Namespace) -> torch.device | None:
    """The GPU that the network of a command line runs on; None on a CPU.

    Raises:
        WeightsError: if the device cannot be used.
    """
    if args.runtime == "onnx" or Path(args.weights).suffix == ".onnx":
        return None
    device = pick_device(args.device)
    return device if device.type == "cuda" else None


def exported(weights: str, short_side: int | None) -> Path:
    """The ONNX graph of weights, for pictures of 16:9; made once and kept in the cache.

    Args:
        weights: see `load_predictor`.
        short_side: of the pictures, in pixels; None for what the weights were trained for.

    Raises:
        WeightsError: if the weights cannot be had or used, or the cache cannot be written to.
        ConfigError: if what exporting needs is not installed.
    """
    model, header = open_weights(weights)
    height, width = default_size(
        header.input if short_side is None else with_short_side(header.input, short_side)
    )
    stem, version = Path(weights).stem[:LONGEST_STEM], f"{software_versions()['qivis']}-{FORMAT}"
    name = f"{stem}-{checksum_of(weights)[:16]}-{height}x{width}-{version}.onnx"
    graph = cache_folder() / "onnx" / name
    if not graph.exists():
        _see_that_it_can_be_kept(graph.parent)
        log.warning(
            "%s: is converted to an ONNX graph, which takes minutes; it is kept in %s",
            weights,
            graph,
        )
        model.drop_training_heads()
        export_onnx(graph, model.eval(), header, (height, width))
    return graph


def _see_that_it_can_be_kept(folder: Path) -> None:
    """Before the minutes that it takes to make what is to be kept."""
    try:
        make_writable(folder)
    except OSError as error:
        raise WeightsError(
            f"{folder}: no ONNX graph can be kept there ({error.strerror}); name another cache "
            "with the environment variable QIVIS_HOME"
        ) from error


def with_short_side(shape: InputConfig, side: int) -> InputConfig:
    """The same with another shorter side, in pixels, and the longer one in proportion."""
    longest = round(shape.long_side * side / shape.short_side)
    return replace(shape, short_side=side, long_side=longest)
