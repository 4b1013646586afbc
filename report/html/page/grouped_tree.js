// Trees that gather many nodes of the call tree under one bar, grown only where somebody looks:
// the inverted graph, and the callers and callees of a function. Growing all of an inverted tree
// could take a node per frame of every stack.

// A group is {parent, frame, level, total, members, amounts, cursors, children}: member i counts
// for amounts[i] and is looked at from the call tree's node cursors[i].
class GroupedTree {
  constructor(source) {
    this.source = source;
    this.capture = source.capture;
    this.groups = [];
  }

  addGroup(parent, frame, level) {
    const group = { parent, frame, level, total: 0, children: null };
    Object.assign(group, { members: [], amounts: [], cursors: [] });
    this.groups.push(group);
    return this.groups.length - 1;
  }

  addMember(node, member, amount, cursor) {
    const group = this.groups[node];
    group.members.push(member);
    group.amounts.push(amount);
    group.cursors.push(cursor);
    group.total += amount;
  }

  children(node) {
    const group = this.groups[node];
    if (!group.children) {
      const byFrame = new Map();
      this.step(group, (member, amount, cursor) => {
        const frame = this.source.frames[cursor];
        let child = byFrame.get(frame);
        if (child === undefined) {
          byFrame.set(frame, (child = this.addGroup(node, frame, group.level + 1)));
        }
        this.addMember(child, member, amount, cursor);
      });
      const size = (child) => this.groups[child].total;
      group.children = [...byFrame.values()].sort((a, b) => size(b) - size(a) || a - b);
    }
    return group.children;
  }

  root() {
    return 0;
  }

  parent(node) {
    return this.groups[node].parent;
  }

  frame(node) {
    return this.groups[node].frame;
  }

  total(node) {
    return this.groups[node].total;
  }

  // {before, after} of a bar, of a diff. `part`: what of the call tree its members count with.
  sumBoth(node, part) {
    const [before, after] = this.source.sides.map((side) =>
      this.groups[node].members.reduce((sum, member) => sum + side[part][member], 0));
    return { before, after };
  }

  mergedCount(node) {
    let count = 0;
    if (this.source.mergedNodes.size > 0) {
      for (const cursor of this.groups[node].cursors) count += this.source.mergedCount(cursor);
    }
    return count;
  }

  isKernelMap() {
    return false;
  }
}

// Leaf first, below the lanes where threads are split. A member is the node where stacks end; its
// cursor climbs from there.
export class InvertedTree extends GroupedTree {
  constructor(source) {
    super(source);
    this.addGroup(-1, this.capture.rootFrame, 0);
    for (let node = 0; node < source.nodeCount; ++node) {
      if (source.own[node] > 0) this.addMember(0, node, source.own[node], node);
    }
  }

  step(group, add) {
    const { parents, laneDepth } = this.source;
    group.members.forEach((member, i) => {
      let cursor;
      if (group.level < laneDepth) {
        cursor = this.laneAbove(member, group.level + 1);
      } else {
        cursor = group.level === laneDepth ? member : parents[group.cursors[i]];
        if (this.isLane(cursor) && cursor !== member) return;
      }
      add(member, group.amounts[i], cursor);
    });
  }

  isLane(node) {
    const { parents, laneDepth } = this.source;
    for (let climbed = 0; climbed < laneDepth && node > 0; ++climbed) node = parents[node];
    return node <= 0;
  }

  laneAbove(node, depth) {
    const { parents } = this.source;
    const path = [];
    for (; node > 0; node = parents[node]) path.push(node);
    return path[path.length - depth];
  }

  bothOf(node) {
    return this.sumBoth(node, 'own');
  }

  // What a stack holds belongs to its innermost frame.
  isInnermost(node) {
    return this.groups[node].level === this.source.laneDepth + 1;
  }

  ownOf(node) {
    return this.isInnermost(node) ? this.total(node) : 0;
  }

  isKernelMap(node) {
    if (!this.isInnermost(node)) return false;
    let mapped = 0;
    for (const member of this.groups[node].members) mapped += this.source.mapped[member];
    return mapped > this.total(node) / 2;
  }

  forEachSite(node, visit) {
    const wanted = new Uint8Array(this.source.nodeCount);
    for (const member of this.groups[node].members) wanted[member] = 1;
    const { siteNodes } = this.source;
    const own = this.isInnermost(node);
    for (let site = 0; site < siteNodes.length; ++site) {
      if (wanted[siteNodes[site]]) visit(site, own);
    }
  }
}

// Occurrences of a frame that are not below another of them: their totals add up to the frame's,
// with nothing counted twice.
export function outermostOccurrences(tree, matches) {
  const { nodeCount, parents, frames, totals } = tree;
  const inside = new Uint8Array(nodeCount);
  const outermost = [];
  for (let node = 0; node < nodeCount; ++node) {
    const above = node > 0 && inside[parents[node]] === 1;
    const match = matches(frames[node]);
    if (match && !above && totals[node] > 0) outermost.push(node);
    inside[node] = above || match ? 1 : 0;
  }
  return outermost;
}

// Members are subtrees of the call tree.
class OccurrencesTree extends GroupedTree {
  constructor(source, occurrences) {
    super(source);
    this.addGroup(-1, occurrences.length > 0 ? source.frames[occurrences[0]] : source.frames[0], 0);
    for (const node of occurrences) this.addMember(0, node, source.totals[node], node);
  }

  bothOf(node) {
    return this.sumBoth(node, 'totals');
  }

  forEachSite(node, visit) {
    const { siteNodes, walkFirst, walkSizes, nodeCount } = this.source;
    const wanted = new Uint8Array(nodeCount);
    const members = new Set(this.groups[node].members);
    for (const member of members) {
      wanted.fill(1, walkFirst[member], walkFirst[member] + walkSizes[member]);
    }
    for (let site = 0; site < siteNodes.length; ++site) {
      if (wanted[walkFirst[siteNodes[site]]]) visit(site, members.has(siteNodes[site]));
    }
  }
}

// Who called the occurrences: one step up per level.
export class CallersTree extends OccurrencesTree {
  step(group, add) {
    const { parents } = this.source;
    group.members.forEach((member, i) => {
      const cursor = parents[group.cursors[i]];
      if (cursor > 0) add(member, group.amounts[i], cursor);
    });
  }

  ownOf() {
    return 0;
  }
}

// What the occurrences called: the union of their subtrees.
export class CalleesTree extends OccurrencesTree {
  step(group, add) {
    const { childStarts, childList, totals } = this.source;
    for (const member of group.members) {
      for (let i = childStarts[member]; i < childStarts[member + 1]; ++i) {
        const child = childList[i];
        if (totals[child] > 0) add(child, totals[child], child);
      }
    }
  }

  ownOf(node) {
    let own = 0;
    for (const member of this.groups[node].members) own += this.source.own[member];
    return own;
  }
}
