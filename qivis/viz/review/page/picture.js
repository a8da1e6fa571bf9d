"use strict";

/** A frame with the masks and names of the tracks on it, always of the same frame. */
class Picture {
  static MANY = 8; // tracks on a picture, beyond which tags shrink to their numbers

  constructor(clip, film) {
    this.clip = clip;
    this.film = film;
    this.box = byId("picture");
    this.box.style.setProperty("--aspect", clip.aspect);
    this.box.parentElement.style.setProperty("--aspect", clip.aspect);
    this.still = byId("still");
    this.masks = new MaskCanvas(byId("masks"), clip.size);
    this.tags = byId("tags");
  }

  /** Shows `frame`, by its picture or by what the video shows now, and the `tracks` seen in it. */
  show(frame, tracks, picture) {
    this.copy(picture ?? this.film);
    this.drawTracks(frame, tracks);
  }

  /** Both canvases change at once; the video element below them would be a little early or late. */
  copy(picture) {
    const { videoWidth, videoHeight } = this.film;
    if (!videoWidth) return;
    if (this.still.width !== videoWidth || this.still.height !== videoHeight) {
      this.still.width = videoWidth;
      this.still.height = videoHeight;
    }
    this.still.getContext("2d").drawImage(picture, 0, 0);
  }

  drawTracks(frame, tracks) {
    const objects = [];
    for (const track of tracks) {
      const mask = this.clip.maskOf(track, frame);
      if (mask) objects.push({ runs: runLengths(mask), color: track.color, item: track });
    }
    const drawn = this.masks.paint(objects);
    this.tags.replaceChildren(...drawn.map(({ item, box }) => this.tag(item, box, drawn.length)));
  }

  tag(track, box, number) {
    const tag = element("span", {
      textContent: number > Picture.MANY ? `${track.id}` : track.title,
    });
    tag.style.setProperty("--color", track.color);
    // On the right half tags end where their objects end, so that they stay in the picture.
    const { width, height } = this.masks;
    const isRight = box.left + box.right > width;
    if (isRight) tag.style.right = percent(width - box.right, width);
    else tag.style.left = percent(box.left, width);
    tag.style.setProperty("--top", percent(box.top, height));
    return tag;
  }

  /** The track under the pointer, or null. */
  trackAt(event) {
    const area = this.box.getBoundingClientRect();
    return this.masks.itemAt(
      (event.clientX - area.left) / area.width,
      (event.clientY - area.top) / area.height,
    );
  }
}

function percent(part, whole) {
  return `${(100 * part) / whole}%`;
}
