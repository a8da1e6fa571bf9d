"""The command line of `qivis-infer`: only the standard library, so that `--help` is quick."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from qivis.command_line import duration, share, whole_number
from qivis.inference.names import LONGEST_NAME
from qivis.shards import shard_argument

DESCRIPTION = """\
Find the objects of video clips and follow them. Each clip gets a folder with overlay.mp4 (to look
at), tracks.json (exact masks in the YouTube-VIS results format) and summary.json (what was run,
and how). The path of the folder is the last line that is printed.
"""
EXAMPLES = """\
examples:
  qivis-infer clip.mp4                                    runs/clip/overlay.mp4, tracks.json
  qivis-infer clips/*.mp4 --out results --resume          many clips; goes on where it was stopped
  qivis-infer clip.mp4 --classes person --score 0.5       only persons that are seen clearly
  qivis-infer clip.mp4 --export mot png --save review     more files, and no overlay
  qivis-infer clips/*.mp4 --shard 3/16                    the fourth of 16 processes that share them
  qivis-infer rtsp://camera/stream --seconds 60           a minute of a live stream
  ffmpeg -i in.mov -f mpegts - | qivis-infer - --name in  from a pipe

exit codes: 0 done, 2 some input was bad (the other clips are done), 130 interrupted, 1 a bug.
"""
MOST = 2**31 - 1  # frames, or pixels
SAVED = ("overlay", "review")
FORMATS = ("ytvis", "coco-video", "mots", "mot", "png", "cutouts", "csv", "cityscapes")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of the command; exits with 2 where they make no sense."""
    parser = command_parser("qivis-infer")
    _add_shard(parser)
    return parse_with(parser, argv)


def parse_with(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments that a parser of `command_parser` reads; exits where they make no sense."""
    args = parser.parse_args(argv)
    if args.resume and args.overwrite:
        parser.error("--resume goes on with what --overwrite would throw away; give one of them")
    return args


def command_parser(name: str) -> argparse.ArgumentParser:
    """What is asked of clips, whoever does them; a command adds how they are shared out."""
    parser = argparse.ArgumentParser(
        prog=name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=DESCRIPTION,
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="video file, folder of pictures, or glob; webcam number, rtsp:// or http:// address, "
        "or - for a stream from a pipe",
    )
    _add_model(parser)
    _add_objects(parser)
    _add_frames(parser)
    _add_results(parser)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the network").add_argument
    add(
        "--weights",
        default="default",
        metavar="NAME|PATH",
        help="`default` for the model that comes with the package, the name of published weights "
        "(downloaded on first use), or a weights file",
    )
    add(
        "--runtime",
        choices=("torch", "onnx"),
        help="what runs the network: torch, or onnx for ONNX Runtime on the CPU, which turns the "
        "weights into an ONNX graph on first use (default: onnx where --weights is a file of "
        "tools/export_onnx.py, which ends in .onnx; else torch)",
    )
    add("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    add(
        "--precision",
        default="auto",
        choices=("auto", "float32", "bfloat16"),
        help="of the network's features: bfloat16 takes half the time on CPUs with instructions "
        "for it, where auto chooses it; masks differ by a few pixels at their rims",
    )
    add(
        "--imgsz",
        type=whole_number(32, 8192),
        metavar="PIXELS",
        help="shorter side of the pictures that the network sees (default: what the weights were "
        "trained for); more finds smaller objects and takes longer",
    )
    add(
        "--batch",
        type=whole_number(1, 1024),
        default=4,
        metavar="N",
        help="frames that a GPU sees at once; halved when its memory does not suffice "
        "(default: %(default)s)",
    )


def _add_objects(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("which objects").add_argument
    add(
        "--score",
        type=share,
        metavar="0..1",
        help="a track starts at a detection with at least this score; once started, it is followed "
        "and drawn through lower scores (default: what the weights recommend, 0.3 if nothing else)",
    )
    add("--classes", nargs="+", metavar="NAME", help="keep only these, for instance person dog")
    add(
        "--association",
        choices=("embedding", "query", "overlap"),
        help="what objects are recognised by from frame to frame: looks learned from videos, the "
        "network's queries, or nothing but the overlap of masks (default: what the weights "
        "recommend)",
    )


def _add_frames(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("which frames").add_argument
    add(
        "--stride",
        type=whole_number(1, 100_000),
        default=1,
        metavar="N",
        help="look at every Nth frame; the results have only these",
    )
    add("--seconds", type=duration, metavar="S", help="stop after so much of the clip")
    add("--max-frames", type=whole_number(1, MOST), metavar="N", help="stop after so many frames")
    add(
        "--decoder",
        default="auto",
        choices=("auto", "decord", "pyav", "torchcodec"),
        help="what reads video files (default: %(default)s)",
    )
    add(
        "--max-pixels",
        type=whole_number(1, MOST),
        default=8192 * 8192,
        metavar="N",
        help="clips with larger frames are refused (default: %(default)s, 8192 x 8192)",
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("results").add_argument
    add(
        "--out",
        type=_folder,
        default=Path("runs"),
        metavar="DIR",
        help="where run folders go; runs",
    )
    add(
        "--name",
        type=_folder_name,
        metavar="NAME",
        help="of the run folder (default: that of the clip)",
    )
    add(
        "--save",
        nargs="*",
        choices=SAVED,
        default=["overlay"],
        metavar="WHAT",
        help="overlay (the default), review (a page to look through the tracks), or both; neither "
        "if nothing is named; tracks.json and summary.json are always written",
    )
    add(
        "--export",
        nargs="+",
        choices=FORMATS,
        default=[],
        metavar="FORMAT",
        help=f"further files: {', '.join(FORMATS)}",
    )
    add("--profile", action="store_true", help="say where the time went, stage by stage")
    add(
        "--resume",
        action="store_true",
        help="go on with runs that were cut short, and leave those alone that are finished",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace the run of the same name once the new one is done (default: a new folder, "
        "with -2, -3 ...)",
    )


def _add_shard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument_group("many processes").add_argument(
        "--shard",
        type=shard_argument,
        metavar="I/N",
        help="of the clips, do those at positions I, I + N, I + 2N ..., counted from 0 (0 <= I < "
        "N), as if with --resume; run folders are named by the list of all clips, which must be "
        "the same for each shard. By default what torchrun says (RANK, WORLD_SIZE), else all",
    )


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got ''")
    return Path(text)


def _folder_name(text: str) -> str:
    if not text or Path(text).name != text or text == ".." or len(os.fsencode(text)) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(
            f"expected the name of a folder, without slashes and of at most {LONGEST_NAME} bytes, "
            f"got {text!r}"
        )
    return text
