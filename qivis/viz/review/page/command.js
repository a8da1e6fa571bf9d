"use strict";

/*
 * An edit is one of
 *   {kind: "merge", ids}          tracks that are one object
 *   {kind: "split", id, frame}    a track that is another object from this frame on
 *   {kind: "swap", ids, frame}    two tracks that have taken each other's place from this frame on
 *   {kind: "drop", id}            a track that is none
 *   {kind: "rename", id, name}    a track of another class
 */

function idsOf(edit) {
  return edit.ids ?? [edit.id];
}

/**
 * The edits with one more. On the page ids mean the tracks that it shows, and the last word counts:
 * a track that is dropped has no other edits, merges that share a track become one, a name replaces
 * the one before, and a split or a swap what else was to happen to the track in its frame.
 */
function withEdit(edits, edit) {
  if (edit.kind === "merge") return withMerge(edits, edit);
  return withoutReplaced([...withMergesFor(edits, edit), edit]);
}

/** The edits with merges that leave room for a new one: what is dropped or swapped is no part. */
function withMergesFor(edits, edit) {
  if (edit.kind === "drop") return withoutInMerges(edits, edit.id);
  const isOne = edits.some((other) => other.kind === "merge" && isWithin(edit, other));
  return edit.kind === "swap" && isOne ? withoutInMerges(edits, edit.ids[1]) : edits;
}

/** The edits without those that a later one contradicts. */
function withoutReplaced(edits) {
  const objectOf = objectAfterMerges(edits);
  return edits.filter(
    (edit, place) => !edits.slice(place + 1).some((later) => isReplaced(edit, later, objectOf)),
  );
}

/** Whether an edit has no place beside a later one; merges leave room by themselves. */
function isReplaced(edit, later, objectOf) {
  if (edit.kind === "merge" || later.kind === "merge") return false;
  if (edit.kind === "drop" || later.kind === "drop") return isShared(edit, later);
  return isSamePlace(edit, later) && isShared(edit, later, objectOf);
}

/** Whether two edits have a track in common, or an object that several are. */
function isShared(one, other, objectOf = (id) => id) {
  const objects = idsOf(one).map(objectOf);
  return idsOf(other).some((id) => objects.includes(objectOf(id)));
}

/** Gives the id that a track has when the merges among the edits are done. */
function objectAfterMerges(edits) {
  const merges = edits.filter(({ kind }) => kind === "merge");
  return (id) => merges.find(({ ids }) => ids.includes(id))?.ids[0] ?? id;
}

/** Whether two edits of a track contradict each other; those with a frame say who it is from there. */
function isSamePlace(one, other) {
  const isCut = one.frame !== undefined;
  return one.frame === other.frame && (isCut || one.kind === other.kind);
}

/** Whether all tracks of one edit are among those of the other. */
function isWithin(one, other) {
  return idsOf(one).every((id) => idsOf(other).includes(id));
}

function withoutInMerges(edits, id) {
  const left = (edit) =>
    edit.kind === "merge" ? mergeOf(edit.ids.filter((other) => other !== id)) : edit;
  return edits.map(left).filter(({ kind, ids }) => kind !== "merge" || ids.length > 1);
}

function withMerge(edits, edit) {
  const shared = edits.filter((other) => other.kind === "merge" && isShared(other, edit));
  const merge = mergeOf([...shared.flatMap((other) => other.ids), ...edit.ids]);
  const isUndone = (other) => ["drop", "swap"].includes(other.kind) && isWithin(other, merge);
  const others = edits.filter((other) => !shared.includes(other) && !isUndone(other));
  return withoutReplaced([...others, merge]);
}

function mergeOf(ids) {
  return { kind: "merge", ids: inIdOrder(ids) };
}

function splitOf(id, frame) {
  return { kind: "split", id, frame };
}

function swapOf(ids, frame) {
  return { kind: "swap", ids: inIdOrder(ids), frame };
}

function inIdOrder(ids) {
  return [...new Set(ids)].sort((one, other) => one - other);
}

/** Whether one edit does all that another does. */
function contains(one, other) {
  if (one.kind !== other.kind) return false;
  return isWithin(other, one) && one.frame === other.frame && one.name === other.name;
}

/** An edit in words. */
function describe(edit) {
  switch (edit.kind) {
    case "merge":
      return `Merge ${edit.ids.join(", ")}`;
    case "split":
      return `Split ${edit.id} at ${edit.frame}`;
    case "swap":
      return `Swap ${edit.ids.join(", ")} from ${edit.frame}`;
    case "drop":
      return `Drop ${edit.id}`;
    default:
      return `Rename ${edit.id} to ${edit.name}`;
  }
}

// The command makes edits one after the other. Merges come first, so that what is split or swapped is
// the whole object: each part then has the views of its frames, whichever track had them. A name is
// for all parts, so it comes before they are made. Of splits and swaps the latest comes first: before
// its frame every track is still the one that the page shows.
const ORDER = ["drop", "merge", "rename"];

/** Edits in an order in which each finds its tracks, by the ids that these have after the merges. */
function inOrder(edits) {
  const objectOf = objectAfterMerges(edits);
  const ofObjects = edits.map((edit) => ofObject(edit, objectOf));
  const rank = ({ kind }) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  const later = (one, other) => (other.frame ?? 0) - (one.frame ?? 0);
  return ofObjects.sort((one, other) => rank(one) - rank(other) || later(one, other));
}

/** An edit by the ids that tracks have when the merges are done. */
function ofObject(edit, objectOf) {
  switch (edit.kind) {
    case "merge":
      return edit;
    case "swap":
      return swapOf(edit.ids.map(objectOf), edit.frame);
    default:
      return { ...edit, id: objectOf(edit.id) };
  }
}

/** The command that makes the edits to the results in the folder `run`. */
function composeCommand(run, edits) {
  const words = inOrder(edits).flatMap((edit) => [`--${edit.kind}`, argument(edit)]);
  const folder = run.startsWith("-") ? `./${run}` : run;
  return ["python", "tools/edit_tracks.py", folder, ...words].map(quoted).join(" ");
}

function argument(edit) {
  switch (edit.kind) {
    case "merge":
      return edit.ids.join(",");
    case "split":
      return `${edit.id}@${edit.frame}`;
    case "swap":
      return `${edit.ids.join(",")}@${edit.frame}`;
    case "drop":
      return `${edit.id}`;
    default:
      return `${edit.id}=${edit.name}`;
  }
}

/** A word as POSIX shells take it. */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}
