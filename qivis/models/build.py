"""From settings to a network: the one place that knows both."""

from collections.abc import Callable

from qivis.config.schema import ModelConfig
from qivis.models.association_head import (
    AssociationHead,
    DynamicConvEmbedding,
    MaskTrackEmbedding,
    MlpEmbedding,
)
from qivis.models.backbone import BACKBONES
from qivis.models.box_stage import BoxStage
from qivis.models.featurized_queries import FeaturizedQueries
from qivis.models.fpn import Fpn
from qivis.models.learned_queries import LearnedQueries
from qivis.models.mask_head import MaskHead
from qivis.models.queryinst import QueryInst


def build_model(config: ModelConfig, num_classes: int) -> QueryInst:
    """A QueryInst with freshly initialised weights.

    Args:
        config: the network's settings.
        num_classes: K.
    """
    backbone = BACKBONES[config.backbone]()
    return QueryInst(
        backbone=backbone,
        fpn=Fpn(backbone.channels, config.width),
        queries=_queries(config, num_classes),
        stages=[_stage(config, num_classes) for _ in range(config.num_stages)],
        mask_heads=[_mask_head(config, num_classes) for _ in range(config.num_stages)],
        sampling_ratio=config.sampling_ratio,
        association=_association(config),
    )


def _queries(config: ModelConfig, num_classes: int) -> LearnedQueries | FeaturizedQueries:
    if config.queries == "learned":
        return LearnedQueries(config.num_queries, config.width)
    return FeaturizedQueries(config.num_queries, config.width, num_classes)


def _association(config: ModelConfig) -> AssociationHead | None:
    width, grid, embedding_width = config.width, config.box_grid, config.embedding_width
    heads: dict[str, Callable[[], AssociationHead]] = {
        "mlp": lambda: MlpEmbedding(width, embedding_width),
        "dynamic_conv": lambda: DynamicConvEmbedding(
            width, config.dynamic_width, grid, embedding_width
        ),
        "masktrack": lambda: MaskTrackEmbedding(width, grid, embedding_width),
    }
    return None if config.association == "none" else heads[config.association]()


def _stage(config: ModelConfig, num_classes: int) -> BoxStage:
    return BoxStage(
        num_classes=num_classes,
        width=config.width,
        num_heads=config.num_heads,
        ffn_width=config.ffn_width,
        dynamic_width=config.dynamic_width,
        grid=config.box_grid,
        sampling_ratio=config.sampling_ratio,
    )


def _mask_head(config: ModelConfig, num_classes: int) -> MaskHead:
    return MaskHead(
        num_classes=num_classes,
        width=config.width,
        dynamic_width=config.dynamic_width,
        grid=config.mask_grid,
        norm=config.mask_norm,
    )
