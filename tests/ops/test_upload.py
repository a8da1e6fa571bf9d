"""Values arrive as they are; on a GPU, while the host goes on."""

import pytest
import torch

from qivis.ops.upload import upload


def test_on_a_cpu_nothing_is_copied() -> None:
    values = torch.arange(3)
    assert upload(values, torch.device("cpu")) is values


@pytest.mark.gpu
def test_a_gpu_gets_the_values_without_being_waited_for() -> None:
    device, values = torch.device("cuda"), torch.arange(1000)
    torch.cuda.set_sync_debug_mode("error")  # refuses whatever waits
    try:
        uploaded = upload(values, device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert uploaded.device.type == "cuda"
    assert torch.equal(uploaded.cpu(), values)
    assert upload(uploaded, device) is uploaded
