"use strict";

/** The data of the page (`page_data.py`), and how frames and times of its video belong together. */
class Clip {
  constructor(data) {
    Object.assign(this, data);
    this.length = data.shown.length;
    this.frames = []; // indices of those that can be shown
    this.times = []; // seconds in the video from which each of these is shown
    data.shown.forEach((time, frame) => {
      if (time === null) return;
      this.frames.push(frame);
      this.times.push(time);
    });
    this.tracks.forEach((track) => {
      track.title = `${track.category} ${track.id}`;
      track.seen = track.masks.filter((mask) => mask !== null).length;
      track.end = track.first + track.masks.length; // one after its last frame
    });
    this.trackOf = new Map(this.tracks.map((track) => [track.id, track]));
  }

  static read() {
    return new Clip(JSON.parse(document.getElementById("clip-data").textContent));
  }

  get aspect() {
    return this.size[1] / this.size[0];
  }

  maskOf(track, frame) {
    return track.masks[frame - track.first] ?? null;
  }

  /** The frame that can be shown, `count` of these later; or the first, or the last. */
  later(frame, count) {
    const place = this.placeOf(frame) + count;
    return this.frames[Math.max(0, Math.min(this.frames.length - 1, place))];
  }

  /** `frame`, or the nearest to it that can be shown. */
  nearest(frame) {
    return this.frames[this.placeOf(frame)];
  }

  placeOf(frame) {
    return nearestPlace(this.frames, frame);
  }

  /** The frame with this very time, up to rounding. */
  frameTimed(seconds) {
    return this.frames[nearestPlace(this.times, seconds)];
  }

  /** The frame that is on show at this time. */
  frameShownAt(seconds) {
    return this.frames[Math.max(0, placeAfter(this.times, seconds) - 1)];
  }

  /** A time at which the frame is on show, away from those at which it comes and goes. */
  timeWithin(frame) {
    const place = this.placeOf(frame);
    const start = this.times[place];
    const end = this.times[place + 1] ?? start + 1 / this.fps;
    return (start + end) / 2;
  }

  /** "1:02.50": the time of a frame in the clip. */
  clock(frame) {
    const seconds = this.seconds[frame];
    if (seconds === null) return "lost";
    const hundredths = Math.round(100 * seconds);
    const rest = ((hundredths % 6000) / 100).toFixed(2);
    return `${Math.floor(hundredths / 6000)}:${rest.padStart(5, "0")}`;
  }
}

/** How many of the growing `values` are at most `value`. */
function placeAfter(values, value) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearestPlace(values, value) {
  const after = placeAfter(values, value);
  if (after === 0) return 0;
  if (after === values.length) return after - 1;
  return value - values[after - 1] <= values[after] - value ? after - 1 : after;
}
