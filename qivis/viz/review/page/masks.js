"use strict";

/**
 * The run lengths of a compressed COCO mask: background, object, background ..., down the columns.
 * Numbers have digits of 5 bits, lowest first; the 6th bit says that more follow. From the fourth
 * on each is a difference to the one before the last.
 */
function runLengths(counts) {
  const runs = [];
  let place = 0;
  while (place < counts.length) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      code = counts.charCodeAt(place++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
    } while (code & 32);
    if (code & 16 && shift < 32) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

function areaOf(runs) {
  let area = 0;
  for (let index = 1; index < runs.length; index += 2) area += runs[index];
  return area;
}

/** For each pixel of a long side, the first of a short one whose centre lies in it or later. */
function firstCentres(long, short) {
  const first = new Uint32Array(long + 1);
  for (let pixel = 0; pixel <= long; pixel++) {
    first[pixel] = Math.ceil((pixel * short) / long - 0.5);
  }
  return first;
}

/**
 * Masks of one frame, painted so that smaller objects lie over larger ones.
 *
 * The canvas has a pixel for each of the masks', or fewer if they are large: then each takes the
 * mask's value at its centre.
 */
class MaskCanvas {
  static LONGEST = 1280; // pixels; more would cost time and show nothing more
  static VEIL = 0.38; // opacity inside of an object; its contour is opaque
  static LINES = 360; // contours that would fill the picture from top to bottom

  constructor(canvas, [height, width]) {
    const scale = Math.min(1, MaskCanvas.LONGEST / Math.max(height, width));
    this.maskHeight = height;
    this.maskWidth = width;
    this.canvas = canvas;
    this.width = canvas.width = Math.max(1, Math.round(width * scale));
    this.height = canvas.height = Math.max(1, Math.round(height * scale));
    this.thickness = Math.max(1, Math.round(this.height / MaskCanvas.LINES));
    this.columns = firstCentres(width, this.width);
    this.rows = firstCentres(height, this.height);
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.owners = new Uint16Array(this.width * this.height); // 0 for none, else place + 1
  }

  /** `objects`: {runs, color "#rrggbb", item}. Gives their boxes on the canvas, in this order. */
  paint(objects) {
    this.owners.fill(0);
    this.pixels.fill(0);
    this.objects = [...objects].sort((one, other) => areaOf(other.runs) - areaOf(one.runs));
    const boxes = this.objects.map((object, place) => this.claim(object.runs, place + 1));
    this.objects.forEach((object, place) => this.color(boxes[place], place + 1, object.color));
    this.context.putImageData(this.image, 0, 0);
    return this.objects.map(({ item }, place) => ({ item, box: boxes[place] }));
  }

  /** The item whose object is seen at a point of the canvas, both from 0 to 1; else null. */
  itemAt(x, y) {
    const column = Math.min(this.width - 1, Math.max(0, Math.floor(x * this.width)));
    const row = Math.min(this.height - 1, Math.max(0, Math.floor(y * this.height)));
    const owner = this.owners[row * this.width + column];
    return owner ? this.objects[owner - 1].item : null;
  }

  /** Takes pixels into possession. */
  claim(runs, owner) {
    const box = { left: this.width, top: this.height, right: 0, bottom: 0 };
    let pixel = 0;
    for (let index = 0; index < runs.length; index++) {
      const end = pixel + runs[index];
      while (index % 2 && pixel < end) {
        const column = Math.floor(pixel / this.maskHeight);
        const top = pixel - column * this.maskHeight;
        const bottom = Math.min(this.maskHeight, top + end - pixel);
        this.claimColumn(column, this.rows[top], this.rows[bottom], owner, box);
        pixel += bottom - top;
      }
      pixel = end;
    }
    return box;
  }

  claimColumn(column, top, bottom, owner, box) {
    const left = this.columns[column];
    const right = this.columns[column + 1];
    if (top >= bottom || left >= right) return;
    for (let row = top; row < bottom; row++) {
      this.owners.fill(owner, row * this.width + left, row * this.width + right);
    }
    box.left = Math.min(box.left, left);
    box.right = Math.max(box.right, right);
    box.top = Math.min(box.top, top);
    box.bottom = Math.max(box.bottom, bottom);
  }

  color(box, owner, color) {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    const paint = (blue << 16) | (green << 8) | red; // in memory: red, green, blue, opacity
    const line = (paint | (255 << 24)) >>> 0;
    const veil = (paint | (Math.round(255 * MaskCanvas.VEIL) << 24)) >>> 0;
    for (let row = box.top; row < box.bottom; row++) {
      for (let column = box.left; column < box.right; column++) {
        const pixel = row * this.width + column;
        if (this.owners[pixel] !== owner) continue;
        this.pixels[pixel] = this.isAtEdge(row, column, owner) ? line : veil;
      }
    }
  }

  isAtEdge(row, column, owner) {
    const pixel = row * this.width + column;
    for (let step = 1; step <= this.thickness; step++) {
      if (
        (column >= step && this.owners[pixel - step] !== owner) ||
        (column + step < this.width && this.owners[pixel + step] !== owner) ||
        (row >= step && this.owners[pixel - step * this.width] !== owner) ||
        (row + step < this.height && this.owners[pixel + step * this.width] !== owner)
      ) {
        return true;
      }
    }
    return false;
  }
}
