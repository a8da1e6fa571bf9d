"use strict";

/** After so long without its picture, a frame counts as shown: no browser paints hidden pages. */
const PICTURE_MS = 300;

/** So often the picture of a sought frame is copied where a browser does not tell that it came. */
const COPIES = 20;

/**
 * Moves the video frame by frame, and tells which frame it shows.
 *
 * `arrived(frame, picture)` is called whenever the video shows another frame, in time to draw on
 * it. `picture` is that of this very frame; null where a browser does not give it, and it has to be
 * taken from the video. Where a browser cannot play the video, frames arrive without pictures.
 */
class Player {
  constructor(clip, film, arrived) {
    this.clip = clip;
    this.film = film;
    this.arrived = arrived;
    this.frame = clip.frames[0]; // that is shown, or will be
    this.wanted = this.frame; // that is being sought, null while none is
    this.presented = null; // whose picture the video has, where the browser tells
    this.patience = null; // the timer of a seek that is done, but for its picture
    this.copies = 0; // that are still to be made of the frame
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
    const isUnderWay = this.wanted !== null && this.patience === null;
    this.wanted = this.frame = frame;
    if (this.isBlind) this.afterSeek();
    else if (!isUnderWay) this.startSeek();
  }

  startSeek() {
    clearTimeout(this.patience);
    this.patience = null;
    this.film.currentTime = this.clip.timeWithin(this.wanted);
  }

  toggle() {
    if (this.isPlaying) this.seek(this.frame);
    else if (!this.isBlind) this.play();
  }

  play() {
    const isAtEnd = this.frame === this.clip.frames.at(-1);
    if (isAtEnd) this.film.currentTime = 0;
    this.stopWaiting();
    this.film.play().catch(() => {}); // stopped before it began; a broken film is an event
  }

  setSpeed(rate) {
    this.film.playbackRate = rate;
  }

  afterSeek() {
    const { wanted } = this;
    if (wanted === null) return;
    const isPainted = this.presented === null || this.presented === wanted;
    if (this.isBlind) this.settle(wanted);
    else if (this.clip.frameShownAt(this.film.currentTime) !== wanted) this.startSeek();
    else if (isPainted) this.settle(wanted);
    else this.patience = setTimeout(() => this.settle(wanted), PICTURE_MS); // not painted yet
  }

  settle(frame, picture = null) {
    this.stopWaiting();
    this.copies = COPIES;
    this.show(frame, picture);
  }

  stopWaiting() {
    clearTimeout(this.patience);
    this.patience = this.wanted = null;
  }

  show(frame, picture = null) {
    this.frame = this.wanted ?? frame;
    this.arrived(frame, picture);
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
      // On a busy machine the video may have gone on since.
      const picture = takePicture(this.film);
      this.presented = this.clip.frameTimed(picture ? picture.timestamp / 1e6 : mediaTime);
      const isThere = this.presented === this.wanted && !this.film.seeking;
      if (isThere) this.settle(this.wanted, picture);
      else this.show(this.presented, picture);
      picture?.close();
      this.watchFrames();
    });
  }

  /** Other browsers are asked for the time; a picture may come after the end of its seek. */
  watchTime() {
    requestAnimationFrame(() => {
      if (this.isPlaying) this.show(this.clip.frameShownAt(this.film.currentTime));
      else if (this.wanted === null && this.copies-- > 0) this.show(this.frame);
      this.watchTime();
    });
  }
}

/** The picture that the video has now, with its time; null where a browser does not give it. */
function takePicture(film) {
  try {
    return new VideoFrame(film);
  } catch {
    return null;
  }
}

/** The video, which the page carries as base64. */
function readFilm() {
  const text = atob(document.getElementById("film-data").textContent);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return new Blob([bytes], { type: "video/mp4" });
}
