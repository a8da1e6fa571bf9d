"""Each query filters its own features."""

import torch
import torch.nn.functional as F

from qivis.models.dynamic_conv import DynamicConv


def test_one_query_at_a_time_by_the_definition() -> None:
    torch.manual_seed(0)
    conv = DynamicConv(width=6, dynamic_width=2)
    queries, features = torch.randn(3, 6), torch.randn(3, 4, 6)
    found = conv(queries, features)
    for query, cells, filtered in zip(queries, features, found, strict=True):
        weights = conv.generate(query)
        into, out_of = weights[:12].view(6, 2), weights[12:].view(2, 6)
        inner = F.layer_norm(cells @ into, (2,)).relu()
        expected = F.layer_norm(inner @ out_of, (6,)).relu()
        assert torch.allclose(filtered, expected, atol=1e-5)


def test_no_queries_filter_nothing() -> None:
    conv = DynamicConv(width=6, dynamic_width=2)
    assert conv(torch.zeros(0, 6), torch.zeros(0, 4, 6)).shape == (0, 4, 6)
