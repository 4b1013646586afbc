// Where bars go: a pure function of a tree and a window onto it.
//
// Horizontally a tree spans [0, total of its root); `from` and `to` are the part of that which
// fills `width` pixels. Children follow one another from their parent's left edge, largest first,
// so those too narrow to see come last and share one bar: nothing is ever silently left out.

export const OTHERS = -1;

class Bars {
  constructor() {
    this.capacity = 1024;
    this.count = 0;
    this.node = new Int32Array(this.capacity);
    this.depth = new Int32Array(this.capacity);
    this.left = new Float64Array(this.capacity);
    this.right = new Float64Array(this.capacity);
    this.ownLeft = new Float64Array(this.capacity);
    // Bars of merged children: whose they are, how many, and what they sum up to.
    this.others = new Map();
    this.deepest = 0;
  }

  grow() {
    this.capacity *= 2;
    for (const name of ['node', 'depth', 'left', 'right', 'ownLeft']) {
      const larger = new this[name].constructor(this.capacity);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  // What the node itself allocated reaches from `ownLeft` to `right`.
  add(node, depth, left, right, ownLeft) {
    if (this.count === this.capacity) this.grow();
    this.node[this.count] = node;
    this.depth[this.count] = depth;
    this.left[this.count] = left;
    this.right[this.count] = right;
    this.ownLeft[this.count] = ownLeft;
    if (depth > this.deepest) this.deepest = depth;
    return this.count++;
  }
}

export function layOut(tree, { from, to, width, minimumWidth = 2, maximumDepth = 20000 }) {
  const bars = new Bars();
  const scale = width / (to - from);
  if (!(tree.total(tree.root()) > 0) || !Number.isFinite(scale)) return bars;
  const pixel = (value) => Math.min(width, Math.max(0, (value - from) * scale));
  const pending = [[tree.root(), 0, 0]];
  while (pending.length > 0) {
    const [node, start, depth] = pending.pop();
    const end = start + tree.total(node);
    bars.add(node, depth, pixel(start), pixel(end), pixel(end - tree.ownOf(node)));
    if (depth >= maximumDepth) continue;
    const children = tree.children(node);
    let at = start;
    for (let i = 0; i < children.length && at < to; ++i) {
      const total = tree.total(children[i]);
      if (total * scale < minimumWidth && children.length - i > 1) {
        addOthers(bars, tree, node, children, i, at, depth + 1, pixel);
        break;
      }
      if (at + total > from && total * scale >= minimumWidth / 4) {
        pending.push([children[i], at, depth + 1]);
      }
      at += total;
    }
  }
  return bars;
}

function addOthers(bars, tree, parent, children, first, start, depth, pixel) {
  let total = 0;
  let count = 0;
  for (let i = first; i < children.length; ++i) {
    total += tree.total(children[i]);
    count += Math.max(1, tree.mergedCount(children[i]));
  }
  const left = pixel(start);
  const right = pixel(start + total);
  if (right - left < 0.5) return;
  bars.others.set(bars.add(OTHERS, depth, left, right, right), { parent, count, total });
}

// Where a node begins, as a sum over its left neighbours on the way up.
export function startOf(tree, node) {
  let start = 0;
  for (let parent = tree.parent(node); parent >= 0; node = parent, parent = tree.parent(node)) {
    for (const sibling of tree.children(parent)) {
      if (sibling === node) break;
      start += tree.total(sibling);
    }
  }
  return start;
}

export function depthOf(tree, node) {
  let depth = 0;
  for (let at = tree.parent(node); at >= 0; at = tree.parent(at)) ++depth;
  return depth;
}

export function barAt(bars, x, depth) {
  for (let i = 0; i < bars.count; ++i) {
    if (bars.depth[i] === depth && bars.left[i] <= x && x < bars.right[i]) return i;
  }
  return -1;
}
