"""Who is compared with whom, on boxes whose overlaps can be worked out."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from qivis.config.schema import LossConfig
from qivis.models.association_pairs import (
    NO_OBJECT,
    UNCLEAR,
    FrameEmbeddings,
    association_losses,
    owners_of,
)
from qivis.models.outputs import Match
from qivis.structures import Targets
from tests.tiny import rectangles

# Two objects, 10 pixels a side, with the ids 1 and 2.
OBJECTS = rectangles((40, 60), [(0, 0, 10, 10), (30, 20, 40, 30)], [0, 0])
WEIGHTS = LossConfig(contrastive=2.0, cosine=3.0, track_match=0.0)


def matched(queries: list[int], objects: list[int]) -> Match:
    return Match(torch.tensor(queries, dtype=torch.int64), torch.tensor(objects, dtype=torch.int64))


def test_a_query_shows_what_it_is_matched_with_or_clearly_overlaps() -> None:
    boxes = torch.tensor(
        [
            [0.0, 0.0, 10.0, 5.0],  # half of object 1, but matched with it
            [0.0, 0.0, 10.0, 8.0],  # IoU 0.8 with object 1
            [30.0, 20.0, 40.0, 25.0],  # IoU 0.5 with object 2: nobody can say
            [30.0, 20.0, 40.0, 22.0],  # IoU 0.2
            [50.0, 0.0, 60.0, 10.0],  # alone
        ]
    )
    owners = owners_of(boxes, matched([0], [0]), OBJECTS)
    assert owners.tolist() == [1, 1, UNCLEAR, NO_OBJECT, NO_OBJECT]


def test_without_objects_no_query_shows_any() -> None:
    owners = owners_of(torch.rand(3, 4), matched([], []), Targets.empty((40, 60)))
    assert owners.tolist() == [NO_OBJECT] * 3


def frame(owners: list[int], matched_queries: list[int], seed: int) -> FrameEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(len(owners), 4, generator=generator)
    return FrameEmbeddings(embeddings, torch.tensor(owners), torch.tensor(matched_queries))


FIRST = frame([7, NO_OBJECT, 9], [0, 2], seed=0)
SECOND = frame([9, UNCLEAR, 7, 7], [0, 2], seed=1)


def test_objects_are_found_again_by_their_ids() -> None:
    pair = association_losses([[FIRST, SECOND]], replace(WEIGHTS, cosine=0.0))
    assert pair.keys() == {"association/contrastive"}

    def one_way(anchors: FrameEmbeddings, others: FrameEmbeddings) -> torch.Tensor:
        terms = []
        for query in anchors.matched.tolist():
            likes = others.embeddings @ anchors.embeddings[query]
            own = int(anchors.owners[query])
            ids = others.owners.tolist()
            total = torch.tensor(1.0)
            for i, positive in enumerate(ids):
                for j, negative in enumerate(ids):
                    if positive == own and negative not in (own, UNCLEAR):
                        total = total + torch.exp(likes[j] - likes[i])
            terms.append(total.log())
        return torch.stack(terms).mean()

    expected = 2.0 * (one_way(FIRST, SECOND) + one_way(SECOND, FIRST)) / 2
    assert torch.allclose(pair["association/contrastive"], expected, rtol=1e-4)


def test_every_two_frames_of_a_clip_are_compared_both_ways_and_clips_are_not() -> None:
    third = frame([9, 7], [0, 1], seed=2)
    whole = association_losses([[FIRST, SECOND, third]], WEIGHTS)
    pairs = [
        association_losses([[one, other]], WEIGHTS)
        for one, other in [(FIRST, SECOND), (FIRST, third), (SECOND, third)]
    ]
    apart = association_losses([[FIRST, SECOND], [third, FIRST]], WEIGHTS)
    for name, loss in whole.items():
        assert torch.allclose(loss, torch.stack([pair[name] for pair in pairs]).mean())
        assert torch.allclose(apart[name], torch.stack([p[name] for p in pairs[:2]]).mean())


def test_lengths_of_embeddings_do_not_matter_to_the_cosine() -> None:
    longer = replace(SECOND, embeddings=SECOND.embeddings * 5)
    plain = association_losses([[FIRST, SECOND]], WEIGHTS)
    scaled = association_losses([[FIRST, longer]], WEIGHTS)
    assert torch.allclose(plain["association/cosine"], scaled["association/cosine"])
    assert not torch.allclose(plain["association/contrastive"], scaled["association/contrastive"])


def test_the_match_loss_compares_matched_queries_alone() -> None:
    weights = LossConfig(contrastive=0.0, cosine=0.0, track_match=1.0)
    losses = association_losses([[FIRST, SECOND]], weights)
    assert losses.keys() == {"association/match"}
    first, second = (F.normalize(frame.embeddings[[0, 2]], dim=1) for frame in (FIRST, SECOND))
    likes = 10 * (first @ second.T - 0.5)  # ids 7 9 and 9 7
    none = torch.zeros(2, 1)
    there = F.cross_entropy(torch.cat([none, likes], dim=1), torch.tensor([2, 1]))
    back = F.cross_entropy(torch.cat([none, likes.T], dim=1), torch.tensor([2, 1]))
    assert losses["association/match"].item() == pytest.approx((there + back).item() / 2, rel=1e-5)


def test_likenesses_are_not_rounded_where_the_network_is() -> None:
    generator = torch.Generator().manual_seed(0)
    clip = [
        FrameEmbeddings(
            torch.randn(4, 16, generator=generator), torch.tensor([1, 2, 0, 3]), torch.arange(2)
        )
        for _ in range(2)
    ]
    expected = association_losses([clip], WEIGHTS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = association_losses([clip], WEIGHTS)
    assert found == expected
