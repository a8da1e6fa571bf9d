"use strict";

/**
 * A lane per track with bars where it is seen, under a ruler of frames.
 *
 * `actions`: seek(frame), isolate(track), select(track, isSelected).
 */
class Timeline {
  static CLICK = 4; // pixels that a pointer may move between down and up
  static PORTRAIT = 28; // pixels

  constructor(clip, actions) {
    this.clip = clip;
    this.actions = actions;
    this.root = byId("timeline");
    this.ruler = byId("ruler");
    this.lanes = clip.tracks.map((track) => this.lane(track));
    byId("lanes").append(...this.lanes.map(({ row }) => row));
    this.ruler.setAttribute("aria-valuemax", clip.length - 1);
    this.ruler.append(...this.labels());
    const marks = clip.moments.map((moment) => this.mark(moment));
    this.ruler.append(...marks.reverse()); // the most suspicious lie on top
    this.followPointer();
  }

  lane(track) {
    const select = element("input", {
      type: "checkbox",
      "aria-label": `Select ${track.title}`,
      title: "Select for an edit",
    });
    select.addEventListener("change", () => this.actions.select(track, select.checked));
    const score = element("span", {
      className: "score",
      textContent: track.score.toFixed(2),
      title: "Mean score",
    });
    const name = keepFocus(
      element(
        "button",
        { type: "button", title: `Seen in ${counted(track.seen, "frame")}; click to see it alone` },
        portrait(this.clip, track.portrait, Timeline.PORTRAIT),
        trackName(track),
        score,
      ),
    );
    name.addEventListener("click", () => this.actions.isolate(track));
    const bar = element("div", { className: "bar" }, bars(track, this.clip.length));
    const who = element("div", { className: "who" }, select, name);
    const row = element("li", { className: "lane" }, who, bar);
    row.style.setProperty("--color", track.color);
    return { track, row, select, name, bar };
  }

  labels() {
    const step = roundStep(this.clip.length / 8);
    const labels = [];
    for (let frame = 0; frame < this.clip.length; frame += step) {
      const label = element("span", { className: "label", textContent: `${frame}` });
      label.style.setProperty("--at", (frame + 0.5) / this.clip.length);
      labels.push(label);
    }
    return labels;
  }

  mark(moment) {
    const mark = element("span", { className: "mark", title: moment.reason });
    mark.style.setProperty("--at", (moment.frame + 0.5) / this.clip.length);
    mark.style.setProperty("--strength", moment.score);
    return mark;
  }

  /** `focus` and `selected`: sets of tracks; an empty focus is on all. */
  update(frame, focus, selected) {
    this.frame = frame;
    this.focus = focus;
    this.root.style.setProperty("--at", (frame + 0.5) / this.clip.length);
    this.ruler.setAttribute("aria-valuenow", frame);
    this.ruler.setAttribute("aria-valuetext", `frame ${frame} of ${this.clip.length - 1}`);
    for (const { track, row, select, name } of this.lanes) {
      row.classList.toggle("is-dimmed", focus.size > 0 && !focus.has(track));
      row.classList.toggle("is-present", this.clip.maskOf(track, frame) !== null);
      row.classList.toggle("is-selected", selected.has(track));
      name.setAttribute("aria-pressed", focus.has(track));
      select.checked = selected.has(track);
    }
  }

  reveal(tracks) {
    const rows = this.lanes.filter(({ track }) => tracks.includes(track)).map(({ row }) => row);
    rows.at(-1)?.scrollIntoView({ block: "nearest" });
    rows[0]?.scrollIntoView({ block: "nearest" });
  }

  /** Drags and clicks move through the clip; a click on a bar also isolates its track. */
  followPointer() {
    let start = null; // of the gesture: {x, lane, frame before}
    this.root.addEventListener("pointerdown", (event) => {
      const lane = this.lanes.find(({ bar }) => bar.contains(event.target));
      if (event.button !== 0 || !(lane || this.ruler.contains(event.target))) return;
      this.root.setPointerCapture(event.pointerId);
      start = { x: event.clientX, lane, isDrag: false };
    });
    this.root.addEventListener("pointermove", (event) => {
      if (!start) return;
      start.isDrag ||= Math.abs(event.clientX - start.x) > Timeline.CLICK;
      if (start.isDrag) this.actions.seek(this.frameAt(event));
    });
    this.root.addEventListener("pointerup", (event) => {
      if (start && !start.isDrag) this.click(this.frameAt(event), start.lane);
      start = null;
    });
    this.root.addEventListener("pointercancel", () => {
      start = null;
    });
  }

  /** On the bar of a track that is isolated already, only a click on the playhead releases it. */
  click(frame, lane) {
    const reach = Math.ceil((Timeline.CLICK / this.ruler.clientWidth) * this.clip.length);
    const isElsewhere = Math.abs(frame - this.frame) > reach;
    this.actions.seek(frame);
    if (!lane || !this.isSeenNear(lane.track, frame, reach)) return;
    if (!(this.focus.has(lane.track) && isElsewhere)) this.actions.isolate(lane.track);
  }

  isSeenNear(track, frame, reach) {
    for (let near = frame - reach; near <= frame + reach; near++) {
      if (this.clip.maskOf(track, near)) return true;
    }
    return false;
  }

  frameAt(event) {
    const area = this.ruler.getBoundingClientRect();
    const frame = Math.floor(((event.clientX - area.left) / area.width) * this.clip.length);
    return this.clip.nearest(Math.max(0, Math.min(this.clip.length - 1, frame)));
  }
}

/** A drawing as wide as the clip has frames, with a bar where the track is seen. */
function bars(track, length) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", `0 0 ${length} 1`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  const outlines = seenSpans(track).map(([from, to]) => `M${from} 0H${to}V1H${from}z`);
  path.setAttribute("d", outlines.join(""));
  drawing.append(path);
  return drawing;
}

/** [first, one after the last] frame of each stretch without a gap. */
function seenSpans(track) {
  const spans = [];
  track.masks.forEach((mask, index) => {
    const frame = track.first + index;
    if (mask === null) return;
    if (spans.at(-1)?.[1] === frame) spans.at(-1)[1] = frame + 1;
    else spans.push([frame, frame + 1]);
  });
  return spans;
}

/** The least of 1, 2, 5, 10, 20 ... that is not below `step`. */
function roundStep(step) {
  let power = 1;
  while (power * 10 < step) power *= 10;
  return [1, 2, 5, 10].map((digit) => digit * power).find((round) => round >= step);
}
