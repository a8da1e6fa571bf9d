"""Reading config files: bases, overrides, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from qivis.config import ExperimentConfig, load_config
from qivis.config.schema import SourceConfig
from qivis.errors import ConfigError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "a.yaml", "")) == ExperimentConfig()


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "a.yaml", "model: {num_queries: 300}"))
    default = ExperimentConfig()
    assert config == replace(default, model=replace(default.model, num_queries=300))


def test_a_base_is_changed_field_by_field(tmp_path: Path) -> None:
    write(tmp_path, "_base_/m.yaml", "model: {num_queries: 7, num_stages: 2}")
    path = write(tmp_path, "a.yaml", "_base_: _base_/m.yaml\nmodel: {num_stages: 3}")
    model = load_config(path).model
    assert (model.num_queries, model.num_stages) == (7, 3)


def test_of_several_bases_later_ones_win(tmp_path: Path) -> None:
    write(tmp_path, "one.yaml", "optim: {epochs: 1, seed: 1}")
    write(tmp_path, "two.yaml", "optim: {epochs: 2}")
    optim = load_config(write(tmp_path, "a.yaml", "_base_: [one.yaml, two.yaml]")).optim
    assert (optim.epochs, optim.seed) == (2, 1)


def test_lists_are_replaced_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", "augment: {short_sides: [8, 16, 24]}")
    path = write(tmp_path, "a.yaml", "_base_: base.yaml\naugment: {short_sides: [32]}")
    assert load_config(path).augment.short_sides == (32,)


def test_bases_may_have_bases_but_no_further(tmp_path: Path) -> None:
    write(tmp_path, "d.yaml", "optim: {epochs: 5}")
    write(tmp_path, "c.yaml", "_base_: d.yaml")
    two_levels = write(tmp_path, "b.yaml", "_base_: c.yaml")
    three_levels = write(tmp_path, "a.yaml", "_base_: b.yaml")
    assert load_config(two_levels).optim.epochs == 5
    with pytest.raises(ConfigError, match=r"2 levels deep: a\.yaml -> b\.yaml -> c\.yaml -> d\."):
        load_config(three_levels)


def test_a_circle_of_bases_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "_base_: b.yaml")
    path = write(tmp_path, "b.yaml", "_base_: a.yaml")
    with pytest.raises(ConfigError, match=r"in a circle: b\.yaml -> a\.yaml -> b\.yaml"):
        load_config(path)


def test_a_mistake_is_reported_for_the_file_that_has_it(tmp_path: Path) -> None:
    base = write(tmp_path, "base.yaml", "model: {num_querys: 300}")
    path = write(tmp_path, "a.yaml", "_base_: base.yaml\nmodel: {num_stages: 2}")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (
        f"{base}: model: unknown field 'num_querys'; did you mean 'num_queries'?"
    )


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optim.lr=1e-3", 1e-3),
        ("optim.lr=2", 2.0),
        ("optim.lr=2.5E+1", 25.0),
        ("optim.milestones=[6, 8]", (6, 8)),
        ("model.backbone=resnet101", "resnet101"),
        ("data.ignore_regions=true", True),
        ("data.root=/data/coco=2017", "/data/coco=2017"),
        (" optim.seed = 3 ", 3),
    ],
)
def test_an_override_wins_over_the_file(tmp_path: Path, override: str, expected: object) -> None:
    text = "optim: {lr: 9, milestones: [1], seed: 9}\nmodel: {backbone: resnet50}"
    config = load_config(write(tmp_path, "a.yaml", text), [override])
    section, field = override.split("=")[0].strip().split(".")
    value = getattr(getattr(config, section), field)
    assert (value, type(value)) == (expected, type(expected))


def test_the_last_of_several_overrides_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "")
    assert load_config(path, ["optim.seed=1", "optim.seed=2"]).optim.seed == 2


def test_sets_to_train_on_are_read_as_such(tmp_path: Path) -> None:
    text = """
data:
  train:
    - {images: one, annotations: one.json}
    - {images: two, annotations: two.json}
"""
    config = load_config(write(tmp_path, "a.yaml", text))
    assert config.data.train == (
        SourceConfig(images="one", annotations="one.json"),
        SourceConfig(images="two", annotations="two.json"),
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.epochs", "expected section.field=value, as in optim.epochs=24"),
        ("=3", "expected section.field=value"),
        ("optim.milestones=[6", "not valid YAML"),
        ("modle.backbone=resnet50", "unknown field 'modle'; did you mean 'model'?"),
        ("optim.epochs=many", "optim.epochs: expected a whole number, got 'many'"),
        ("optim.epochs=0", "optim.epochs: expected 1 or more, got 0"),
        ("optim=3", "optim: expected a mapping of fields to values, got 3"),
        ("_base_=other.yaml", "unknown field '_base_'"),
    ],
)
def test_a_wrong_override_is_refused_by_name(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "a.yaml", ""), [override])
    assert str(caught.value).startswith(f"override {override!r}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {backbone: resnet50", "not valid YAML"),
        ("just words", "expected a mapping such as 'model: ...', got 'just words'"),
        ("false", "expected a mapping"),
        ("model:", "model: expected a mapping of fields to values, got None"),
        ("optim: {seed: 1, seed: 2}", "not valid YAML ('seed' is given twice"),
        ("_base_: 3", "_base_: expected a list, got 3"),
        ("_base_: [3]", "_base_[0]: expected a string, got 3"),
        ("data: {val: {images: val2017}}\n", "data.val: missing field 'annotations'"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, "a.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_missing_base_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "_base_: gone.yaml")
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read \(No such file"):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    [
        "optim: {seed: !!python/object/apply:os.mkdir ['ran']}",
        "optim: {seed: !!python/name:os.system}",
    ],
)
def test_nothing_in_a_config_runs(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(write(tmp_path, "a.yaml", text))
    assert not (tmp_path / "ran").exists()


def test_a_python_config_is_refused_without_being_run(tmp_path: Path) -> None:
    path = write(tmp_path, "a.py", "raise SystemExit('ran')")
    with pytest.raises(ConfigError, match=r"a\.py: expected a \.yaml file"):
        load_config(path)


LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS + "optim: {epochs: *a11}", "not valid YAML (aliases such as *name are not read"),
        (MERGES, "not valid YAML (aliases such as *name are not read"),
        ("optim: &a {epochs: *a}", "not valid YAML (aliases such as *name are not read"),
        ("[" * 20_000, "not a config, too deeply nested"),
        ("".join(" " * depth + "a:\n" for depth in range(400)), "not a config, too deeply nested"),
        ("# " + "x" * 100_000, "too long for a config, more than 100,000 bytes"),
        ("x" * 50_000, "expected a mapping such as 'model: ...', got 'xxx"),
        ("optim: {epochs: " + "1" * 5000 + "}", "not valid YAML ("),
        (
            "optim: {epochs: 0x" + "f" * 9000 + "}",
            "optim.epochs: expected a whole number, got what",
        ),
        ("optim: {epochs: 9223372036854775808}", "optim.epochs: expected a whole number, got 9223"),
        ("optim: {epochs: 2024-99-99}", "not valid YAML (month must be in 1..12)"),
        ('optim: {epochs: !!int ""}', "not valid YAML ("),
        ("optim: {epochs: !!bool maybe}", "not valid YAML ("),
        ("optim: {epochs: !!timestamp noon}", "not valid YAML ("),
        ("optim: !!map words", "not valid YAML ("),
        ('_base_: "a\\0b.yaml"', r"_base_: expected the name of a file, got 'a\x00b.yaml'"),
        ('_base_: "a\\nb.yaml"', r"_base_: expected the name of a file, got 'a\nb.yaml'"),
        ("_base_: [" + "b.yaml, " * 11 + "]", "_base_ names 11 files, more than 10"),
    ],
    ids=lambda text: text[:20],
)
def test_a_malicious_file_is_refused_in_one_short_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, "a.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(path)) + 250


def test_endless_files_and_links_that_lead_to_one_another_are_refused(tmp_path: Path) -> None:
    (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    with pytest.raises(ConfigError, match=r"endless\.yaml: too long for a config"):
        load_config(write(tmp_path, "a.yaml", "_base_: endless.yaml"))
    with pytest.raises(ConfigError, match=r"circle\.yaml: cannot be read \(.*[Ss]ymlink loop"):
        load_config(write(tmp_path, "a.yaml", "_base_: circle.yaml"))


def test_of_a_hundred_bases_in_a_row_only_three_are_read(tmp_path: Path) -> None:
    for index in range(100):
        write(tmp_path, f"b{index}.yaml", f"_base_: b{index + 1}.yaml")
    with pytest.raises(ConfigError, match=r"2 levels deep: b0\.yaml -> .* -> b3\.yaml$"):
        load_config(tmp_path / "b0.yaml")


def test_an_override_nested_a_thousand_deep_is_refused(tmp_path: Path) -> None:
    override = "optim.epochs" + ".a" * 100_000 + "=1"
    with pytest.raises(ConfigError, match=r"optim\.epochs: expected a whole number"):
        load_config(write(tmp_path, "a.yaml", ""), [override])


def test_fields_that_do_not_go_together_are_reported_for_the_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "model: {width: 40}")
    assert load_config(path).model.width == 40
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["model.num_heads=3"])
    assert str(caught.value) == f"{path}: model.num_heads: expected a divisor of width, 40, got 3"
