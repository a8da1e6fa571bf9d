"""Annotation files that are damaged at random, and in known ways.

Whatever a file says, reading it, drawing what is trained on, and measuring either work or end in
one of the project's errors; and what is known to be wrong is among the rejects, by its id.
"""

import copy
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from qivis.config.schema import AugmentConfig
from qivis.data.augment import augment
from qivis.data.coco import CocoImages
from qivis.data.pseudo_clips import pseudo_clip
from qivis.data.youtube_vis import YouTubeVis
from qivis.errors import DataError, QivisError
from qivis.evaluation.coco_map import evaluate_coco
from qivis.evaluation.ytvis_map import evaluate_youtube_vis
from qivis.structures import Clip

Content = dict[str, Any]
NAN, INFINITY = math.nan, math.inf
HEIGHT, WIDTH = 12, 16
FRAMES = ("v/0.png", "v/1.png", "v/2.png")

SIZE = {"height": HEIGHT, "width": WIDTH}
POLYGON = [[2, 2, 9, 2, 9, 8, 2.5, 8]]
RUNS = {"size": [HEIGHT, WIDTH], "counts": [26, 5, 7, 5, 149]}
STRING = {"size": [HEIGHT, WIDTH], "counts": "j0570^4"}  # the same
CATEGORIES = [
    {"id": 3, "name": "cat", "supercategory": "animal"},
    {"id": 7, "name": "dog", "supercategory": "animal"},
]


def coco() -> Content:
    box = {"bbox": [2, 2, 7.5, 6], "area": 42.5, "iscrowd": 0}
    return {
        "images": [{"id": i, "file_name": name} | SIZE for i, name in enumerate(FRAMES)],
        "annotations": [
            {"id": 10, "image_id": 0, "category_id": 3, "segmentation": POLYGON} | box,
            {"id": 11, "image_id": 0, "category_id": 7, "segmentation": RUNS} | box,
            {"id": 12, "image_id": 1, "category_id": 7, "segmentation": STRING} | box,
            {"id": 13, "image_id": 1, "category_id": 3, "segmentation": RUNS}
            | box
            | {"iscrowd": 1},
        ],
        "categories": CATEGORIES,
    }


def youtube_vis() -> Content:
    boxes = {"bboxes": [[2, 2, 7, 6]] * 3, "areas": [42, 42, 42], "iscrowd": 0}
    names = list(FRAMES)
    masks = [POLYGON, None, RUNS]
    return {
        "videos": [{"id": i, "file_names": names, "length": 3} | SIZE for i in (0, 1)],
        "annotations": [
            {"id": 10, "video_id": 0, "category_id": 3, "segmentations": masks} | boxes,
            {"id": 11, "video_id": 0, "category_id": 7, "segmentations": [STRING] * 3} | boxes,
            {"id": 12, "video_id": 1, "category_id": 7, "segmentations": masks}
            | boxes
            | {"iscrowd": 1},
        ],
        "categories": CATEGORIES,
    }


def ovis() -> Content:
    """The official format without what OVIS leaves out, and with what it adds."""
    content = youtube_vis()
    for annotation in content["annotations"]:
        del annotation["areas"]
        annotation |= SIZE | {"occlusion": ["no_occlusion"] * 3, "length": 3}
    return content


def coco_vid() -> Content:
    frame = {"video_id": 0} | SIZE
    return {
        "videos": [{"id": 0, "name": "v"}],
        "images": [
            {"id": i, "frame_id": i, "file_name": name} | frame for i, name in enumerate(FRAMES)
        ],
        "annotations": [
            {"id": 10, "image_id": 0, "instance_id": 1, "category_id": 3, "segmentation": POLYGON},
            {"id": 11, "image_id": 1, "instance_id": 1, "category_id": 3, "segmentation": STRING},
            {"id": 12, "image_id": 1, "instance_id": 2, "category_id": 7, "segmentation": RUNS},
        ],
        "categories": CATEGORIES,
    }


FORMS: Mapping[str, Callable[[], Content]] = {
    "coco": coco,
    "youtube_vis": youtube_vis,
    "ovis": ovis,
    "coco_vid": coco_vid,
}

# What a field must not be, by part and field; None stands for a field that is missing.
BAD_IDS = [None, -1, "4", 1.5, True, 2**63, [], {}, INFINITY]
BAD_REFERENCES = [None, 99, -1, "3", 3.0, True, [], 2**70]
BAD_SIDES = [None, 0, -4, 12.5, "12", True, NAN, INFINITY, 10**400, []]
BAD_NAMES = [None, "", 5, [], "/a.png", "../a.png", "v/../../a.png", "..\\a.png", "C:\\a.png"]
BAD_NAMES += ["\\\\host\\share\\a.png", "a\0.png", "\ud800.png"]
BAD_MASKS: list[Any] = [
    [],
    [[]],
    [[1, 1, 3, 3]],  # two points
    [[1, 1, 3, 1, 3, 3, 1]],
    [POLYGON[0], [1, 1]],
    [[1, 1, NAN, 1, 3, 3]],
    [[1, 1, INFINITY, 1, 3, 3]],
    [[1, 1, 10**400, 1, 3, 3]],
    [[0, 0, 9e6, 9e6, 0, 1]],
    [[1, 1, "3", 1, 3, 3]],
    [[1, 1, None, 1, 3, 3]],
    [[[1, 1], [3, 1], [3, 3], [1, 3], [1, 2], [1, 1]]],
    POLYGON[0],
    "polygon",
    5,
    {},
    {"size": [WIDTH, HEIGHT], "counts": RUNS["counts"]},
    {"size": 12, "counts": RUNS["counts"]},
    {"size": [12.0, 16], "counts": RUNS["counts"]},
    {"size": [HEIGHT, WIDTH]},
    {"size": [HEIGHT, WIDTH], "counts": [26, 5]},
    {"size": [HEIGHT, WIDTH], "counts": [-1, 193]},
    {"size": [HEIGHT, WIDTH], "counts": [2.5, 189.5]},
    {"size": [HEIGHT, WIDTH], "counts": ["192"]},
    {"size": [HEIGHT, WIDTH], "counts": [2**32, HEIGHT * WIDTH - 2**32]},
    {"size": [HEIGHT, WIDTH], "counts": ""},
    {"size": [HEIGHT, WIDTH], "counts": "oooooooooooo"},  # the end is missing
    {"size": [HEIGHT, WIDTH], "counts": "mask"},
    {"size": [HEIGHT, WIDTH], "counts": "\u20ac"},
    {"size": [HEIGHT, WIDTH], "counts": 192},
]
BAD_BOXES = [None, [], [1, 2, 3], [1, 1, 0, 3], [1, 1, 3, 0], [1, 1, -3, 3], [1, 1, NAN, 3]]
BAD_BOXES += [[INFINITY, 1, 3, 3], [1, 1, 10**400, 3], [16, 1, 3, 3], [-3, 1, 3, 3], "box", 4]
BAD_BOXES += [["1", "1", "3", "3"], [[1], 1, 3, 3], [1, 1, True, 3], {}]
BAD_AREAS = [None, 0, -1, NAN, INFINITY, "5", [], 10**400]
BAD_FLAGS = [2, -1, "yes", [], 0.5, NAN]
BAD_LISTS = [None, [], [None], [None] * 4, "abc", 3, {}]
SHARED = {
    ("annotations", "id"): BAD_IDS,
    ("annotations", "category_id"): BAD_REFERENCES,
    ("annotations", "iscrowd"): BAD_FLAGS,
    ("categories", "id"): BAD_IDS,
    ("categories", "name"): [None, "", 5, [], "\ud800"],
}
IMAGES = {
    ("images", "id"): BAD_IDS,
    ("images", "height"): BAD_SIDES,
    ("images", "width"): BAD_SIDES,
    ("images", "file_name"): BAD_NAMES,
    ("annotations", "image_id"): BAD_REFERENCES,
    ("annotations", "segmentation"): [None, *BAD_MASKS],
}
OFFICIAL = (
    SHARED
    | {
        ("videos", "id"): BAD_IDS,
        ("videos", "height"): BAD_SIDES,
        ("videos", "width"): BAD_SIDES,
        ("videos", "file_names"): [None, [], "v", 3, *([*FRAMES[:2], name] for name in BAD_NAMES)],
        ("annotations", "video_id"): BAD_REFERENCES,
        ("annotations", "segmentations"): [
            *BAD_LISTS,
            *([POLYGON, mask, None] for mask in BAD_MASKS if mask != []),
            [{"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}, None, None],  # no pixel
        ],
        ("annotations", "bboxes"): BAD_LISTS[1:],
        ("annotations", "areas"): [*BAD_LISTS[1:], *([1, area, 1] for area in BAD_AREAS[2:])],
    }
)
DEFECTS: Mapping[str, Mapping[tuple[str, str], list[Any]]] = {
    "coco": SHARED
    | IMAGES
    | {("annotations", "bbox"): BAD_BOXES, ("annotations", "area"): BAD_AREAS},
    "youtube_vis": OFFICIAL,
    "ovis": OFFICIAL,
    "coco_vid": SHARED
    | IMAGES
    | {
        ("videos", "id"): BAD_IDS,
        ("images", "video_id"): BAD_REFERENCES,
        ("images", "frame_id"): BAD_IDS,
        ("annotations", "instance_id"): BAD_IDS,
    },
}
RECIPES = (
    AugmentConfig(
        short_sides=(16,),
        long_side=32,
        crop_probability=1.0,
        crop_short_sides=(14,),
        crop_range=(6, 10),
    ),
    AugmentConfig(canvas_side=16, paste_probability=1.0),
)
KINDS = {"images": "image", "annotations": "annotation", "videos": "video"}
KINDS |= {"categories": "category"}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "v").mkdir()
    for name in FRAMES[:2]:  # the third is missing on the disk
        Image.new("RGB", (WIDTH, HEIGHT), (90, 20, 160)).save(folder / name)
    return folder


def open_set(form: str, folder: Path, content: Content, **settings: Any) -> CocoImages | YouTubeVis:
    path = folder / f"{form}.json"
    path.write_text(json.dumps(content))
    kind = CocoImages if form == "coco" else YouTubeVis
    return kind(folder, path, ignore_regions=True, **settings)


def use(dataset: CocoImages | YouTubeVis) -> None:
    """All that training and measuring do with a set."""
    if isinstance(dataset, CocoImages):
        for index in dataset.trainable(min_side=1, keep_empty=True):
            with suppress(QivisError):  # a picture that is missing, or of another size
                train_on(dataset[index], len(dataset.categories))
        truth = dataset.ground_truth()
        evaluate_coco(truth, [found(a) for a in truth["annotations"]])
    else:
        for video in range(len(dataset)):
            dataset.annotated_frames(video)
            for index in range(dataset.length(video)):
                with suppress(QivisError):
                    train_on(dataset.clip(video, [index]), len(dataset.categories))
        truth = dataset.ground_truth()
        evaluate_youtube_vis(truth, [a | {"score": 0.5} for a in truth["annotations"]])


def train_on(clip: Clip, num_classes: int) -> None:
    (sample,) = clip
    targets = sample.targets
    height, width = targets.size
    assert targets.labels.tolist() == [label for label in targets.labels if label < num_classes]
    x1, y1, x2, y2 = targets.boxes.unbind(1)
    assert bool(((x1 >= 0) & (y1 >= 0) & (x1 < x2) & (y1 < y2)).all())
    assert bool(((x2 <= width) & (y2 <= height)).all())
    assert bool(sample.ignored.isfinite().all())
    rng = np.random.default_rng(0)
    for recipe in RECIPES:
        augment(clip, recipe, rng, lambda: clip)
    pseudo_clip(sample, 2, rng)


def found(annotation: Mapping[str, Any]) -> dict[str, Any]:
    mask = annotation["segmentation"] if isinstance(annotation["segmentation"], dict) else STRING
    known = {key: annotation[key] for key in ("image_id", "category_id", "bbox")}
    return known | {"score": 0.5, "segmentation": STRING | {"size": mask["size"]}}


def test_the_files_are_in_order_before_they_are_damaged(pictures: Path) -> None:
    for form, make in FORMS.items():
        dataset = open_set(form, pictures, make(), strict=True)
        assert dataset.rejects == ()
        use(dataset)
        assert len(dataset.ground_truth()["annotations"]) == {"coco": 4, "coco_vid": 2}.get(form, 3)


@st.composite
def known_defects(draw: st.DrawFn, form: str) -> tuple[Content, str, Any]:
    """A file with one entry that cannot be used, the kind of that entry, and its id."""
    content = copy.deepcopy(FORMS[form]())
    (part, key), values = draw(st.sampled_from(list(DEFECTS[form].items())))
    entries = content[part]
    index = draw(st.integers(0, len(entries) - 1))
    way = draw(st.sampled_from(["field", "field", "field", "twice", "no object"]))
    if way == "twice":
        entries.append(copy.deepcopy(entries[index]))
        return content, KINDS[part], entries[index]["id"]
    if way == "no object":
        entries.insert(index, draw(st.sampled_from([None, 3, "entry", [], [{}], True, NAN])))
        return content, KINDS[part], None
    entry, value = entries[index], draw(st.sampled_from(values))
    if value is None and draw(st.booleans()):
        number = entry["id"] if key != "id" else None
        del entry[key]
        return content, KINDS[part], number
    entry[key] = value
    return content, KINDS[part], entry["id"]


def check_known(form: str, folder: Path, defect: tuple[Content, str, Any]) -> None:
    content, kind, number = defect
    dataset = open_set(form, folder, content)
    assert (kind, number) in [(reject.kind, reject.id) for reject in dataset.rejects]
    use(dataset)
    with pytest.raises(DataError) as error:
        open_set(form, folder, content, strict=True)
    assert f"{form}.json: {dataset.rejects[0]}" in str(error.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**32 + 3, 2**53, 2**63 - 1, 2**63, -(2**63), 10**400])
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["a" * 5000, "../a.png", "/", "v/0.png/1", "\ud83d", "v\\0.png"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "size", "counts", "file_name", "image_id", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container of a file, with every key or index of it."""
    steps = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    inner = [value for _, value in steps if isinstance(value, dict | list)]
    return [(node, key) for key, _ in steps] + [place for one in inner for place in places(one)]


@st.composite
def damaged(draw: st.DrawFn, form: str) -> Content:
    """A file in which values are others, are missing, or are there twice."""
    content = copy.deepcopy(FORMS[form]())
    for _ in range(draw(st.integers(1, 4))):
        container, key = draw(st.sampled_from(places(content)))
        way = draw(st.sampled_from(["another value", "another value", "missing", "twice"]))
        if way == "another value":
            container[key] = draw(JSON)
        elif way == "missing":
            del container[key]
        elif isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        if not content:
            break
    return content


def check_damaged(form: str, folder: Path, content: Content) -> None:
    with suppress(QivisError):
        use(open_set(form, folder, content))
    with suppress(QivisError):
        use(open_set(form, folder, content, strict=True))


GATE, MANY = (
    settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    for examples in (40, 1000)
)


@pytest.mark.parametrize("form", FORMS)
@GATE
@given(st.data())
def test_what_is_known_to_be_wrong_is_named(pictures: Path, form: str, data: st.DataObject) -> None:
    check_known(form, pictures, data.draw(known_defects(form)))


@pytest.mark.parametrize("form", FORMS)
@GATE
@given(st.data())
def test_no_damage_is_a_crash(pictures: Path, form: str, data: st.DataObject) -> None:
    check_damaged(form, pictures, data.draw(damaged(form)))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@MANY
@given(st.data())
def test_of_a_thousand_defects_each_is_named(
    pictures: Path, form: str, data: st.DataObject
) -> None:
    check_known(form, pictures, data.draw(known_defects(form)))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@MANY
@given(st.data())
def test_of_a_thousand_damages_none_is_a_crash(
    pictures: Path, form: str, data: st.DataObject
) -> None:
    check_damaged(form, pictures, data.draw(damaged(form)))
