"""What the documents say of files and figures is so."""

import re
import subprocess
from pathlib import Path

import evaluate
import infer_many
import pytest
import train_image
import yaml

from qivis.inference import arguments
from qivis.inference.command import main
from qivis.models.zoo import ZOO

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "datasets").glob("*.md"), *(ROOT / "docs").glob("*.md")]
)
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


def test_the_sample_of_the_demo_clip_is_what_a_run_gives(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    expected = re.search(r"`(0,0\.000000,0,vehicle,[^`]+)`", readme)
    assert expected
    demo = str(ROOT / "qivis" / "assets" / "demo.mp4")
    options = ["--max-frames", "8", "--save", "--export", "csv", "--out", str(tmp_path)]
    assert main([demo, *options]) == 0
    row = (tmp_path / "demo" / "tracks.csv").read_text().splitlines()[1]
    given, shown = (line.split(",")[4:] for line in (row, expected[1]))
    assert row.split(",")[:4] == expected[1].split(",")[:4]
    # Processors round differently, and some have float32 alone.
    assert float(given[0]) == pytest.approx(float(shown[0]), abs=0.01)
    assert [float(side) for side in given[1:5]] == pytest.approx(
        [float(side) for side in shown[1:5]], abs=6
    )
    assert float(given[5]) == pytest.approx(float(shown[5]), rel=0.02)


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


CLUSTER = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```bash\n(.*?)```", CLUSTER, re.DOTALL)
MANIFESTS = re.findall(r"```yaml\n(.*?)```", CLUSTER, re.DOTALL)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_for_clusters_are_bash(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_manifests_for_clusters_are_yaml_of_what_they_say(manifest: str) -> None:
    documents = list(yaml.safe_load_all(manifest))
    assert {document["kind"] for document in documents} <= {"Job", "Service"}
    job = documents[-1]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["parallelism"] <= job["spec"]["completions"]
    pod = job["spec"]["template"]["spec"]
    mounted = {mount["name"] for box in pod["containers"] for mount in box["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    if job["metadata"]["name"] == "train":  # torchrun's meeting point is the first pod
        (service,) = documents[:-1]
        first = f"{job['metadata']['name']}-0.{service['metadata']['name']}"
        assert pod["subdomain"] == service["metadata"]["name"]
        assert f"--rdzv-endpoint={first}:29500" in pod["containers"][0]["args"]


def test_commands_for_clusters_have_flags_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    helps = {
        "qivis-infer": arguments.parse_args,
        "tools/infer_video.py": arguments.parse_args,
        "tools/infer_many.py": infer_many.main,
        "tools/evaluate.py": evaluate.main,
        "tools/train_image.py": train_image.main,
    }
    for name, tool in helps.items():
        with pytest.raises(SystemExit):
            tool(["--help"])
        known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        # What comes before the name is torchrun's or the scheduler's.
        commands = [c for block in [*SCRIPTS, *MANIFESTS] for c in block.split(name)[1:]]
        assert commands, name
        for command in commands:
            assert set(re.findall(r"(?<![\w-])--[a-z-]+", command)) <= known, command
