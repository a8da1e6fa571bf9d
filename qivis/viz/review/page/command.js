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
  const others = edits.filter((other) => !isReplaced(other, edit));
  return [...(edit.kind === "drop" ? withoutInMerges(others, edit.id) : others), edit];
}

/** Whether an edit has no place beside a later one, which is no merge. */
function isReplaced(other, edit) {
  if (other.kind === "merge") return edit.kind === "swap" && isWithin(edit, other);
  const isShared = idsOf(other).some((id) => idsOf(edit).includes(id));
  return isShared && (edit.kind === "drop" || other.kind === "drop" || isSamePlace(other, edit));
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
  const isShared = (other) =>
    other.kind === "merge" && other.ids.some((id) => edit.ids.includes(id));
  const shared = edits.filter(isShared);
  const merge = mergeOf([...shared.flatMap((other) => other.ids), ...edit.ids]);
  const isReplaced = (other) => ["drop", "swap"].includes(other.kind) && isWithin(other, merge);
  return [...edits.filter((other) => !shared.includes(other) && !isReplaced(other)), merge];
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
  const merges = edits.filter(({ kind }) => kind === "merge");
  const idAfter = (id) => merges.find(({ ids }) => ids.includes(id))?.ids[0] ?? id;
  const ofObjects = edits
    .map((edit) => ofObject(edit, idAfter))
    .reduce(withEdit, []); // what two tracks of an object are called, or where they are cut
  const rank = ({ kind }) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  const later = (one, other) => (other.frame ?? 0) - (one.frame ?? 0);
  return ofObjects.sort((one, other) => rank(one) - rank(other) || later(one, other));
}

/** An edit by the ids that tracks have when the merges are done. */
function ofObject(edit, idAfter) {
  switch (edit.kind) {
    case "merge":
      return edit;
    case "swap":
      return swapOf(edit.ids.map(idAfter), edit.frame);
    default:
      return { ...edit, id: idAfter(edit.id) };
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
