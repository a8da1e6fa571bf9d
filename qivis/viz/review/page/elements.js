"use strict";

/** A new element. What it shows is always set as text, so that no name can become markup. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** A picture of a track in a frame, `side` pixels wide; `key` says of which (`page_data.py`). */
function portrait(clip, key, side) {
  const [id, frame] = key.split("@").map(Number);
  const track = clip.trackOf.get(id);
  const image = element("img", {
    className: "portrait",
    src: `data:image/jpeg;base64,${clip.thumbnails[key]}`,
    alt: `${track.title}, frame ${frame}`,
    width: side,
    height: side,
  });
  image.style.setProperty("--color", track.color);
  return image;
}

/** The name of a track with a dot in its colour; where there is little room its class is cut off. */
function trackName(track) {
  const category = element("span", { className: "category", textContent: track.category });
  const id = element("span", { className: "id", textContent: `\u00a0${track.id}` });
  const name = element("span", { className: "track-name", title: track.title }, category, id);
  name.style.setProperty("--color", track.color);
  return name;
}

/** Buttons do not take the focus from a mouse, so that the space bar keeps playing the clip. */
function keepFocus(button) {
  button.addEventListener("mousedown", (event) => event.preventDefault());
  return button;
}
