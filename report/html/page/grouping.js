// The table's rows: own and total by function, line, file or module.

import { FrameKind } from './capture.js';

// The string ids and numbers that tell one row from another.
function groupKey(capture, frame, group) {
  switch (group) {
    case 'line':
      return `${capture.frameFunction[frame]}:${capture.frameFile[frame]}:${capture.frameLine[frame]}`;
    case 'file':
      return capture.frameFile[frame] || `m${capture.frameModule[frame]}`;
    case 'module':
      return capture.frameModule[frame] || `f${capture.frameFile[frame]}`;
    default:
      return `${capture.frameFunction[frame]}:${capture.frameFile[frame]}:${capture.frameModule[frame]}`;
  }
}

function groupName(capture, frame, group) {
  if (capture.isOthers(frame)) return 'small bars, merged';
  switch (group) {
    case 'file':
      return capture.shownFile(frame) || capture.moduleName(frame) || capture.functionName(frame);
    case 'module':
      return capture.moduleName(frame) || capture.fileName(frame) || capture.functionName(frame);
    default:
      return capture.functionName(frame);
  }
}

function groupPlace(capture, frame, group) {
  if (capture.isOthers(frame)) return 'callers in them are missing from other rows';
  if (group === 'line') return capture.place(frame);
  if (group === 'function') return capture.shownFile(frame) || capture.moduleName(frame);
  return '';
}

// The group of every frame, and one frame that stands for each group.
export function groupFrames(capture, group) {
  const numbers = new Map();
  const groupOf = new Int32Array(capture.frameCount);
  const samples = [];
  for (let frame = 0; frame < groupOf.length; ++frame) {
    const key = groupKey(capture, frame, group);
    let number = numbers.get(key);
    if (number === undefined) {
      numbers.set(key, (number = samples.length));
      samples.push(frame);
    }
    groupOf[frame] = number;
  }
  return { groupOf, samples };
}

// Threads and processes are bars of the graph, not code.
function isCode(capture, frame) {
  return frame !== capture.rootFrame && capture.frameKind[frame] !== FrameKind.LANE;
}

// Rows {frame, name, place, own, total} of all groups that count for anything. A group's total
// counts a stack once, however often the group is on it: only where it first appears on the way
// from the root.
export function groupRows(tree, group, grouping) {
  const { capture, nodeCount, parents, frames, own, totals } = tree;
  const { groupOf, samples } = grouping;
  const rows = samples.map((frame) => ({ frame, own: 0, total: 0, before: 0, after: 0 }));
  const onPath = new Int32Array(samples.length);
  const path = [];
  const order = walkOrder(tree);
  for (let i = 0; i < nodeCount; ++i) {
    const node = order[i];
    while (path.length > 0 && path[path.length - 1] !== parents[node]) {
      --onPath[groupOf[frames[path.pop()]]];
    }
    const number = groupOf[frames[node]];
    rows[number].own += own[node];
    if (onPath[number] === 0) {
      rows[number].total += totals[node];
      if (tree.sides) {
        rows[number].before += tree.sides[0].totals[node];
        rows[number].after += tree.sides[1].totals[node];
      }
    }
    ++onPath[number];
    path.push(node);
  }
  return rows
    .filter((row) => row.total > 0 && isCode(capture, row.frame))
    .map((row) => ({
      ...row,
      change: row.after - row.before,
      name: groupName(capture, row.frame, group),
      place: groupPlace(capture, row.frame, group),
    }));
}

function walkOrder(tree) {
  const order = new Int32Array(tree.nodeCount);
  for (let node = 0; node < tree.nodeCount; ++node) order[tree.walkFirst[node]] = node;
  return order;
}
