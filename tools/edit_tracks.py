"""Correct the tracks of a finished run by hand: its files are made anew without the network.

Edits are made in the order in which they are given, and each sees what those before it have done.
The review page of a run (qivis-infer --save review) composes such commands.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from qivis.command_line import INTERRUPTED, bear_any_name, say
from qivis.errors import QivisError
from qivis.inference.edits import Edit, Edited, drop, drop_short, merge, rename, split, swap

if TYPE_CHECKING:
    from qivis.structures import TrackedClip

DONE, BAD_INPUT = 0, 2
EXAMPLES = """\
examples:
  edit_tracks.py runs/clip --merge 3,7                    3 and 7 are one object, which is 3
  edit_tracks.py runs/clip --split 4@120 --rename 10=dog  from frame 120 on 4 is 10, a dog
  edit_tracks.py runs/clip --swap 3,7@120                 3 and 7 were mixed up in frame 120
  edit_tracks.py runs/clip --drop 9 --min-length 5        without 9, and what is hardly seen
  edit_tracks.py runs/clip                                as it is, if the clip was away before
  edit_tracks.py runs/clip --undo                         as the run has left it

tracks.json, overlay.mp4, review.html and the exports that are there are made anew. Where the clip
is not there any more, what needs its pictures is removed until an edit finds it again, and a line
says so. What the run itself has found stays in tracks.original.json and overlay.original.mp4. Ids
and frames are those of tracks.json.

exit codes: 0 done, 2 an edit makes no sense (nothing has changed then), 130 interrupted, 1 a bug.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Edit a run as the command line says; returns the exit code."""
    args = parse_args(argv)
    bear_any_name()
    done: list[str] = []
    try:
        from tqdm import tqdm

        from qivis.inference.edit_run import edit_run, undo_edits

        progress = partial(tqdm, desc="overlay", leave=False, unit="frame")
        if args.undo:
            undo_edits(args.run, progress)
        else:
            done = edit_run(args.run, args.edits, progress)
    except QivisError as error:
        print(f"edit_tracks: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        reason = f"cannot be written to ({error.strerror or error}); nothing of it is lost"
        print(
            f"edit_tracks: {args.run}: {reason}: make room, and run the command again",
            file=sys.stderr,
        )
        return BAD_INPUT
    except KeyboardInterrupt:
        print(
            "edit_tracks: interrupted; run the command again to have it done as a whole",
            file=sys.stderr,
        )
        return INTERRUPTED
    for line in (*done, args.run):
        say(line)
    return DONE


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; exits with 2 where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="edit_tracks",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog=EXAMPLES,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--undo", action="store_true", help="take all edits back")
    add = partial(parser.add_argument, dest="edits", action="append", default=[])
    add("--merge", type=_merge, metavar="ID,ID", help="one object, with the first id and its class")
    add("--split", type=_split, metavar="ID@FRAME", help="another object from this frame on")
    add("--swap", type=_swap, metavar="ID,ID@FRAME", help="two objects mixed up from this frame on")
    add("--drop", type=_drop, metavar="ID", help="no object")
    add("--rename", type=_rename, metavar="ID=CLASS", help="of another class")
    add("--min-length", type=_min_length, metavar="N", help="drop what fewer frames show")
    args = parser.parse_args(argv)
    if args.undo and args.edits:
        parser.error("--undo takes all edits back; give it alone")
    return args


def _merge(text: str) -> Edit:
    _check(text, r"\d+(,\d+)+", "at least two ids, such as 3,7")
    ids = [int(part) for part in text.split(",")]
    return _edit("--merge", text, partial(merge, track_ids=ids))


def _split(text: str) -> Edit:
    _check(text, r"\d+@\d+", "an id and a frame, such as 4@120")
    track_id, frame = map(int, text.split("@"))
    return _edit("--split", text, partial(split, track_id=track_id, frame=frame))


def _swap(text: str) -> Edit:
    _check(text, r"\d+,\d+@\d+", "two ids and a frame, such as 3,7@120")
    one, other, frame = map(int, re.split("[,@]", text))
    return _edit("--swap", text, partial(swap, track_ids=(one, other), frame=frame))


def _drop(text: str) -> Edit:
    _check(text, r"\d+", "an id, such as 9")
    return _edit("--drop", text, partial(drop, track_id=int(text)))


def _rename(text: str) -> Edit:
    _check(text, r"\d+=.+", "an id and a class, such as 2=person")
    track_id, name = text.split("=", maxsplit=1)
    return _edit("--rename", text, partial(rename, track_id=int(track_id), name=name))


def _min_length(text: str) -> Edit:
    _check(text, r"\d+", "a number of frames, such as 5")
    return _edit("--min-length", text, partial(drop_short, min_frames=int(text)))


def _check(text: str, pattern: str, expected: str) -> None:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected {expected}; got {text!r}")


def _edit(option: str, text: str, function: Callable[[TrackedClip], Edited]) -> Edit:
    return Edit(shlex.join((option, text)), function)


if __name__ == "__main__":
    sys.exit(main())
