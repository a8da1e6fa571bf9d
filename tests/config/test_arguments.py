"""Flags of a command reach the settings."""

import argparse
from pathlib import Path

from qivis.config import load_config
from qivis.config.arguments import add_overrides

CONFIG = Path(__file__).parents[2] / "configs/image/nano_coco.yaml"


def settings(*flags: str) -> tuple[bool, int]:
    parser = argparse.ArgumentParser()
    add_overrides(parser)
    config = load_config(CONFIG, parser.parse_args(flags).set)
    return config.data.strict, config.optim.batch_size


def test_what_is_set_and_strict_reach_the_settings_in_any_order():
    assert settings("--strict", "--set", "optim.batch_size=3") == (True, 3)
    assert settings("--set", "optim.batch_size=3", "--strict") == (True, 3)


def test_one_command_line_does_not_leak_into_the_next():
    assert settings("--strict")[0]
    assert not settings()[0]
