"""What the documents say of files and figures is so."""

import re
from pathlib import Path

import pytest

from qivis.models.zoo import ZOO

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "datasets").glob("*.md")])
# Made by using the project, the reader's own, or mmdetection's.
NOT_IN_THE_TREE = (
    "datasets/coco",
    "datasets/cityscapes",
    "datasets/shapes",
    "datasets/ytvis_20",
    "datasets/ovis",
    "datasets/pasted",
    "configs/image/mine.yaml",
    "configs/queryinst",
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [t for t in targets if not (document.parent / t).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:qivis|tests|tools|configs|datasets)/[\w./]*\w", text)
    lost = {n for n in named if not (ROOT / n).exists() and not n.startswith(NOT_IN_THE_TREE)}
    assert lost == set()


@pytest.mark.parametrize("name", ZOO)
def test_the_readme_gives_the_published_figures_as_the_config_does(name: str) -> None:
    row = re.compile(rf"\| `{name}` \|[^|]*\| ([\d.]+) \| ([\d.]+) \| \[config\]\((.*)\) \|")
    found = row.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    box, mask, config = found.groups()
    head = (ROOT / config).read_text(encoding="utf-8")
    assert f"Expected: {box} box AP, {mask} mask AP" in head
    assert f"--weights {name}\n" in head
