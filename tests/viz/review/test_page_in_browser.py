"""The page as a person meets it: opened from disk in Chromium, with real keys and clicks."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import edit_tracks
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qivis.ops import rle
from qivis.structures import Categories, Category, Track, TrackedClip, View
from qivis.viz.palette import color
from qivis.viz.review import write_review
from tests.browser import NAMES, Page, browser, find_chromium
from tests.review_clips import BITS, SIZE, clip, seen, track, write_video

LENGTH = 60
LOST = (20, 21)
LEFT, RIGHT, MIDDLE = (10, 20, 60, 90), (120, 20, 180, 90), (50, 40, 130, 70)

AT_REST = "review.player.wanted === null"
SHOWN = "review.shown"
FOCUS = "[...review.focus].map((track) => track.id).sort()"
# The index that the stripes of the picture say.
STRIPES = f"""(() => {{
    const canvas = document.getElementById("still");
    const copy = new OffscreenCanvas(canvas.width, 1)
        .getContext("2d", {{ willReadFrequently: true }});
    copy.drawImage(canvas, 0, -60);
    const row = copy.getImageData(0, 0, canvas.width, 1).data;
    let index = 0;
    for (let bit = 0; bit < {BITS}; bit++) {{
        const column = Math.floor((bit + 0.5) * {-(-SIZE[1] // BITS)});
        if (row[4 * column] > 127) index += 1 << bit;
    }}
    return index;
}})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip(f"needs Chromium: none of {', '.join(NAMES)} is installed")
    with browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def blobs(seed: int) -> View:
    """A mask with holes, islands and every kind of run."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 1, 12, 20))).float()
    fine = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")[0]
    return View(rle.encode(fine > 0.5)[0], 0.8, 1.0)


def people() -> TrackedClip:
    """Person 0 leaves at 30, and 3 begins there; animal 7 is everywhere, and a blob."""
    frames = [frame for frame in range(LENGTH) if frame not in LOST]
    views: list[tuple[int, int, dict[int, View]]] = [
        (0, 0, {frame: seen(LEFT) for frame in frames if frame < 30}),
        (3, 0, {frame: seen(LEFT) for frame in frames if frame >= 30}),
        (5, 0, {frame: seen(RIGHT, likeness=0.4 if frame == 44 else 0.9) for frame in frames}),
        (7, 1, {frame: blobs(frame) for frame in frames[::2]}),
    ]
    tracks = [track(number, seen_in, LENGTH, label) for number, label, seen_in in views]
    found = clip(*tracks, length=LENGTH, lost=LOST)
    known = (*found.categories.entries, Category(3, "it's a $dog n"))
    return replace(found, categories=Categories(known))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the page of `people`, whose pictures are shown for times of all kinds."""
    run = tmp_path_factory.mktemp("runs") / "a run"
    frames = [frame for frame in range(LENGTH) if frame not in LOST]
    times = [0.02 * frame + 0.003 * (frame % 5) + 0.3 * (frame > 40) for frame in frames]
    video = write_video(run / "proxy.mp4", frames, times)
    write_review(people(), "people.mp4", video, run / "review.html")
    return run


@pytest.fixture
def review(page: Page, folder: Path) -> Iterator[Page]:
    """The page, at its first frame; whatever a test does, nothing is fetched or complained of."""
    page.open(folder / "review.html")
    page.wait_until(AT_REST)
    yield page
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def seek(page: Page, frame: int) -> None:
    page.run(f"review.seek({frame})")
    page.wait_until(AT_REST)


def button(text: str, place: str = "document") -> str:
    return f"""[...{place}.querySelectorAll("button")].find((it) => it.textContent === "{text}")"""


def canvas_pixels(page: Page) -> NDArray[np.int64]:
    """(H, W, 4) RGBA of the masks."""
    values = page.run("""[...document.getElementById("masks").getContext("2d")
        .getImageData(0, 0, review.picture.masks.width, review.picture.masks.height).data]""")
    return np.array(values).reshape(*SIZE, 4)


def test_masks_are_drawn_to_the_pixel(review: Page) -> None:
    review.run("review.isolate(review.clip.trackOf.get(7))")
    for frame in (0, 28, 58):
        seek(review, frame)
        (expected,) = rle.decode([blobs(frame).mask], SIZE).numpy()
        pixels = canvas_pixels(review)
        assert np.array_equal(pixels[..., 3] > 0, expected)
        # Canvases keep colours multiplied with their opacity, which rounds them.
        assert np.abs(pixels[expected][:, :3] - color(7)).max() <= 2


def test_small_objects_lie_over_large_ones(review: Page) -> None:
    small, large = seen(MIDDLE).mask["counts"], seen(LEFT).mask["counts"]
    owners = review.run(
        f"""(() => {{
            const masks = new MaskCanvas(document.createElement("canvas"), {list(SIZE)});
            masks.paint([
                {{runs: runLengths({small!r}), color: "#ff0000", item: "small"}},
                {{runs: runLengths({large!r}), color: "#00ff00", item: "large"}},
            ]);
            return [[30, 30], [55, 50], [100, 50], [100, 100]]
                .map(([x, y]) => masks.itemAt(x / {SIZE[1]}, y / {SIZE[0]}));
        }})()"""
    )
    assert owners == ["large", "small", "small", None]


def test_large_masks_are_sampled_at_the_centres_of_pixels(review: Page) -> None:
    size = (900, 2000)
    rng = np.random.default_rng(0)
    mask = torch.from_numpy(np.kron(rng.random((45, 100)) > 0.5, np.ones((20, 20), bool)))
    (encoded,) = rle.encode(mask[None])
    width, height, owners = review.run(
        f"""(() => {{
            const masks = new MaskCanvas(document.createElement("canvas"), {list(size)});
            const runs = runLengths({encoded["counts"]!r});
            masks.paint([{{runs, color: "#ff0000", item: 1}}]);
            return [masks.width, masks.height, masks.owners.join("")];
        }})()"""
    )
    assert (width, height) == (1280, 576)
    rows = np.floor((np.arange(height) + 0.5) * size[0] / height).astype(int)
    columns = np.floor((np.arange(width) + 0.5) * size[1] / width).astype(int)
    expected = mask.numpy()[np.ix_(rows, columns)]
    assert np.array_equal(np.array(list(owners)).reshape(height, width) == "1", expected)


def test_the_picture_is_that_of_the_frame(review: Page) -> None:
    for frame in (1, 17, 0, 19, 22, 59, 40, 41):
        seek(review, frame)
        assert review.run(f"[{SHOWN}, {STRIPES}]") == [frame, frame]


def test_keys_go_from_frame_to_frame_and_never_to_a_lost_one(review: Page) -> None:
    visited = []
    seek(review, 17)
    for key in ["ArrowRight"] * 4 + ["ArrowLeft"] * 2:
        review.press(key)
        review.wait_until(AT_REST)
        visited.append(review.run(f"[{SHOWN}, {STRIPES}]"))
    assert visited == [[frame, frame] for frame in (18, 19, 22, 23, 22, 19)]


def test_keys_leap_and_go_to_both_ends(review: Page) -> None:
    visited = []
    leaps, ends = ["ArrowRight", "ArrowRight", "ArrowLeft"], ["End", "ArrowRight", "Home"]
    for key in [*leaps, *ends, "ArrowLeft"]:
        review.press(key, shift=len(visited) < len(leaps))
        review.wait_until(AT_REST)
        visited.append(review.run(STRIPES))
    assert visited == [10, 22, 10, 59, 59, 0, 0]  # two frames on the way to 22 are lost


def test_keys_held_down_lose_no_step(review: Page) -> None:
    for _ in range(12):
        review.press("ArrowRight")
    review.wait_until(AT_REST)
    assert review.run(f"[{SHOWN}, {STRIPES}]") == [12, 12]


def watch_playing(page: Page, busy_ms: int = 0) -> list[list[int]]:
    """Frames and what the stripes said then, while the clip plays to its end.

    busy_ms: between a frame's arrival and its drawing.
    """
    page.run(f"""
        globalThis.watched = [];
        review.player.arrived = (frame, picture) => {{
            const end = performance.now() + {busy_ms};
            while (performance.now() < end);
            review.arrive(frame, picture);
            watched.push([frame, {STRIPES}]);
        }};
    """)
    page.press(" ")
    page.wait_until("review.player.film.ended")
    watched: list[list[int]] = page.run("watched")
    return watched


def test_masks_and_picture_are_of_one_frame_while_playing(review: Page) -> None:
    watched = watch_playing(review)
    assert len({frame for frame, _ in watched}) > 1  # a busy machine skips most
    assert all(index == frame for frame, index in watched)
    assert watched[-1] == [59, 59]
    review.press(" ")  # once more from the start
    review.wait_until(f"{SHOWN} < 59")
    review.press(" ")
    review.wait_until("review.player.film.paused")
    review.wait_until(AT_REST)
    frame, index = review.run(f"[{SHOWN}, {STRIPES}]")
    assert frame == index


def test_a_busy_browser_draws_masks_and_picture_of_one_frame(review: Page) -> None:
    watched = watch_playing(review, busy_ms=60)  # three frames, in which the video goes on
    assert len({frame for frame, _ in watched}) > 1
    assert all(index == frame for frame, index in watched)


def test_browsers_that_do_not_tell_their_frames_are_asked(page: Page, folder: Path) -> None:
    with page.before_scripts("delete HTMLVideoElement.prototype.requestVideoFrameCallback"):
        page.open(folder / "review.html")
    page.wait_until(AT_REST)
    seek(page, 41)
    page.wait_until(f"{SHOWN} === 41 && {STRIPES} === 41")
    seek(page, 0)
    watched = watch_playing(page)
    assert len({frame for frame, _ in watched}) > 1
    assert page.complaints == []


def test_without_the_codec_masks_are_shown_alone(page: Page, folder: Path, tmp_path: Path) -> None:
    text = (folder / "review.html").read_text(encoding="utf-8")
    start = text.index(">", text.index('id="film-data"')) + 1
    broken = text[:start] + "AAAA" + text[text.index("</script>", start) :]
    (tmp_path / "review.html").write_text(broken, encoding="utf-8")
    page.open(tmp_path / "review.html")
    page.wait_until("review.player.isBlind")
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert page.run(SHOWN) == 2
    assert (canvas_pixels(page)[..., 3] > 0).any()
    assert "cannot play" in page.run("document.getElementById('trouble').innerText")


def lane(number: int) -> str:
    return f"review.timeline.lanes.find(({{ track }}) => track.id === {number})"


def test_a_track_is_isolated_by_its_name_and_released_by_a_second_click(review: Page) -> None:
    review.click_on(f"{lane(5)}.name")
    assert review.run(FOCUS) == [5]
    assert not (canvas_pixels(review)[:, :110, 3] > 0).any()
    review.click_on(f"{lane(5)}.name")
    assert review.run(FOCUS) == []
    assert (canvas_pixels(review)[:, :110, 3] > 0).any()


def test_a_track_is_isolated_by_its_mask(review: Page) -> None:
    seek(review, 1)  # without the animal
    area = review.run("document.getElementById('picture').getBoundingClientRect().toJSON()")
    inside = (area["x"] + 0.75 * area["width"], area["y"] + 0.5 * area["height"])
    review.click(*inside)
    assert review.run(FOCUS) == [5]
    review.click(*inside)
    assert review.run(FOCUS) == []
    review.click(*inside)
    review.press("Escape")
    assert review.run(FOCUS) == []


def test_a_click_on_a_bar_goes_there_and_isolates(review: Page) -> None:
    area = review.run(f"{lane(5)}.bar.getBoundingClientRect().toJSON()")
    spot = (area["x"] + 40.5 / LENGTH * area["width"], area["y"] + area["height"] / 2)
    review.click(*spot)
    review.wait_until(AT_REST)
    assert review.run(f"[{SHOWN}, {FOCUS}]") == [40, [5]]
    review.click(area["x"] + 10.5 / LENGTH * area["width"], spot[1])
    review.wait_until(AT_REST)
    assert review.run(f"[{SHOWN}, {FOCUS}]") == [10, [5]]  # still alone
    review.click(*spot)
    review.wait_until(AT_REST)
    review.click(*spot)
    assert review.run(FOCUS) == []


def test_a_drag_over_the_timeline_goes_through_the_clip(review: Page) -> None:
    area = review.run("review.timeline.ruler.getBoundingClientRect().toJSON()")
    y = area["y"] + area["height"] / 2
    review.drag([(area["x"] + part * area["width"], y) for part in (0.1, 0.3, 0.5, 50.5 / LENGTH)])
    review.wait_until(AT_REST)
    assert review.run(f"[{SHOWN}, {STRIPES}, {FOCUS}]") == [50, 50, []]
    review.drag([(area["x"] + part * area["width"], y) for part in (0.1, 20.4 / LENGTH)])
    review.wait_until(AT_REST)
    assert review.run(SHOWN) == 19  # the nearest to a lost one


def test_moments_are_visited_best_first(review: Page) -> None:
    handover, look = review.run("review.clip.moments.map(({tracks, frame}) => [tracks, frame])")
    assert (handover, look) == ([[0, 3], 30], [[5], 44])
    visited = []
    for key in "nnnpp":
        review.press(key)
        review.wait_until(AT_REST)
        visited.append(review.run(f"[{SHOWN}, {FOCUS}]"))
    first, second = [24, [0, 3]], [38, [5]]  # five frames before 29 and 43
    assert visited == [first, second, second, first, first]


def test_a_moment_is_visited_by_a_click(review: Page) -> None:
    review.click_on("review.moments.items[1].visit")
    review.wait_until(AT_REST)
    assert review.run(f"[{SHOWN}, {FOCUS}]") == [38, [5]]
    assert review.run("review.moments.items[1].visit.getAttribute('aria-current')") == "true"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00.00"), (59.994, "0:59.99"), (59.9997, "1:00.00"), (299.9997, "5:00.00")],
)
def test_times_are_rounded_to_hundredths_before_minutes_are_counted(
    review: Page, seconds: float, shown: str
) -> None:
    told = f"review.clip.clock.call({{ seconds: [{seconds}] }}, 0)"
    assert review.run(told) == shown


def command(page: Page) -> list[str]:
    return shlex.split(page.run("document.getElementById('command').textContent"))


def test_edits_become_one_command_that_shells_take(review: Page, folder: Path) -> None:
    def tick(*numbers: int) -> None:
        for number in numbers:
            review.click_on(f"{lane(number)}.select")

    tick(7, 0)
    review.click_on(button("Merge 0, 7"))
    tick(3, 7)
    review.click_on(button("Merge 3, 7"))
    seek(review, 40)
    tick(5)
    review.click_on(button("Split 5 at 40"))
    tick(3)
    review.click_on("document.getElementById('new-name')")
    review.write("it's a $dog n")
    review.click_on(button("Rename"))
    program = ["python", "tools/edit_tracks.py", str(folder)]
    rename, split = ["--rename", "0=it's a $dog n"], ["--split", "5@40"]
    assert command(review) == [*program, "--merge", "0,3,7", *rename, *split]
    review.click_on(button("\u00d7", "document.getElementById('edits')"))
    assert command(review) == [*program, "--rename", "3=it's a $dog n", *split]
    review.click_on(button("Copy command"))
    review.wait_until("document.getElementById('copy').textContent === 'Copied'")


def test_a_track_that_is_dropped_is_not_merged_and_the_last_word_counts(
    review: Page, folder: Path
) -> None:
    def tick(*ids: int) -> None:
        for track_id in ids:
            review.click_on(f"{lane(track_id)}.select")

    tick(0, 3, 7)
    review.click_on(button("Merge 0, 3, 7"))
    tick(3)
    review.click_on(button("Drop 3"))
    assert command(review)[3:] == ["--drop", "3", "--merge", "0,7"]
    tick(7)
    review.click_on(button("Drop 7"))
    assert command(review)[3:] == ["--drop", "3", "--drop", "7"]
    tick(3, 0)
    review.click_on(button("Merge 0, 3"))
    assert command(review)[3:] == ["--drop", "7", "--merge", "0,3"]


def edited(clip: TrackedClip, words: Sequence[str]) -> TrackedClip:
    """What the words of a command make of a clip."""
    for edit in edit_tracks.parse_args(["run", *words]).edits:
        clip = edit.apply(clip).clip
    return clip


def test_an_object_of_several_tracks_is_cut_where_it_was_seen_by_any_of_them(
    review: Page, folder: Path
) -> None:
    seek(review, 40)
    review.click_on(f"{lane(3)}.select")
    review.click_on(button("Split 3 at 40"))
    seek(review, 10)
    review.click_on(f"{lane(0)}.select")
    review.click_on(button("Split 0 at 10"))
    for number in (0, 3):
        review.click_on(f"{lane(number)}.select")
    review.click_on(button("Merge 0, 3"))
    words = command(review)[3:]
    assert words == ["--merge", "0,3", "--split", "0@40", "--split", "0@10"]
    spans = {
        track.track_id: [frame for frame, view in enumerate(track.views) if view]
        for track in edited(people(), words).tracks
        if track.track_id not in (5, 7)
    }
    there = [frame for frame in range(LENGTH) if frame not in LOST]
    assert spans == {
        0: [frame for frame in there if frame < 10],
        9: [frame for frame in there if 10 <= frame < 40],
        8: [frame for frame in there if frame >= 40],
    }


def test_a_track_that_is_dropped_has_no_other_edits(review: Page) -> None:
    def act(name: str) -> list[str]:
        review.click_on(f"{lane(5)}.select")
        review.click_on(button(name))
        return command(review)[3:]

    seek(review, 40)
    assert act("Split 5 at 40") == ["--split", "5@40"]
    assert act("Drop 5") == ["--drop", "5"]
    assert act("Split 5 at 40") == ["--split", "5@40"]
    review.run("document.getElementById('new-name').value = 'animal'")
    assert act("Rename") == ["--rename", "5=animal", "--split", "5@40"]
    assert act("Drop 5") == ["--drop", "5"]


BOXES = (0, 20, 40, 60), (160, 20, 200, 60), (80, 20, 120, 60)
STILL = tuple(seen(box) for box in BOXES)


@pytest.fixture
def mixed_up(page: Page, tmp_path: Path) -> TrackedClip:
    """Opens the page of three at rest, of whom two are mixed up in frame 10, and two in 20."""
    left, right, middle = STILL
    found = clip(
        track(1, {frame: left if frame < 10 else right for frame in range(30)}),
        track(
            2,
            {frame: right if frame < 10 else left if frame < 20 else middle for frame in range(30)},
        ),
        track(4, {frame: middle if frame < 20 else left for frame in range(30)}),
    )
    video = write_video(tmp_path / "proxy.mp4", range(30))
    write_review(found, "clip.mp4", video, tmp_path / "review.html")
    page.open(tmp_path / "review.html")
    page.wait_until(AT_REST)
    return found


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_tracks_that_were_mixed_up_are_swapped_as_proposed(
    page: Page, mixed_up: TrackedClip, order: Sequence[int]
) -> None:
    for place in order:
        page.click_on(f"review.moments.items[{place}].remedy")
    words = command(page)[3:]
    assert words == ["--swap", "2,4@20", "--swap", "1,2@10"]  # the ids are those of the page
    tracks = edited(mixed_up, words).tracks
    assert [track.views for track in tracks] == [(view,) * 30 for view in STILL]


def test_tracks_are_swapped_split_and_merged_by_hand(page: Page, mixed_up: TrackedClip) -> None:
    def act(frame: int, name: str, *ids: int) -> None:
        seek(page, frame)
        for track_id in ids:
            page.click_on(f"{lane(track_id)}.select")
        page.click_on(button(name, "document.querySelector('.actions')"))

    act(10, "Swap 1, 2 from 10", 1, 2)
    act(20, "Split 2, 4 at 20", 2, 4)
    assert command(page)[3:] == ["--split", "2@20", "--split", "4@20", "--swap", "1,2@10"]
    act(20, "Merge 1, 2", 1, 2)  # the last word: there is nothing to be swapped
    assert command(page)[3:] == ["--merge", "1,2", "--split", "1@20", "--split", "4@20"]
    act(20, "Swap 2, 4 from 20", 2, 4)  # and so no new objects
    assert command(page)[3:] == ["--merge", "1,2", "--swap", "1,4@20"]
    act(20, "Swap 1, 2 from 20", 1, 2)  # so they are not one
    assert command(page)[3:] == ["--swap", "1,2@20"]
    act(20, "Drop 2", 2)
    assert command(page)[3:] == ["--drop", "2"]


@pytest.mark.parametrize(
    ("entered", "shown", "flags"),
    [
        (
            "[swapOf([3, 7], 50), mergeOf([3, 5]), swapOf([5, 9], 50)]",
            ["Merge 3, 5", "Swap 5, 9 from 50"],
            "--merge 3,5 --swap 3,9@50",
        ),
        (
            "[splitOf(3, 50), swapOf([5, 9], 50), mergeOf([3, 5])]",
            ["Swap 5, 9 from 50", "Merge 3, 5"],
            "--merge 3,5 --swap 3,9@50",
        ),
        (
            "[mergeOf([3, 5, 7]), swapOf([3, 7], 50)]",
            ["Merge 3, 5", "Swap 3, 7 from 50"],
            "--merge 3,5 --swap 3,7@50",
        ),
        (
            "[{ kind: 'rename', id: 3, name: 'a' }, mergeOf([3, 5]),"
            " { kind: 'rename', id: 5, name: 'b' }]",
            ["Merge 3, 5", "Rename 5 to b"],
            "--merge 3,5 --rename 3=b",
        ),
    ],
)
def test_every_edit_that_is_shown_is_in_the_command(
    review: Page, entered: str, shown: list[str], flags: str
) -> None:
    edits = f"{entered}.reduce(withEdit, [])"
    assert review.run(f"{edits}.map(describe)") == shown
    assert review.run(f"composeCommand('run', {edits})").partition(" run ")[2] == flags


def test_ids_stay_legible_behind_long_names_of_classes(review: Page) -> None:
    place_of_id = """(() => {
        const button = review.timeline.lanes[0].name;
        button.querySelector(".category").textContent = "traffic participant ".repeat(9);
        const [id, score] = [".id", ".score"].map((part) =>
            button.querySelector(part).getBoundingClientRect());
        return [id.width, score.left - id.right];
    })()"""
    width, room_beside_it = review.run(place_of_id)
    assert width > 0
    assert room_beside_it >= 0


def test_a_video_that_is_stopped_before_it_begins_is_no_trouble(review: Page) -> None:
    review.run("{ review.seek(58); review.player.toggle(); review.seek(10); }")
    review.wait_until(AT_REST)
    assert review.run(f"[{SHOWN}, review.player.isPlaying]") == [10, False]


def test_only_classes_that_there_are_can_be_names(review: Page) -> None:
    review.click_on(f"{lane(0)}.select")
    review.click_on("document.getElementById('new-name')")
    offered = "!document.querySelector('#rename button').disabled"
    review.write("dog")
    assert not review.run(offered)
    assert review.run("document.getElementById('new-name').title").startswith("One of: person, ")
    review.run("document.getElementById('new-name').value = ''")
    review.write("animal")
    assert review.run(offered)


def test_a_proposal_becomes_an_edit_and_is_taken_back(review: Page, folder: Path) -> None:
    review.click_on("review.moments.items[0].remedy")
    review.click_on("review.moments.items[1].remedy")
    assert command(review)[3:] == ["--merge", "0,3", "--split", "5@44"]
    review.click_on("review.moments.items[0].remedy")
    assert command(review)[3:] == ["--split", "5@44"]


def test_what_cannot_be_done_is_not_offered(review: Page) -> None:
    actions = """["merge", "split", "swap", "drop"]"""
    offered = f"{actions}.filter((id) => !document.getElementById(id).disabled)"
    assert review.run(offered) == []
    review.click_on(f"{lane(0)}.select")
    assert review.run(offered) == ["drop"]  # nothing of it lies before the first frame
    seek(review, 10)
    assert review.run(offered) == ["split", "drop"]
    review.click_on(f"{lane(5)}.select")
    assert review.run(offered) == ["merge", "split", "swap", "drop"]
    assert "seen together in 28 frames" in review.run(
        "document.getElementById('selection').textContent"
    )


def test_keys_that_are_typed_into_a_name_do_nothing_else(review: Page) -> None:
    review.click_on(f"{lane(0)}.select")
    review.click_on("document.getElementById('new-name')")
    for key in ("n", " ", "?"):
        review.press(key)
    assert review.run("document.getElementById('new-name').value") == "n ?"
    assert review.run(f"[{SHOWN}, document.getElementById('help').open]") == [0, False]


def test_help_opens_and_closes(review: Page) -> None:
    review.press("?")
    assert review.run("document.getElementById('help').open")
    review.press("Escape")
    review.wait_until("!document.getElementById('help').open")


def test_everything_has_a_name_for_those_who_do_not_see_it(review: Page) -> None:
    nameless = review.run(
        """[...document.querySelectorAll("button, input, select, img, [role=slider]")]
            .filter((it) => !(it.getAttribute("aria-label") || it.alt || it.textContent.trim()))
            .map((it) => it.outerHTML)"""
    )
    assert nameless == []


def test_the_focus_of_the_keyboard_is_seen(review: Page) -> None:
    review.press("Tab")
    outline = review.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def nasty_clip(names: Sequence[str]) -> tuple[TrackedClip, str]:
    found = clip(track(3, {4: seen(LEFT), 9: seen(LEFT)}), track(4, {10: seen(LEFT)}))
    entries = tuple(
        type(entry)(entry.id, name)
        for entry, name in zip(found.categories.entries, names, strict=True)
    )
    categories = type(found.categories)(entries)
    return TrackedClip(found.size, found.fps, found.times, categories, found.tracks), names[0]


def test_no_name_runs_as_a_script(page: Page, tmp_path: Path) -> None:
    name = "</script><img src=x onerror='document.hacked = 1'>.mp4"
    found, _ = nasty_clip([name, "${document.hacked = 1}"])
    video = write_video(tmp_path / "proxy.mp4", range(30))
    write_review(found, name, video, tmp_path / "review.html")
    page.open(tmp_path / "review.html")
    page.wait_until(AT_REST)
    seek(page, 4)
    assert page.run("document.hacked ?? null") is None
    assert page.run("document.querySelector('h1').textContent") == name
    assert page.run("document.querySelector('#tags span').textContent") == f"{name} 3"
    assert page.complaints == []
    assert page.run("document.querySelectorAll('img:not(.portrait)').length") == 0


def many_tracks() -> TrackedClip:
    def place(number: int) -> dict[int, View]:
        left, top = 3 * number, number
        return {
            frame: seen((left, top, left + 9, top + 20)) for frame in range(0, 30, 1 + number % 3)
        }

    tracks: list[Track] = [track(100 + number, place(number)) for number in range(60)]
    return clip(*tracks)


def test_sixty_tracks_fit_into_every_width(page: Page, tmp_path: Path) -> None:
    video = write_video(tmp_path / "proxy.mp4", range(30))
    write_review(many_tracks(), "a-long-name-" * 12 + ".mp4", video, tmp_path / "review.html")
    page.open(tmp_path / "review.html")
    page.wait_until(AT_REST)
    page.run("review.moments.go(0)")
    page.run("review.clip.moments.length && review.edits.toggle(review.moments.items[0].edit)")
    for size in [(320, 600), (390, 844), (768, 1024), (1440, 900)]:
        page.resize(size)
        within = page.run("""[...document.querySelectorAll("html, .timeline, .moments, .edits")]
            .map((it) => it.scrollWidth <= Math.min(innerWidth, it.offsetWidth))""")
        assert within == [True] * 4, size
    assert page.complaints == []


def test_a_clip_in_which_nothing_was_found_can_be_looked_at(page: Page, tmp_path: Path) -> None:
    video = write_video(tmp_path / "proxy.mp4", range(30))
    write_review(clip(), "empty.mp4", video, tmp_path / "review.html")
    page.open(tmp_path / "review.html")
    page.wait_until(AT_REST)
    page.press("n")
    seek(page, 7)
    assert page.run(STRIPES) == 7
    assert page.complaints == []
