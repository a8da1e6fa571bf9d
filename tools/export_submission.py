"""The tracks in a config's validation set as the archive that a video segmentation server takes.

With --check, says what is wrong with such an archive instead, before it is uploaded.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qivis.command_line import INTERRUPTED, whole_number
from qivis.config.arguments import add_overrides
from qivis.wording import counted

DONE, BAD_INPUT = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check an archive as the command line says; returns the exit code."""
    args = parse_args(argv)
    from qivis.errors import QivisError

    try:
        return check(args) if args.check else export(args)
    except QivisError as error:
        print(f"export_submission: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("export_submission: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED


def export(args: argparse.Namespace) -> int:
    """Find the tracks of all videos and write the archive; its path is printed last."""
    from qivis.config import load_config
    from qivis.engine.find_tracks import find_submission
    from qivis.export.submission import write_submission

    config = load_config(args.config, args.set)
    root = args.data_root or Path(config.data.root)
    tracks = find_submission(args.weights, config, root, args.device, args.max_tracks)
    number = write_submission(tracks, args.out)
    print(counted(number, "track"))
    print(args.out.resolve())
    return DONE


def check(args: argparse.Namespace) -> int:
    """Print what is wrong with an archive; 0 if it can be uploaded."""
    from qivis.data.video_annotations import read_videos
    from qivis.export.submission_check import check_submission
    from qivis.export.submission_entries import Expected, VideoShape
    from qivis.export.submission_faults import as_text

    known = read_videos(args.annotations, strict=True)
    shapes = {video.id: VideoShape(len(video.file_names), video.size) for video in known.videos}
    expected = Expected(shapes, {category.id for category in known.categories})
    report = check_submission(args.check, expected)
    if report.faults:
        print(as_text(report))
    print(f"{args.check}: {'can' if report.is_uploadable else 'cannot'} be uploaded")
    return DONE if report.is_uploadable else BAD_INPUT


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; exits with 2 where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="export_submission",
        description=__doc__,
        usage="%(prog)s CONFIG --weights NAME|PATH --out results.zip [options]\n"
        "       %(prog)s --check results.zip --annotations valid.json",
        epilog="Exit codes: 0 done, or the archive can be uploaded; 2 the input is wrong, or the "
        "archive has faults, which are listed.",
    )
    parser.add_argument(
        "config",
        nargs="?",
        type=Path,
        help="YAML file, such as configs/vis/queryinst_r50_ytvis19.yaml; data.val is submitted",
    )
    parser.add_argument(
        "--weights",
        default="default",
        metavar="NAME|PATH",
        help="a weights file, the name of published weights (downloaded on first use), or "
        "`default` for the model that comes with the package",
    )
    parser.add_argument("--out", type=_zip, metavar="results.zip", help="the archive to write")
    parser.add_argument("--data-root", type=Path, help="folder of the data set (default: config's)")
    parser.add_argument(
        "--max-tracks",
        type=whole_number(1, 1_000_000),
        default=100,
        metavar="N",
        help="the best so many of each video (default: %(default)s; the metric looks at no more)",
    )
    add_overrides(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    parser.add_argument("--check", type=Path, metavar="results.zip", help="the archive to check")
    parser.add_argument(
        "--annotations", type=Path, metavar="valid.json", help="of the set that --check is about"
    )
    args = parser.parse_args(argv)
    if args.check and not args.annotations:
        parser.error("--check needs --annotations, the JSON file of the set's videos")
    if not args.check and not (args.config and args.out):
        parser.error("a config and --out are needed, or --check with --annotations")
    return args


def _zip(text: str) -> Path:
    if not text.endswith(".zip"):
        raise argparse.ArgumentTypeError(f"expected a name that ends in .zip, got {text}")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
