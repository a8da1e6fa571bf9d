"""What tests share: the moving shapes, real data where there is some, the rule for GPU tests."""

import os
from pathlib import Path

import pytest
from make_shapes import make_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of datasets/make_shapes.py, made once; not to be written to."""
    folder = tmp_path_factory.mktemp("shapes")
    make_shapes(folder)
    return folder


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
