"use strict";

/*
 * An edit is one of
 *   {kind: "merge", ids}          tracks that are one object
 *   {kind: "split", id, frame}    a track that is another object from this frame on
 *   {kind: "drop", id}            a track that is none
 *   {kind: "rename", id, name}    a track of another class
 */

/**
 * The edits with one more. On the page ids mean the tracks that it shows, and the last word counts:
 * a track that is dropped has no other edits, merges that share a track become one, and a name
 * replaces the one before.
 */
function withEdit(edits, edit) {
  if (edit.kind === "merge") return withMerge(edits, edit);
  const isReplaced = (other) =>
    other.id === edit.id &&
    (edit.kind === "drop" || other.kind === "drop" || isSamePlace(other, edit));
  const others = edits.filter((other) => !isReplaced(other));
  return [...(edit.kind === "drop" ? withoutInMerges(others, edit.id) : others), edit];
}

function isSamePlace(one, other) {
  return one.kind === other.kind && one.frame === other.frame;
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
  const isDropped = ({ kind, id }) => kind === "drop" && merge.ids.includes(id);
  return [...edits.filter((other) => !shared.includes(other) && !isDropped(other)), merge];
}

function mergeOf(ids) {
  return { kind: "merge", ids: [...new Set(ids)].sort((one, other) => one - other) };
}

function splitOf(id, frame) {
  return { kind: "split", id, frame };
}

/** Whether one edit does all that another does. */
function contains(one, other) {
  if (one.kind !== other.kind) return false;
  if (one.kind === "merge") return other.ids.every((id) => one.ids.includes(id));
  return one.id === other.id && one.frame === other.frame && one.name === other.name;
}

/** An edit in words. */
function describe(edit) {
  switch (edit.kind) {
    case "merge":
      return `Merge ${edit.ids.join(", ")}`;
    case "split":
      return `Split ${edit.id} at ${edit.frame}`;
    case "drop":
      return `Drop ${edit.id}`;
    default:
      return `Rename ${edit.id} to ${edit.name}`;
  }
}

// The command makes edits one after the other. Merges come first, so that what is split is the whole
// object: each part then has the views of its frames, whichever track had them. A name is for all
// parts, so it comes before they are made; of one object the latest part is cut first.
const ORDER = ["drop", "merge", "rename", "split"];

/** Edits in an order in which each finds its tracks, by the ids that these have after the merges. */
function inOrder(edits) {
  const merges = edits.filter(({ kind }) => kind === "merge");
  const idOf = (id) => merges.find(({ ids }) => ids.includes(id))?.ids[0] ?? id;
  const ofObjects = edits
    .map((edit) => (edit.kind === "merge" ? edit : { ...edit, id: idOf(edit.id) }))
    .reduce(withEdit, []); // what two tracks of an object are called, or where they are cut
  const rank = ({ kind }) => ORDER.indexOf(kind);
  const later = (one, other) => (other.frame ?? 0) - (one.frame ?? 0);
  return ofObjects.sort((one, other) => rank(one) - rank(other) || later(one, other));
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
