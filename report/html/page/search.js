// Search by regular expression: which frames match, and what their stacks add up to.

import { outermostOccurrences } from './grouped_tree.js';

// A pattern that is no valid expression is searched for as it stands.
export function compilePattern(text) {
  const flags = /[A-Z]/.test(text) ? 'u' : 'iu';
  try {
    return { expression: new RegExp(text, flags), literal: false };
  } catch {
    const escaped = text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    return { expression: new RegExp(escaped, flags), literal: true };
  }
}

// One flag a frame.
export function matchingFrames(capture, expression) {
  const matches = new Uint8Array(capture.frameCount);
  for (let frame = 0; frame < matches.length; ++frame) {
    if (frame !== capture.rootFrame && expression.test(capture.searchText(frame))) {
      matches[frame] = 1;
    }
  }
  return matches;
}

// The same of two captures.
export function matchedBoth(callTree, matches) {
  const sum = { before: 0, after: 0 };
  for (const node of outermostOccurrences(callTree, (frame) => matches[frame] === 1)) {
    const { before, after } = callTree.bothOf(node);
    sum.before += before;
    sum.after += after;
  }
  return sum;
}

// Everything on stacks that hold a match, each stack once however many of its frames match. The
// answer is the same root first and inverted, so it is always taken from the call tree.
export function matchedTotal(callTree, matches) {
  let total = 0;
  let places = 0;
  for (const node of outermostOccurrences(callTree, (frame) => matches[frame] === 1)) {
    total += callTree.total(node);
    ++places;
  }
  return { total, places };
}
