"""What tests share: the moving shapes, weights for them, real data, the rule for GPU tests."""

import os
import signal
from pathlib import Path

import pytest
from make_shapes import make_shapes

# What a shell runs in the background ignores interrupts, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of datasets/make_shapes.py, made once; not to be written to."""
    folder = tmp_path_factory.mktemp("shapes")
    make_shapes(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a tiny network for the moving shapes that nobody trained.

    Its scores are all about 0.01, so that only a low threshold lets detections through.
    """
    import torch

    from qivis.config.schema import InputConfig, TrackingConfig
    from qivis.models.weights import WeightsHeader, save_weights
    from qivis.structures import Categories, Category
    from tests.tiny import TINY, tiny_model

    header = WeightsHeader(
        model=TINY,
        input=InputConfig(short_side=64, long_side=96),
        tracking=TrackingConfig(birth_score=0.0, min_frames=2),
        categories=Categories(
            (Category(1, "circle"), Category(3, "square"), Category(7, "triangle"))
        ),
        inference_only=False,
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, tiny_model(), header, torch.float32)
    return path


@pytest.fixture(scope="session")
def tiny_graph(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A weights file, and the ONNX graph that was made of it for pictures of 64 x 96.

    The network proposes its queries, has embeddings of width 12, and is not trained, but its
    scores are far apart, so that their order does not hang on the last bits.
    """
    from dataclasses import replace

    import torch

    from qivis.config.schema import InputConfig, TrackingConfig
    from qivis.models.onnx_export import export_onnx
    from qivis.models.weights import WeightsHeader, save_weights
    from qivis.structures import Categories, Category
    from tests.tiny import FEATURIZED, spread_scores, tiny_model

    # Exporting takes time: one stage will do.
    config = replace(FEATURIZED, num_stages=1, association="dynamic_conv", embedding_width=12)
    names = ("circle", "square", "triangle")
    header = WeightsHeader(
        model=config,
        input=InputConfig(short_side=64, long_side=96),
        tracking=TrackingConfig(birth_score=0.0, keep_score=0.0, association="embedding"),
        categories=Categories(tuple(Category(i, name) for i, name in enumerate(names))),
        inference_only=False,
    )
    folder = tmp_path_factory.mktemp("graph")
    weights, graph = folder / "tiny.safetensors", folder / "tiny.onnx"
    model = spread_scores(tiny_model(config))
    save_weights(weights, model, header, torch.float32)
    export_onnx(graph, model, header, (64, 96), detections=10)
    return weights, graph


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder with real `clips/` and `data/`, which the project does not bring along."""
    folder = os.environ.get("QIVIS_SHARED_DATA")
    if not folder:
        pytest.skip("QIVIS_SHARED_DATA names no folder with real clips and data")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    needing_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not needing_gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing_gpu:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
