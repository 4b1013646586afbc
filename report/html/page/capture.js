// The capture as the page holds it: flat arrays, names decoded when somebody looks at them.

import { formatCount } from './units.js';

// As in report/html/page_model.h, and one of the page's own.
export const FrameKind = {
  PYTHON: 0,
  NATIVE: 1,
  INTERPRETER: 2,
  LABEL: 3,
  OTHERS: 4,
  TASK: 5,
  LANE: 6,
};

export const KIND_NAMES = ['Python', 'native', 'interpreter', 'memlens', 'merged', 'task', 'lane'];

const NEVER = 0xffff;

// As in report/html/page_encoder.cpp: how a node's frame is told.
const NEW_FRAME = 0;
const FIRST_RECENT = 2;
const CALLEES_KEPT = 64;

// As in report/html/site_columns.cpp.
const NONE_TEMPORARY = 0;
const ALL_TEMPORARY = 1;
const SOME_OF_ONE_SIZE = 2;

// -1: before the first.
function bucketOfCell(cell) {
  return (cell - 1) >> 1;
}

function recentCallees(recent, frame) {
  let callees = recent.get(frame);
  if (!callees) recent.set(frame, (callees = []));
  return callees;
}

function moveToFront(list, place) {
  const value = list[place];
  for (let i = place; i > 0; --i) list[i] = list[i - 1];
  list[0] = value;
  return value;
}

function startsOf(counts) {
  const starts = new Int32Array(counts.length + 1);
  for (let i = 0; i < counts.length; ++i) starts[i + 1] = starts[i] + counts[i];
  return starts;
}

export class Capture {
  constructor(columns) {
    this.about = columns.directory;
    this.allocationKinds = columns.directory.allocation_kinds;
    // Two captures side by side: sites of lane 0 are the old one's, of lane 1 the new one's.
    this.isDiff = Boolean(this.about.diff);
    this.readStrings(columns);
    this.readFrames(columns);
    this.readNodes(columns);
    this.readSites(columns);
    this.readTime(columns);
    this.addLanes();
  }

  readStrings(columns) {
    this.stringStarts = startsOf(columns.integers('strings.length'));
    this.stringBytes = columns.raw('strings.text');
    this.decodedStrings = new Array(this.stringStarts.length - 1);
    this.textDecoder = new TextDecoder();
  }

  // Of a value from a later version nothing is known.
  allocationKindName(kind) {
    return this.allocationKinds[kind]?.name ?? 'unknown';
  }

  string(id) {
    let text = this.decodedStrings[id];
    if (text === undefined) {
      const bytes = this.stringBytes.subarray(this.stringStarts[id], this.stringStarts[id + 1]);
      text = this.decodedStrings[id] = this.textDecoder.decode(bytes);
    }
    return text;
  }

  addString(text) {
    this.decodedStrings.push(text);
    return this.decodedStrings.length - 1;
  }

  readFrames(columns) {
    const kinds = columns.integers('frame.kind');
    this.frameFunction = Array.from(columns.integers('frame.function'));
    this.frameFile = Array.from(columns.integers('frame.file'));
    this.frameModule = Array.from(columns.integers('frame.module'));
    this.frameSource = Array.from(columns.integers('frame.source'));
    this.frameLine = Array.from(columns.integers('frame.line'));
    this.frameKind = Array.from(kinds, (kind) => kind >> 1);
    this.frameIsImport = Array.from(kinds, (kind) => (kind & 1) !== 0);
    this.recordedFrameCount = kinds.length;
  }

  addLabelFrame(text, kind = FrameKind.LABEL) {
    this.frameFunction.push(this.addString(text));
    this.frameFile.push(0);
    this.frameModule.push(0);
    this.frameSource.push(0);
    this.frameLine.push(0);
    this.frameKind.push(kind);
    this.frameIsImport.push(false);
    return this.frameFunction.length - 1;
  }

  get frameCount() {
    return this.frameFunction.length;
  }

  readNodes(columns) {
    const up = columns.integers('node.up');
    const codes = columns.integers('node.frame');
    const far = columns.integers('node.far');
    const merged = columns.integers('node.merged');
    const count = up.length + 1;
    const parents = new Int32Array(count);
    const frames = new Int32Array(count);
    const depths = new Int32Array(count);
    this.mergedNodes = new Map();
    this.rootFrame = this.addLabelFrame('all allocations');
    frames[0] = this.rootFrame;
    parents[0] = -1;
    // The last node seen at each depth of the walk.
    const path = [0];
    const recent = new Map();
    let framesSeen = 0;
    let farSeen = 0;
    let othersSeen = 0;
    for (let i = 0; i < up.length; ++i) {
      const node = i + 1;
      const depth = depths[i] + 1 - up[i];
      parents[node] = path[depth - 1];
      depths[node] = depth;
      path[depth] = node;
      const callees = recentCallees(recent, frames[parents[node]]);
      const code = codes[i];
      if (code >= FIRST_RECENT) {
        frames[node] = moveToFront(callees, code - FIRST_RECENT);
      } else {
        frames[node] = code === NEW_FRAME ? framesSeen++ : framesSeen - far[farSeen++];
        if (callees.length === CALLEES_KEPT) callees.pop();
        callees.unshift(frames[node]);
      }
      if (this.frameKind[frames[node]] === FrameKind.OTHERS) {
        this.mergedNodes.set(node, merged[othersSeen++]);
      }
    }
    this.nodeCount = count;
    this.nodeParent = parents;
    this.nodeFrame = frames;
    this.nodeDepth = depths;
  }

  readSites(columns) {
    const node = columns.integers('site.node');
    for (let i = 1; i < node.length; ++i) node[i] += node[i - 1];
    this.siteCount = node.length;
    this.siteNode = node;
    this.siteLane = columns.integers('site.lane');
    this.siteKind = columns.integers('site.kind');
    this.siteIsKernelMap = Uint8Array.from(this.siteKind,
      (kind) => (this.allocationKinds[kind]?.allocator === 'mmap' ? 1 : 0));
    this.siteCells = startsOf(columns.integers('site.cells'));
    this.siteSizes = startsOf(columns.integers('site.sizes'));
    this.readCells(columns);
    this.readTemporary(columns);
    this.readSizes(columns);
  }

  readCells(columns) {
    const allocated = columns.integers('cell.allocated');
    const removed = columns.integers('cell.removed');
    const unfreed = new Uint8Array(removed.length);
    for (let site = 0; site < this.siteCount; ++site) {
      let last = 0;
      for (let i = this.siteCells[site]; i < this.siteCells[site + 1]; ++i) {
        allocated[i] = last += allocated[i];
        unfreed[i] = removed[i] === 0 ? 1 : (removed[i] - 1) & 1;
        removed[i] = removed[i] === 0 ? NEVER : last + ((removed[i] - 1) >> 1);
      }
    }
    this.cellAllocated = allocated;
    this.cellRemoved = removed;
    this.cellUnfreed = unfreed;
    this.cell = { bytes: columns.numbers('cell.bytes'), blocks: columns.numbers('cell.blocks') };
  }

  // Temporary blocks by site and the bucket of their allocation. A site that has any says for each
  // bucket it has cells in: none of these blocks, all, or how many.
  readTemporary(columns) {
    const sites = columns.integers('site.temporary');
    const shares = columns.integers('temporary.share');
    const stored = {
      bytes: columns.numbers('temporary.bytes'),
      blocks: columns.numbers('temporary.blocks'),
    };
    const count = shares.length;
    const found = { bytes: new Float64Array(count), blocks: new Float64Array(count) };
    const buckets = new Int32Array(count);
    const starts = new Int32Array(this.siteCount + 1);
    const { bytes, blocks } = this.cell;
    let share = 0;
    let kept = 0;
    let blocksSeen = 0;
    let bytesSeen = 0;
    for (let site = 0; site < this.siteCount; ++site) {
      starts[site] = kept;
      if (sites[site] === 0) continue;
      for (let i = this.siteCells[site], end = this.siteCells[site + 1]; i < end;) {
        const bucket = bucketOfCell(this.cellAllocated[i]);
        let bytesSum = 0;
        let blocksSum = 0;
        for (; i < end && bucketOfCell(this.cellAllocated[i]) === bucket; ++i) {
          bytesSum += bytes[i];
          blocksSum += blocks[i];
        }
        if (bucket < 0) continue;
        const what = shares[share++];
        if (what === NONE_TEMPORARY) continue;
        const all = what === ALL_TEMPORARY;
        const partBlocks = all ? blocksSum : stored.blocks[blocksSeen++];
        const partBytes = all ? bytesSum
          : what === SOME_OF_ONE_SIZE ? (bytesSum / blocksSum) * partBlocks
            : stored.bytes[bytesSeen++];
        buckets[kept] = bucket;
        found.bytes[kept] = partBytes;
        found.blocks[kept++] = partBlocks;
      }
    }
    starts[this.siteCount] = kept;
    this.siteTemporaries = starts;
    this.temporaryBucket = buckets.subarray(0, kept);
    this.temporary = found;
  }

  // The last class of a site holds the blocks the others leave.
  readSizes(columns) {
    const stored = columns.numbers('size.blocks');
    this.sizeClass = columns.integers('size.class');
    this.sizeBlocks = new Float64Array(this.sizeClass.length);
    let at = 0;
    for (let site = 0; site < this.siteCount; ++site) {
      const end = this.siteSizes[site + 1];
      if (end === this.siteSizes[site]) continue;
      for (let i = this.siteSizes[site] + 1; i < end; ++i) this.sizeClass[i] += this.sizeClass[i - 1];
      let rest = 0;
      for (let i = this.siteCells[site]; i < this.siteCells[site + 1]; ++i) {
        rest += this.cell.blocks[i];
      }
      for (let i = this.siteSizes[site]; i < end - 1; ++i) {
        this.sizeBlocks[i] = stored[at++];
        rest -= this.sizeBlocks[i];
      }
      this.sizeBlocks[end - 1] = rest;
    }
  }

  readTime(columns) {
    this.fromSeconds = this.about.axis_from_seconds;
    this.toSeconds = this.about.axis_to_seconds;
    // Never nothing: times are divided by it.
    this.lengthSeconds = Math.max(1e-6, this.toSeconds - this.fromSeconds);
    this.bucketHighs = columns.numbers('bucket.high');
    this.bucketHighMicroseconds = columns.numbers('bucket.high_microseconds');
    this.bucketCount = this.bucketHighs.length;
    this.curves = [];
    for (const name of columns.names()) {
      const match = /^curve\.([a-z_]+)\.(\d+)$/.exec(name);
      if (!match) continue;
      this.curves.push({
        name: match[1],
        process: Number(match[2]),
        values: columns.numbers(name),
      });
    }
  }

  curve(name, process = 0) {
    return this.curves.find((curve) => curve.name === name && curve.process === process)?.values;
  }

  bucketStartSeconds(bucket) {
    return this.fromSeconds + (this.lengthSeconds * bucket) / this.bucketCount;
  }

  bucketHighSeconds(bucket) {
    return this.fromSeconds + this.bucketHighMicroseconds[bucket] / 1e6;
  }

  // Each thread and each process gets a frame, so that a tree can show it as a bar.
  addLanes() {
    const { processes, lanes } = this.about;
    const processFrames = new Map();
    for (const process of processes) {
      const text = `process ${process.pid}  ${process.name}`;
      processFrames.set(process.index, this.addLabelFrame(text, FrameKind.LANE));
    }
    this.lanes = lanes.map((lane) => {
      const process = processes.find((candidate) => candidate.index === lane.process);
      const name = lane.name ? `thread ${lane.tid}  ${lane.name}` : `thread ${lane.tid}`;
      const short = `${lane.tid} ${lane.name}`.trimEnd();
      const isAlone = processes.length < 2 || !process || process.pid === lane.tid;
      return {
        ...lane,
        label: isAlone ? short : `${short} of ${process.pid}`,
        processFrame: processFrames.get(lane.process),
        threadFrame: this.addLabelFrame(name, FrameKind.LANE),
      };
    });
    this.hiddenFrame = this.addLabelFrame('interpreter and import system (frames hidden)');
  }

  functionName(frame) {
    return this.string(this.frameFunction[frame]);
  }

  fileName(frame) {
    return this.string(this.frameFile[frame]);
  }

  // As people call it: within the directory the program ran in, from there on.
  shownFile(frame) {
    const file = this.fileName(frame);
    const project = `${this.about.working_directory ?? ''}/`;
    return project.length > 1 && file.startsWith(project) ? file.slice(project.length) : file;
  }

  // Where to find it on this machine; nothing for paths that say too little.
  absoluteFile(frame) {
    const file = this.fileName(frame);
    const { working_directory: directory } = this.about;
    if (file === '' || file.startsWith('/')) return file;
    const isProjects = this.frameKind[frame] === FrameKind.PYTHON && !file.startsWith('<');
    return isProjects && directory ? `${directory}/${file}` : '';
  }

  moduleName(frame) {
    return this.string(this.frameModule[frame]);
  }

  sourceText(frame) {
    return this.string(this.frameSource[frame]);
  }

  // path:line, the module for want of a path, or nothing.
  place(frame) {
    const file = this.shownFile(frame);
    if (!file) return this.moduleName(frame);
    return this.frameLine[frame] > 0 ? `${file}:${this.frameLine[frame]}` : file;
  }

  // What a search looks at.
  searchText(frame) {
    return `${this.functionName(frame)} ${this.place(frame)} ${this.sourceText(frame)}`;
  }

  hasTasks() {
    return this.frameKind.includes(FrameKind.TASK);
  }

  isOthers(frame) {
    return this.frameKind[frame] === FrameKind.OTHERS;
  }

  // Of a bar: its function, or how many it stands for.
  barName(tree, node) {
    const frame = tree.frame(node);
    return this.isOthers(frame) ? this.othersLabel(tree.mergedCount(node)) : this.functionName(frame);
  }

  othersLabel(count) {
    return `${formatCount(count)} ${count === 1 ? 'other' : 'others'}`;
  }
}
