// The call tree on display, root first: the recorded tree with the chosen frames hidden, recursion
// folded, threads merged or split. Its shape depends on these options only; views, ranges and units
// then just refill its numbers.

import { FrameKind } from './capture.js';

class GrowingIntegers {
  constructor(capacity) {
    this.values = new Int32Array(capacity);
    this.length = 0;
  }

  push(value) {
    if (this.length === this.values.length) {
      const larger = new Int32Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  trimmed() {
    return this.values.subarray(0, this.length);
  }
}

// Finds the child of a node by its frame. Open addressing; a slot holds a node id.
class ChildIndex {
  constructor(tree, expected) {
    this.tree = tree;
    this.resize(1 << Math.max(8, Math.ceil(Math.log2(2 * expected + 1))));
  }

  resize(capacity) {
    this.slots = new Int32Array(capacity).fill(-1);
    this.mask = capacity - 1;
    for (let node = 1; node < this.tree.frames.length; ++node) this.insert(node);
  }

  slotOf(parent, frame) {
    const { parents, frames } = this.tree;
    let slot = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b)) >>> 0;
    for (slot = (slot ^ (slot >>> 15)) & this.mask; ; slot = (slot + 1) & this.mask) {
      const node = this.slots[slot];
      if (node < 0 || (parents.values[node] === parent && frames.values[node] === frame)) {
        return slot;
      }
    }
  }

  find(parent, frame) {
    return this.slots[this.slotOf(parent, frame)];
  }

  insert(node) {
    if (2 * node > this.mask) this.resize(2 * (this.mask + 1));
    const { parents, frames } = this.tree;
    this.slots[this.slotOf(parents.values[node], frames.values[node])] = node;
  }
}

export class CallTree {
  // options: split ('merged', 'process' or 'thread'), byTask, hideImports, hideInternals,
  // foldRecursion
  constructor(capture, options) {
    this.capture = capture;
    this.options = options;
    this.laneDepth = { merged: 0, process: 1, thread: 2 }[options.split];
    this.parents = new GrowingIntegers(capture.nodeCount);
    this.frames = new GrowingIntegers(capture.nodeCount);
    this.mergedNodes = new Map();
    this.parents.push(-1);
    this.frames.push(capture.rootFrame);
    this.siteNodes = new Int32Array(capture.siteCount);
    this.placeSites();
    this.parents = this.parents.trimmed();
    this.frames = this.frames.trimmed();
    this.nodeCount = this.parents.length;
    this.linkChildren();
    this.own = new Float64Array(this.nodeCount);
    this.totals = new Float64Array(this.nodeCount);
    this.mapped = new Float64Array(this.nodeCount);
    this.sortedChildren = new Map();
    if (capture.isDiff) {
      this.sides = [0, 1].map(() => ({
        own: new Float64Array(this.nodeCount), totals: new Float64Array(this.nodeCount),
      }));
    }
  }

  placeSites() {
    const { capture } = this;
    const { foldRecursion } = this.options;
    const hidden = this.hiddenFrames();
    const tasks = this.options.byTask && capture.hasTasks();
    // Frames that are neither hidden nor folded map one to one, and need no index but for lanes.
    this.index = new ChildIndex(this, hidden || tasks || foldRecursion ? capture.nodeCount : 64);
    const indexed = Boolean(hidden) || tasks || foldRecursion;
    const mapped = new Int32Array(capture.nodeCount);
    const mappedFor = new Int32Array(capture.nodeCount).fill(-1);
    const climbed = [];
    for (const [group, sites] of this.sitesByLane()) {
      const top = this.laneNode(group);
      mapped[0] = top;
      mappedFor[0] = group;
      for (const site of sites) {
        let node = capture.siteNode[site];
        for (; mappedFor[node] !== group; node = capture.nodeParent[node]) climbed.push(node);
        let at = mapped[node];
        while (climbed.length > 0) {
          node = climbed.pop();
          const frame = capture.nodeFrame[node];
          if (tasks && capture.frameKind[frame] === FrameKind.TASK) {
            // In place of the event loop and what called that.
            at = this.childOf(top, frame);
          } else if (!hidden?.[frame]) {
            const folded = foldRecursion ? this.sameFunctionAbove(at, frame, top) : -1;
            if (folded >= 0) at = folded;
            else at = indexed ? this.childOf(at, frame) : this.addNode(at, frame);
            const merged = capture.mergedNodes.get(node);
            if (merged !== undefined) {
              this.mergedNodes.set(at, (this.mergedNodes.get(at) ?? 0) + merged);
            }
          }
          mapped[node] = at;
          mappedFor[node] = group;
        }
        // A stack of nothing but hidden frames still has a bar of its own.
        if (at === top && capture.siteNode[site] !== 0) at = this.childOf(top, capture.hiddenFrame);
        this.siteNodes[site] = at;
      }
    }
    this.index = null;
  }

  // A flag a frame, or null when nothing is hidden.
  hiddenFrames() {
    const { hideImports, hideInternals, byTask } = this.options;
    const hideTasks = !byTask && this.capture.hasTasks();
    if (!hideImports && !hideInternals && !hideTasks) return null;
    const { frameKind, frameIsImport } = this.capture;
    const hidden = new Uint8Array(frameKind.length);
    for (let frame = 0; frame < hidden.length; ++frame) {
      const internal = frameKind[frame] === FrameKind.INTERPRETER;
      const task = frameKind[frame] === FrameKind.TASK;
      hidden[frame] = (hideImports && frameIsImport[frame]) || (hideInternals && internal)
        || (hideTasks && task) ? 1 : 0;
    }
    return hidden;
  }

  sitesByLane() {
    const { capture } = this;
    const groups = new Map();
    for (let site = 0; site < capture.siteCount; ++site) {
      const lane = this.laneDepth === 0 ? 0 : capture.siteLane[site];
      const group = this.laneDepth === 1 ? capture.lanes[lane].process : lane;
      let sites = groups.get(group);
      if (!sites) groups.set(group, (sites = []));
      sites.push(site);
    }
    return groups;
  }

  laneNode(group) {
    if (this.laneDepth === 0) return 0;
    const { lanes } = this.capture;
    const lane = this.laneDepth === 1 ? lanes.find((each) => each.process === group) : lanes[group];
    const process = this.childOf(0, lane.processFrame);
    return this.laneDepth === 1 ? process : this.childOf(process, lane.threadFrame);
  }

  addNode(parent, frame) {
    this.parents.push(parent);
    this.frames.push(frame);
    return this.parents.length - 1;
  }

  childOf(parent, frame) {
    const found = this.index.find(parent, frame);
    if (found >= 0) return found;
    const node = this.addNode(parent, frame);
    this.index.insert(node);
    return node;
  }

  sameFunctionAbove(node, frame, top) {
    const { frameFunction, frameFile } = this.capture;
    for (; node !== top; node = this.parents.values[node]) {
      const other = this.frames.values[node];
      if (frameFunction[other] === frameFunction[frame] && frameFile[other] === frameFile[frame]) {
        return node;
      }
    }
    return -1;
  }

  // Children of node n are childList[childStarts[n] .. childStarts[n + 1]).
  linkChildren() {
    const { parents, nodeCount } = this;
    const starts = new Int32Array(nodeCount + 1);
    for (let node = 1; node < nodeCount; ++node) ++starts[parents[node] + 1];
    for (let node = 0; node < nodeCount; ++node) starts[node + 1] += starts[node];
    const next = starts.slice();
    const list = new Int32Array(Math.max(0, nodeCount - 1));
    for (let node = 1; node < nodeCount; ++node) list[next[parents[node]]++] = node;
    this.childStarts = starts;
    this.childList = list;
    this.numberWalk();
  }

  // A subtree is an interval of walk positions: [walkFirst, walkEnd).
  numberWalk() {
    const { parents, nodeCount, childStarts, childList } = this;
    const sizes = new Int32Array(nodeCount).fill(1);
    for (let node = nodeCount - 1; node > 0; --node) sizes[parents[node]] += sizes[node];
    const first = new Int32Array(nodeCount);
    for (let node = 0; node < nodeCount; ++node) {
      let position = first[node] + 1;
      for (let i = childStarts[node]; i < childStarts[node + 1]; ++i) {
        first[childList[i]] = position;
        position += sizes[childList[i]];
      }
    }
    this.walkFirst = first;
    this.walkSizes = sizes;
  }

  // Fills the numbers: one value a site.
  setValues(values) {
    const { own, totals, mapped, parents, siteNodes, capture } = this;
    own.fill(0);
    mapped.fill(0);
    for (let site = 0; site < values.length; ++site) {
      own[siteNodes[site]] += values[site];
      if (capture.siteIsKernelMap[site]) mapped[siteNodes[site]] += values[site];
    }
    if (capture.isDiff) this.setSides(values);
    totals.set(own);
    for (let node = this.nodeCount - 1; node > 0; --node) totals[parents[node]] += totals[node];
    this.sortedChildren.clear();
  }

  // Of two captures: what each has at a node, and the larger of the two as the node's own width.
  // So a bar is as wide as all that one of them has more than the other, or both have, and stacks
  // of one side only are as wide as they were there.
  setSides(values) {
    const { own, parents, siteNodes, capture, sides } = this;
    for (const side of sides) side.own.fill(0);
    for (let site = 0; site < values.length; ++site) {
      sides[capture.siteLane[site]].own[siteNodes[site]] += values[site];
    }
    for (let node = 0; node < this.nodeCount; ++node) {
      own[node] = Math.max(sides[0].own[node], sides[1].own[node]);
    }
    for (const side of sides) {
      side.totals.set(side.own);
      for (let node = this.nodeCount - 1; node > 0; --node) {
        side.totals[parents[node]] += side.totals[node];
      }
    }
  }

  // {before, after} of a bar, of a diff.
  bothOf(node) {
    return { before: this.sides[0].totals[node], after: this.sides[1].totals[node] };
  }

  // Below: what the drawing and the panel ask of any tree.
  root() {
    return 0;
  }

  parent(node) {
    return this.parents[node];
  }

  frame(node) {
    return this.frames[node];
  }

  total(node) {
    return this.totals[node];
  }

  ownOf(node) {
    return this.own[node];
  }

  // Largest first; those that count for nothing are left out.
  children(node) {
    let sorted = this.sortedChildren.get(node);
    if (!sorted) {
      const { totals } = this;
      sorted = this.childList
        .subarray(this.childStarts[node], this.childStarts[node + 1])
        .filter((child) => totals[child] > 0)
        .sort((a, b) => totals[b] - totals[a] || a - b);
      this.sortedChildren.set(node, sorted);
    }
    return sorted;
  }

  // How many nodes a bar stands for; 0 for an ordinary one.
  mergedCount(node) {
    return this.mergedNodes.get(node) ?? 0;
  }

  isKernelMap(node) {
    return this.own[node] > 0 && this.mapped[node] > this.own[node] / 2;
  }

  contains(ancestor, node) {
    const offset = this.walkFirst[node] - this.walkFirst[ancestor];
    return offset >= 0 && offset < this.walkSizes[ancestor];
  }

  // Calls `visit(site, whether it is the node's own)` with every site below the node.
  forEachSite(node, visit) {
    const { siteNodes } = this;
    for (let site = 0; site < siteNodes.length; ++site) {
      if (this.contains(node, siteNodes[site])) visit(site, siteNodes[site] === node);
    }
  }
}
