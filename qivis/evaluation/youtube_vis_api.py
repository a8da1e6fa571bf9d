"""The names of youtube-vis-api, so that scripts written for it run by changing their import.

Instead of `pycocotools.ytvos` and `pycocotools.ytvoseval`:

    from qivis.evaluation.youtube_vis_api import YTVOS, YTVOSeval

The figures are those of `ytvis_map`, which says where the official ones are wrong. Besides, nothing
is printed but the summary, results are not written into, and the tables of single videos (`ious`,
`evalImgs`, `eval["scores"]`) are not kept. What is set but not supported is refused.
"""

import copy
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError
from qivis.evaluation.ytvis_map import MAX_DETECTIONS, RECALLS, accumulate
from qivis.evaluation.ytvis_matching import AREA_RANGES, IOU_THRESHOLDS, Matchings, match_tracks
from qivis.ops import rle

Ids = int | Sequence[int]


class YTVOS:
    """Annotations, or results, of YouTube-VIS.

    dataset: `videos`, `categories` and `annotations`, as in the file.
    anns, cats, vids: the same by id. vidToAnns: annotations by video; catToVids: ids of videos by
        category, one for each annotation.
    """

    def __init__(self, annotation_file: str | Path | None = None) -> None:
        """Args: annotation_file: JSON; without it, fill `dataset` and call `createIndex`."""
        self.dataset: dict[str, Any] = {}
        if annotation_file is not None:
            self.dataset = _read(annotation_file, dict)
        self.createIndex()

    def createIndex(self) -> None:
        """Find out anew what `dataset` contains."""
        annotations = self.dataset.get("annotations", [])
        self.anns = {ann["id"]: ann for ann in annotations}
        self.vids = {vid["id"]: vid for vid in self.dataset.get("videos", [])}
        self.cats = {cat["id"]: cat for cat in self.dataset.get("categories", [])}
        self.vidToAnns: defaultdict[int, list[Any]] = defaultdict(list)
        self.catToVids: defaultdict[int, list[int]] = defaultdict(list)
        for ann in annotations:
            self.vidToAnns[ann["video_id"]].append(ann)
            self.catToVids[ann["category_id"]].append(ann["video_id"])

    def getAnnIds(
        self,
        vidIds: Ids = (),
        catIds: Ids = (),
        areaRng: Sequence[float] = (),
        iscrowd: bool | None = None,
    ) -> list[int]:
        """Ids of the annotations of these videos, categories and kind; () is any.

        Raises:
            DataError: if there is an area range, which is not supported.
        """
        if len(areaRng):
            raise DataError("getAnnIds: areaRng is not supported; filter loadAnns() by 'areas'")
        videos, categories = _listed(vidIds), _listed(catIds)
        lists = [self.vidToAnns[vid] for vid in videos if vid in self.vidToAnns]
        annotations = [ann for anns in lists for ann in anns] if videos else self.anns.values()
        return [
            ann["id"]
            for ann in annotations
            if (not categories or ann["category_id"] in categories)
            and (iscrowd is None or ann["iscrowd"] == iscrowd)
        ]

    def getCatIds(
        self, catNms: str | Sequence[str] = (), supNms: str | Sequence[str] = (), catIds: Ids = ()
    ) -> list[int]:
        """Ids of the categories of these names, supercategories and ids; () is any."""
        wanted = {"name": _listed(catNms), "supercategory": _listed(supNms), "id": _listed(catIds)}
        return [
            number
            for number, cat in self.cats.items()
            if all(cat.get(key) in values for key, values in wanted.items() if values)
        ]

    def getVidIds(self, vidIds: Ids = (), catIds: Ids = ()) -> list[int]:
        """Ids of those of these videos that have all of these categories; () is any, or none."""
        videos, categories = _listed(vidIds), _listed(catIds)
        there = [set(self.catToVids.get(cat, ())) for cat in categories]
        return [vid for vid in videos or self.vids if all(vid in having for having in there)]

    def loadAnns(self, ids: Ids = ()) -> list[Any]:
        """The annotations of these ids."""
        return [self.anns[number] for number in _listed(ids)]

    def loadCats(self, ids: Ids = ()) -> list[Any]:
        """The categories of these ids."""
        return [self.cats[number] for number in _listed(ids)]

    def loadVids(self, ids: Ids = ()) -> list[Any]:
        """The videos of these ids."""
        return [self.vids[number] for number in _listed(ids)]

    def loadRes(self, resFile: str | Path | Sequence[Any]) -> "YTVOS":
        """Results of these videos; their ids count from 1.

        Args:
            resFile: parsed entries, or the path of their JSON file; there may be none.

        Raises:
            DataError: if they cannot be read, or are of other videos.
        """
        entries: Any = _read(resFile, list) if isinstance(resFile, str | Path) else resFile
        strange = {entry["video_id"] for entry in entries} - self.vids.keys()
        if strange:
            raise DataError(f"results: videos {sorted(strange)} are not among the annotations'")
        results = YTVOS()
        results.dataset = {
            "videos": list(self.vids.values()),
            "categories": copy.deepcopy(list(self.cats.values())),
            "annotations": [
                {**entry, "id": number, "iscrowd": 0} for number, entry in enumerate(entries, 1)
            ],
        }
        results.createIndex()
        return results

    def annToRLE(self, ann: Any, frameId: int) -> rle.Rle:
        """The mask of an annotation in a frame in which it has one."""
        video = self.vids[ann["video_id"]]
        size = video["height"], video["width"]
        return rle.from_segmentation(ann["segmentations"][frameId], size)

    def annToMask(self, ann: Any, frameId: int) -> NDArray[np.uint8]:
        """The same as (H, W) pixels, 0 or 1."""
        mask = self.annToRLE(ann, frameId)
        height, width = mask["size"]
        pixels: NDArray[np.uint8] = rle.decode([mask], (height, width))[0].byte().numpy()
        return pixels


class Params:
    """The settings of an evaluation. `vidIds`, `catIds` and `maxDets` may be changed.

    vidIds, catIds: what is looked at. maxDets: three limits per video and category.
    """

    def __init__(self, iouType: str = "segm") -> None:
        self.vidIds: Iterable[int] = []
        self.catIds: Iterable[int] = []
        self.iouThrs = IOU_THRESHOLDS.copy()
        self.recThrs = RECALLS.copy()
        self.maxDets: Sequence[int] = list(MAX_DETECTIONS)
        self.areaRng = AREA_RANGES.tolist()
        self.areaRngLbl = ["all", "small", "medium", "large"]
        self.useCats = 1
        self.iouType = iouType


class YTVOSeval:
    """`evaluate`, `accumulate` and `summarize`, in this order.

    params: the settings; those that count are those at the time of `evaluate`.
    eval: `precision` (T thresholds, R recalls, K categories, 4 areas, 3 limits), `recall`
        (T, K, 4, 3), both -1 where there is no object, `counts` and `params`; from `accumulate`.
    stats: the 12 figures, from `summarize`.
    """

    def __init__(self, cocoGt: YTVOS, cocoDt: YTVOS, iouType: str = "segm") -> None:
        self.cocoGt, self.cocoDt = cocoGt, cocoDt
        self.params = Params(iouType)
        self.params.vidIds = sorted(cocoGt.getVidIds())
        self.params.catIds = sorted(cocoGt.getCatIds())
        self.eval: dict[str, Any] = {}
        self.stats: NDArray[np.float64] = np.zeros(0)
        self._evaluated: tuple[Params, Matchings] | None = None

    def evaluate(self) -> None:
        """Match tracks and objects.

        Raises:
            DataError: if a setting is not supported, or annotations or results cannot be used.
        """
        _check(self.params)
        self.params.vidIds = sorted(set(self.params.vidIds))
        self.params.catIds = sorted(set(self.params.catIds))
        self.params.maxDets = sorted(self.params.maxDets)
        truth = {
            "videos": self.cocoGt.dataset.get("videos", []),
            "categories": [{"id": number} for number in self.params.catIds],
            "annotations": self._chosen(self.cocoGt),
        }
        matchings = match_tracks(truth, self._chosen(self.cocoDt), self.params.maxDets[-1])
        self._evaluated = copy.copy(self.params), matchings
        self.eval = {}

    def accumulate(self) -> None:
        """Pool what was matched.

        Raises:
            DataError: if nothing was evaluated.
        """
        if self._evaluated is None:
            raise DataError("accumulate: call evaluate() first")
        params, matchings = self._evaluated
        pooled = accumulate(matchings, params.maxDets)
        self.eval = {
            "params": params,
            "counts": list(pooled.precision.shape),
            "precision": pooled.precision,
            "recall": pooled.recall,
        }

    def summarize(self) -> None:
        """Print the 12 figures as the official code does, and keep them in `stats`.

        As there, the first is for 100 tracks, and -1 if `maxDets` has no 100.

        Raises:
            DataError: if nothing was accumulated.
        """
        if not self.eval:
            raise DataError("summarize: call accumulate() first")
        few, more, most = self.eval["params"].maxDets
        areas = ("small", "medium", "large")
        self.stats = np.array(
            [
                self._summarize("precision", None, "all", 100),
                self._summarize("precision", 0.5, "all", most),
                self._summarize("precision", 0.75, "all", most),
                *(self._summarize("precision", None, area, most) for area in areas),
                *(self._summarize("recall", None, "all", limit) for limit in (few, more, most)),
                *(self._summarize("recall", None, area, most) for area in areas),
            ]
        )

    def _summarize(self, kind: str, threshold: float | None, area: str, limit: int) -> float:
        params, values = self.eval["params"], self.eval[kind]
        if threshold is not None:
            values = values[params.iouThrs == threshold]
        limits = [place for place, number in enumerate(params.maxDets) if number == limit]
        values = values[..., params.areaRngLbl.index(area), limits]
        known = values[values > -1]
        mean = float(known.mean()) if known.size else -1.0
        title = "Average Precision  (AP)" if kind == "precision" else "Average Recall     (AR)"
        iou = "0.50:0.95" if threshold is None else f"{threshold:.2f}"
        print(f" {title} @[ IoU={iou:<9} | area={area:>6} | maxDets={limit:>3} ] = {mean:.3f}")
        return mean

    def _chosen(self, entries: YTVOS) -> list[Any]:
        """The entries of the chosen videos; no choice is none here."""
        videos = set(self.params.vidIds)
        return [ann for ann in entries.dataset.get("annotations", []) if ann["video_id"] in videos]


def _check(params: Params) -> None:
    """Refuse what would be ignored."""
    official = Params()
    for name in ("iouThrs", "recThrs", "areaRng", "areaRngLbl", "useCats", "iouType"):
        value, expected = getattr(params, name), getattr(official, name)
        if not np.array_equal(value, expected):
            raise DataError(f"params.{name}: only {expected}, as officially, is supported")
    if len(params.maxDets) != 3:
        raise DataError(f"params.maxDets: expected three limits, got {params.maxDets}")


def _listed(values: Any) -> list[Any]:
    """One id or name, or several."""
    is_one = isinstance(values, str) or not hasattr(values, "__len__")
    return [values] if is_one else list(values)


def _read(path: str | Path, kind: type) -> Any:
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, kind):
        raise DataError(f"{path}: expected a JSON {kind.__name__}")
    return content
