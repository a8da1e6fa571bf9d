"""Settings: `schema` says what can be set, `load` reads it from YAML files.

`to_dict` and `from_dict` carry settings through JSON, as weights files store them.
"""

from qivis.config.load import load_config
from qivis.config.schema import (
    AugmentConfig,
    ClipConfig,
    DataConfig,
    ExperimentConfig,
    InputConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    SourceConfig,
    TrackingConfig,
)
from qivis.config.typed import from_dict, to_dict

__all__ = [
    "AugmentConfig",
    "ClipConfig",
    "DataConfig",
    "ExperimentConfig",
    "InputConfig",
    "LossConfig",
    "ModelConfig",
    "OptimConfig",
    "SourceConfig",
    "TrackingConfig",
    "from_dict",
    "load_config",
    "to_dict",
]
