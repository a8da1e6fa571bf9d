"use strict";

/** The page: what is shown, what is selected, and what keys do. */
class Review {
  static BEFORE = 5; // frames shown before a moment begins
  static LEAP = 10; // frames of an arrow key with shift

  constructor(clip) {
    this.clip = clip;
    this.focus = new Set(); // tracks that are seen alone; empty for all
    this.selected = new Set(); // tracks to be edited
    this.shown = clip.frames[0]; // frame on the picture
    this.writeHead();
    this.timeline = new Timeline(clip, {
      seek: (frame) => this.seek(frame),
      isolate: (track) => this.isolate(track),
      select: (track, isSelected) => this.select(track, isSelected),
    });
    this.moments = new MomentList(clip, {
      visit: (moment) => this.visit(moment),
      edit: (edit) => this.edits.toggle(edit),
    });
    this.edits = new EditBox(clip, {
      currentFrame: () => this.player?.frame ?? this.shown,
      clearSelection: () => this.clearSelection(),
      changed: (edits) => this.moments.update(edits),
    });
    this.picture = new Picture(clip, byId("film"));
    this.player = new Player(clip, byId("film"), (...shown) => this.arrive(...shown));
    this.listen();
    this.update();
  }

  writeHead() {
    const { name, size, length, tracks, frames } = this.clip;
    const lost = length - frames.length;
    byId("name").textContent = name;
    byId("facts").textContent = [
      counted(tracks.length, "track"),
      counted(length, "frame"),
      ...(lost ? [`${counted(lost, "frame")} lost`] : []),
      this.clip.clock(frames.at(-1)),
      `${size[1]} \u00d7 ${size[0]}`,
    ].join(" \u00b7 ");
  }

  /** The video shows another frame. */
  arrive(frame, picture) {
    this.shown = frame;
    this.picture.show(frame, this.visible(), picture);
    this.update();
  }

  visible() {
    return this.clip.tracks.filter((track) => this.focus.size === 0 || this.focus.has(track));
  }

  seek(frame) {
    this.player.seek(frame);
    this.update();
  }

  step(count) {
    this.seek(this.clip.later(this.player.frame, count));
  }

  isolate(track) {
    const isAlone = this.focus.size === 1 && this.focus.has(track);
    this.setFocus(isAlone ? [] : [track]);
  }

  showAll() {
    this.setFocus([]);
  }

  setFocus(tracks) {
    this.focus = new Set(tracks);
    this.moments.leave();
    this.picture.drawTracks(this.shown, this.visible());
    this.update();
  }

  visit(moment) {
    const tracks = moment.tracks.map((id) => this.clip.trackOf.get(id));
    this.focus = new Set(tracks);
    this.picture.drawTracks(this.shown, this.visible());
    this.seek(this.clip.later(moment.start, -Review.BEFORE));
    this.timeline.reveal(tracks);
  }

  select(track, isSelected) {
    if (isSelected) this.selected.add(track);
    else this.selected.delete(track);
    this.update();
  }

  clearSelection() {
    this.selected.clear();
    this.update();
  }

  update() {
    const { frame, isPlaying } = this.player;
    const last = this.clip.length - 1;
    byId("place").textContent = `frame ${frame} / ${last} \u00b7 ${this.clip.clock(frame)}`;
    byId("play").classList.toggle("is-playing", isPlaying);
    byId("play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    byId("show-all").hidden = this.focus.size === 0;
    this.timeline.update(frame, this.focus, this.selected);
    this.edits.update(this.clip.tracks.filter((track) => this.selected.has(track)));
  }

  listen() {
    const film = byId("film");
    for (const event of ["play", "pause", "ended"]) {
      film.addEventListener(event, () => this.update());
    }
    const whenClicked = (id, act) => keepFocus(byId(id)).addEventListener("click", act);
    whenClicked("play", () => this.player.toggle());
    whenClicked("back", () => this.step(-1));
    whenClicked("forth", () => this.step(1));
    whenClicked("show-all", () => this.showAll());
    whenClicked("help-open", () => byId("help").showModal());
    byId("speed").addEventListener("change", () => {
      this.player.setSpeed(Number(byId("speed").value));
    });
    byId("picture").addEventListener("click", (event) => {
      const track = this.picture.trackAt(event);
      if (track) this.isolate(track);
      else this.showAll();
    });
    byId("picture").addEventListener("pointermove", (event) => {
      byId("picture").classList.toggle("is-over-track", this.picture.trackAt(event) !== null);
    });
    document.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("help").open) return;
    const { target } = event;
    const isTyping = target.matches("select, input:not([type=checkbox])");
    const isOperating = event.key === " " && target.matches("button, input");
    const act = this.actionOf(event);
    if (!act || isTyping || isOperating) return;
    event.preventDefault();
    act();
  }

  actionOf({ key, shiftKey }) {
    const count = shiftKey ? Review.LEAP : 1;
    const actions = {
      " ": () => this.player.toggle(),
      ArrowLeft: () => this.step(-count),
      ArrowRight: () => this.step(count),
      Home: () => this.seek(this.clip.frames[0]),
      End: () => this.seek(this.clip.frames.at(-1)),
      n: () => this.moments.next(),
      p: () => this.moments.previous(),
      Escape: () => this.showAll(),
      "?": () => byId("help").showModal(),
    };
    return actions[key.length === 1 ? key.toLowerCase() : key];
  }
}

const review = new Review(Clip.read());
