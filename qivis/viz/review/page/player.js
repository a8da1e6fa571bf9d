"use strict";

/**
 * Moves the video frame by frame, and tells which frame it shows.
 *
 * `arrived(frame)` is called whenever the video shows another frame, in time to draw on it.
 * Where a browser cannot play the video, frames arrive without pictures.
 */
class Player {
  constructor(clip, film, arrived) {
    this.clip = clip;
    this.film = film;
    this.arrived = arrived;
    this.frame = clip.frames[0]; // that is shown, or will be
    this.wanted = this.frame; // that is being sought, null while none is
    this.isBlind = false;
    film.addEventListener("loadeddata", () => this.startSeek(), { once: true });
    film.addEventListener("seeked", () => this.afterSeek());
    film.addEventListener("error", () => this.goBlind());
    film.addEventListener("ended", () => this.show(clip.frames.at(-1)));
    film.src = URL.createObjectURL(readFilm());
    if ("requestVideoFrameCallback" in film) this.watchFrames();
    else this.watchTime();
  }

  get isPlaying() {
    return !this.film.paused && !this.film.ended;
  }

  /** Stops at a frame. Asked for others before it is there, the video goes on to the last. */
  seek(frame) {
    this.film.pause();
    const isUnderWay = this.wanted !== null;
    this.wanted = this.frame = frame;
    if (this.isBlind) this.afterSeek();
    else if (!isUnderWay) this.startSeek();
  }

  startSeek() {
    this.film.currentTime = this.clip.timeWithin(this.wanted);
  }

  toggle() {
    if (this.isPlaying) return this.seek(this.frame);
    if (this.isBlind) return undefined;
    const isAtEnd = this.frame === this.clip.frames.at(-1);
    if (isAtEnd) this.film.currentTime = 0;
    this.wanted = null;
    return this.film.play();
  }

  setSpeed(rate) {
    this.film.playbackRate = rate;
  }

  afterSeek() {
    const { wanted } = this;
    if (wanted === null) return;
    const shown = this.isBlind ? wanted : this.clip.frameShownAt(this.film.currentTime);
    if (shown === wanted) {
      this.wanted = null;
      this.show(shown);
    } else {
      this.startSeek();
    }
  }

  show(frame) {
    this.frame = this.wanted ?? frame;
    this.arrived(frame);
  }

  goBlind() {
    this.isBlind = true;
    const message = byId("trouble");
    message.textContent = "This browser cannot play the video (H.264); masks are shown without it.";
    message.hidden = false;
    this.seek(this.wanted ?? this.clip.frames[0]);
  }

  /** Browsers that tell each frame they show, with its time. */
  watchFrames() {
    this.film.requestVideoFrameCallback((_, { mediaTime }) => {
      this.show(this.clip.frameTimed(mediaTime));
      this.watchFrames();
    });
  }

  /** Other browsers are asked for the time at each of their own frames. */
  watchTime() {
    requestAnimationFrame(() => {
      if (this.isPlaying) this.show(this.clip.frameShownAt(this.film.currentTime));
      this.watchTime();
    });
  }
}

/** The video, which the page carries as base64. */
function readFilm() {
  const text = atob(document.getElementById("film-data").textContent);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return new Blob([bytes], { type: "video/mp4" });
}
