"""AP of instances by the official evaluation of Cityscapes: the door to cityscapesscripts.

Of its parts the command line is left out, which keeps a copy of the annotations in its own folder
and leaves files in the current one.
"""

import contextlib
import copy
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qivis.errors import DataError

ANNOTATION = "_gtFine_instanceIds.png"


@dataclass(frozen=True)
class InstanceAp:
    """Both in [0, 1]; -1 where there is no object.

    ap: mean over the least overlaps 0.5, 0.55 ... 0.95.
    ap50: at 0.5.
    """

    ap: float
    ap50: float


@dataclass(frozen=True)
class CityscapesAp:
    """overall: means over the classes that have an object. per_class: by name."""

    overall: InstanceAp
    per_class: Mapping[str, InstanceAp]


def evaluate_cityscapes(
    annotations: Sequence[Path], results: Path, class_names: Sequence[str]
) -> CityscapesAp:
    """Compare result files with annotations.

    Args:
        annotations: the pictures of instance ids, named as officially.
        results: a folder with NAME.txt for each; see `qivis.export.cityscapes_files`.
        class_names: of those that are evaluated officially.

    Raises:
        DataError: if a file is missing or damaged, or cityscapesscripts is not installed.
    """
    script = require_cityscapesscripts()
    truths = [path.resolve() for path in annotations]
    folder = results.resolve()  # the evaluation refuses masks that lie elsewhere
    found = [folder / f"{path.name.removesuffix(ANNOTATION)}.txt" for path in truths]
    args = copy.copy(script.args)
    args.quiet, args.predictionPath, args.instLabels = True, str(folder), list(class_names)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            for path in found:  # the script opens pictures before it finds fault with a list
                script.readPredInfo(str(path), args)
            instances = script.instances2dict([str(path) for path in truths])
            matches = script.matchGtWithPreds(
                [str(path) for path in found], [str(path) for path in truths], instances, args
            )
    except SystemExit as error:  # it ends the process where something is wrong
        raise DataError(f"{results}: {said.getvalue().strip()}") from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{results}: cannot be evaluated ({type(error).__name__}: {error})"
        ) from error
    return _averages(script, _precisions(script, matches, args), args)


def require_cityscapesscripts() -> Any:
    """The official script.

    Raises:
        DataError: if it is not installed.
    """
    try:
        from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling
    except ImportError as error:
        raise DataError(
            f"Cityscapes is evaluated by its own scripts, which cannot be imported here ({error}); "
            "pip install 'qivis[cityscapes]'"
        ) from error
    evalInstanceLevelSemanticLabeling.np = _NumpyAsBefore("numpy")
    return evalInstanceLevelSemanticLabeling


class _NumpyAsBefore(ModuleType):
    """numpy with a function that cityscapesscripts 2.3 calls and numpy 2.4 has dropped.

    See https://github.com/mcordts/cityscapesScripts/pull/196.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def in1d(values: NDArray[Any], known: Sequence[int]) -> NDArray[np.bool_]:
        return np.isin(values.ravel(), known)


def _precisions(script: Any, matches: Any, args: Any) -> NDArray[np.float64]:
    """(1, K, 10): AP of each class at each least overlap; NaN where there is no object."""
    precisions = np.zeros((1, len(args.instLabels), len(args.overlaps)))
    for label, name in enumerate(args.instLabels):
        for place, overlap in enumerate(args.overlaps):
            one = copy.copy(args)
            one.instLabels, one.overlaps = [name], [overlap]
            try:
                precisions[0, label, place] = script.evaluateMatches(matches, one)[0, 0, 0]
            except IndexError:
                # Objects are missed, and all that was found lies in ignored regions: the script
                # stops there (mcordts/cityscapesScripts#89). What was found counts for nothing.
                precisions[0, label, place] = 0.0
    return precisions


def _averages(script: Any, precisions: NDArray[np.float64], args: Any) -> CityscapesAp:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no class at all
        averages = script.computeAverages(precisions, args)
    per_class = {
        name: InstanceAp(_known(figures["ap"]), _known(figures["ap50%"]))
        for name, figures in averages["classes"].items()
    }
    return CityscapesAp(
        InstanceAp(_known(averages["allAp"]), _known(averages["allAp50%"])), per_class
    )


def _known(value: float) -> float:
    return -1.0 if np.isnan(value) else float(value)
