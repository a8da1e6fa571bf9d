"use strict";

/**
 * Collects edits of selected tracks, and shows the command that makes them.
 *
 * `actions`: clearSelection(), currentFrame(), changed(edits).
 */
class EditBox {
  constructor(clip, actions) {
    this.clip = clip;
    this.actions = actions;
    this.edits = [];
    this.selected = [];
    byId("categories").append(...clip.categories.map((name) => element("option", { value: name })));
    this.whenClicked("merge", () => [mergeOf(this.ids)]);
    this.whenClicked("split", () =>
      this.splittable().map(({ id }) => splitOf(id, this.actions.currentFrame())),
    );
    this.whenClicked("swap", () => [swapOf(this.ids, this.actions.currentFrame())]);
    this.whenClicked("drop", () => this.ids.map((id) => ({ kind: "drop", id })));
    byId("rename").addEventListener("submit", (event) => {
      event.preventDefault();
      this.rename(byId("new-name").value.trim());
    });
    byId("new-name").addEventListener("input", () => this.update(this.selected));
    keepFocus(byId("copy")).addEventListener("click", () => this.copy());
    this.update([]);
    this.changeTo([]);
  }

  get ids() {
    return this.selected.map(({ id }) => id);
  }

  whenClicked(id, makeEdits) {
    keepFocus(byId(id)).addEventListener("click", () => this.editSelected(makeEdits()));
  }

  rename(name) {
    if (!this.isClass(name) || !this.selected.length) return;
    byId("new-name").value = "";
    this.editSelected(this.ids.map((id) => ({ kind: "rename", id, name })));
  }

  editSelected(edits) {
    this.changeTo(edits.reduce(withEdit, this.edits));
    this.actions.clearSelection();
  }

  /** Adds an edit, or takes it back. */
  toggle(edit) {
    const equal = this.edits.find((other) => contains(other, edit) && contains(edit, other));
    this.changeTo(equal ? without(this.edits, equal) : withEdit(this.edits, edit));
  }

  /** Those of the selected tracks that have views before the current frame, and from it on. */
  splittable() {
    const frame = this.actions.currentFrame();
    return this.selected.filter(({ first, end }) => first < frame && frame < end);
  }

  /** Whether two are selected, each of which is something before and after they are swapped here. */
  canSwap() {
    if (this.selected.length !== 2) return false;
    const frame = this.actions.currentFrame();
    const isBefore = ({ first }) => first < frame;
    const isAfter = ({ end }) => frame < end;
    const [one, other] = this.selected;
    const isAny = (test) => test(one) || test(other);
    const isLeft = (before, after) => isBefore(before) || isAfter(after);
    return isAny(isBefore) && isAny(isAfter) && isLeft(one, other) && isLeft(other, one);
  }

  /** `selected`: tracks, by id. */
  update(selected) {
    this.selected = selected;
    const frame = this.actions.currentFrame();
    const parts = this.splittable().map(({ id }) => id);
    byId("selection").textContent = this.hint();
    setAction("merge", selected.length > 1, `Merge ${this.ids.join(", ")}`, "Merge");
    setAction("split", parts.length > 0, `Split ${parts.join(", ")} at ${frame}`, "Split here");
    const swap = `Swap ${this.ids.join(", ")} from ${frame}`;
    setAction("swap", this.canSwap(), swap, "Swap from here");
    setAction("drop", selected.length > 0, `Drop ${this.ids.join(", ")}`, "Drop");
    byId("new-name").disabled = selected.length === 0;
    const name = byId("new-name").value.trim();
    byId("rename").querySelector("button").disabled = !selected.length || !this.isClass(name);
    byId("new-name").title = this.isClass(name) ? "" : `One of: ${this.clip.categories.join(", ")}`;
  }

  /** The command knows no other names. */
  isClass(name) {
    return this.clip.categories.includes(name);
  }

  hint() {
    if (!this.selected.length) return "Tick tracks in the timeline, or take up a proposal.";
    const both = commonFrames(this.selected);
    const names = this.selected.map(({ title }) => title).join(", ");
    return both ? `${names}: seen together in ${counted(both, "frame")}.` : names;
  }

  changeTo(edits) {
    this.edits = edits;
    byId("edits").replaceChildren(...edits.map((edit) => this.chip(edit)));
    byId("command-box").hidden = edits.length === 0;
    const [program, ...flags] = composeCommand(this.clip.run, edits).split(/ (?=--)/);
    const unbroken = flags.flatMap((flag) => [" ", element("span", { textContent: flag })]);
    byId("command").replaceChildren(program, ...unbroken);
    byId("copy").textContent = "Copy command";
    this.actions.changed(edits);
  }

  chip(edit) {
    const remove = keepFocus(
      element("button", {
        type: "button",
        textContent: "\u00d7",
        "aria-label": `Take back: ${describe(edit)}`,
        title: "Take back",
      }),
    );
    remove.addEventListener("click", () => this.changeTo(without(this.edits, edit)));
    return element("li", {}, describe(edit), remove);
  }

  async copy() {
    const text = byId("command");
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text); // where a page from disk may not use the clipboard
      document.execCommand("copy");
    }
    byId("copy").textContent = "Copied";
  }
}

function setAction(id, isPossible, label, otherwise) {
  byId(id).disabled = !isPossible;
  byId(id).textContent = isPossible ? label : otherwise;
}

function without(edits, edit) {
  return edits.filter((other) => other !== edit);
}

/** In how many frames at least two of the tracks are seen. */
function commonFrames(tracks) {
  const seen = new Map();
  for (const track of tracks) {
    track.masks.forEach((mask, index) => {
      const frame = track.first + index;
      if (mask) seen.set(frame, (seen.get(frame) ?? 0) + 1);
    });
  }
  return [...seen.values()].filter((number) => number > 1).length;
}
