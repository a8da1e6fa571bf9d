"use strict";

/**
 * The list of moments that look like identity switches, the most suspicious first.
 *
 * `actions`: visit(moment), edit(edit), which also takes an edit back.
 */
class MomentList {
  static PORTRAIT = 64; // pixels

  constructor(clip, actions) {
    this.clip = clip;
    this.actions = actions;
    this.current = -1; // place in the list
    this.items = clip.moments.map((moment, place) => this.item(moment, place));
    const none = element("li", { className: "none", textContent: "Nothing looks suspicious." });
    byId("moments").append(...(this.items.length ? this.items.map(({ row }) => row) : [none]));
  }

  item(moment, place) {
    const tracks = moment.tracks.map((id) => this.clip.trackOf.get(id));
    const [before, after] = moment.portraits.map((key) =>
      portrait(this.clip, key, MomentList.PORTRAIT),
    );
    const arrow = element("span", { className: "arrow", textContent: "\u2192" });
    arrow.setAttribute("aria-hidden", "true");
    const pair = element("span", { className: "pair" }, before, arrow, after);
    const where = element("span", {
      className: "where",
      textContent: `frame ${moment.frame} \u00b7 ${this.clip.clock(moment.frame)}`,
    });
    const names = element("span", { className: "names" }, ...tracks.map(trackName));
    const reason = element("span", { className: "reason", textContent: `${moment.reason}.` });
    const score = element("span", {
      className: "score",
      textContent: moment.score.toFixed(2),
      title: "How suspicious, from 0 to 1",
    });
    score.style.setProperty("--strength", moment.score);
    const visit = keepFocus(
      element(
        "button",
        { type: "button", className: "visit" },
        element("span", { className: "title" }, score, names, where),
        element("span", { className: "evidence" }, pair, reason),
      ),
    );
    visit.addEventListener("click", () => this.go(place));
    const edit = remedyOf(moment);
    const remedy = keepFocus(element("button", { type: "button", className: "remedy" }));
    remedy.addEventListener("click", () => this.actions.edit(edit));
    const row = element("li", { className: "moment" }, visit, remedy);
    return { row, visit, remedy, edit };
  }

  /** Shows which proposals are among the edits. */
  update(edits) {
    for (const { remedy, edit } of this.items) {
      const isTaken = edits.some((other) => contains(other, edit));
      remedy.setAttribute("aria-pressed", isTaken);
      remedy.textContent = `${isTaken ? "\u2713 " : ""}${describe(edit)}`;
    }
  }

  /** Visits the moment at a place in the list. */
  go(place) {
    if (!this.items[place]) return;
    this.current = place;
    this.items.forEach(({ visit }, at) => visit.setAttribute("aria-current", at === place));
    this.items[place].row.scrollIntoView({ block: "nearest" });
    this.actions.visit(this.clip.moments[place]);
  }

  next() {
    this.go(Math.min(this.current + 1, this.items.length - 1));
  }

  previous() {
    this.go(Math.max(this.current - 1, 0));
  }

  leave() {
    this.items.forEach(({ visit }) => visit.setAttribute("aria-current", "false"));
  }
}

function remedyOf(moment) {
  switch (moment.remedy) {
    case "merge":
      return mergeOf(moment.tracks);
    case "swap":
      return swapOf(moment.tracks, moment.frame);
    default:
      return splitOf(moment.tracks[0], moment.frame);
  }
}
