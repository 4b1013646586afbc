// The side panel: everything known about one bar.

import { KIND_NAMES } from './capture.js';
import { announce, byId, element } from './dom.js';
import { editorUrl } from './editor.js';
import { highestOf } from './live_curve.js';
import { sparkline } from './sparkline.js';
import {
  formatBytes, formatChange, formatCount, formatExact, formatSeconds, formatShare, formatSizeClass,
} from './units.js';

const CONTEXT_LINES = 6;
const LARGEST_STACK_SHOWN = 80;
const LARGEST_LIST = 8;

// What is larger than zero, as [index, amount], largest first.
function nonzero(amounts) {
  const pairs = [];
  amounts.forEach((amount, i) => amount > 0 && pairs.push([i, amount]));
  return pairs.sort((a, b) => b[1] - a[1]);
}

// Adds up a node's sites: bytes and blocks, own and total, by allocator, thread and size.
function measure(tree, node, capture, values) {
  const { siteKind, siteLane, siteSizes, sizeClass, sizeBlocks } = capture;
  const total = { bytes: 0, blocks: 0 };
  const own = { bytes: 0, blocks: 0 };
  const kinds = new Float64Array(256);
  const lanes = new Float64Array(capture.lanes.length);
  const sizes = new Float64Array(65);
  let sizesAreExact = true;
  tree.forEachSite(node, (site, isOwn) => {
    const blocks = values.blocks[site];
    const bytes = values.bytes[site];
    if (blocks === 0 && bytes === 0) return;
    total.bytes += bytes;
    total.blocks += blocks;
    if (isOwn) {
      own.bytes += bytes;
      own.blocks += blocks;
    }
    kinds[siteKind[site]] += bytes;
    lanes[siteLane[site]] += bytes;
    // Sizes are known of all that a place ever allocated. Where that was of several sizes and the
    // view has a part of it, the part is taken to be like the whole.
    const [first, end] = [siteSizes[site], siteSizes[site + 1]];
    let ever = 0;
    for (let i = first; i < end; ++i) ever += sizeBlocks[i];
    if (ever === 0) return;
    if (end - first > 1 && blocks !== ever) sizesAreExact = false;
    for (let i = first; i < end; ++i) sizes[sizeClass[i]] += (sizeBlocks[i] * blocks) / ever;
  });
  sizes.forEach((blocks, i) => { sizes[i] = Math.round(blocks); });
  return {
    sizesAreExact,
    total, own, allocators: nonzero(kinds), lanes: nonzero(lanes), sizes: nonzero(sizes),
  };
}

// Frames from the bar to the root of its stack; inverted trees hold them the other way round.
function stackOf(tree, node, inverted) {
  const frames = [];
  for (let at = node; tree.parent(at) >= 0; at = tree.parent(at)) frames.push([tree.frame(at), at]);
  return inverted ? frames.reverse() : frames;
}

function stackText(capture, frames) {
  return frames
    .map(([frame]) => {
      const place = capture.place(frame);
      const source = capture.sourceText(frame);
      return `${capture.functionName(frame)}${place ? ` (${place})` : ''}${source ? `\n    ${source}` : ''}`;
    })
    .join('\n');
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element('textarea', {}, text);
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  announce('Stack copied');
}

export class Panel {
  // handlers: onSandwich(frame), onShow(node)
  constructor(capture, handlers) {
    this.capture = capture;
    this.handlers = handlers;
    this.container = byId('panel-content');
  }

  // context: {values: {bytes, blocks}, whole, viewTitle, inverted, row, curve}. whole: what the view
  // holds. curve: of what the bar held over time; null: there is none.
  // row: of the table, where the bar stands for all of a function, file or module.
  show(tree, node, context) {
    const { capture } = this;
    const frame = tree.frame(node);
    const sums = measure(tree, node, capture, context.values);
    const sections = [
      this.title(tree, node, frame, context.row),
      this.actions(tree, node, frame, context),
      this.source(frame, context.row),
      capture.isDiff
        ? this.changes(tree, node, context)
        : this.numbers(tree, node, sums, context),
      capture.isDiff
        ? null
        : this.bars('Allocated with', sums.allocators, (kind) => capture.allocationKindName(kind)),
      capture.lanes.length > 1 && !capture.isDiff
        ? this.bars('By thread', sums.lanes, (lane) => capture.lanes[lane].label)
        : null,
      this.overTime(context.curve),
      this.histogram(sums.sizes, sums.sizesAreExact),
      this.stack(tree, node, context.inverted),
    ];
    this.container.replaceChildren(...sections.filter(Boolean));
  }

  title(tree, node, frame, row) {
    const { capture } = this;
    const name = row ? row.name : capture.barName(tree, node);
    const place = row ? row.place : capture.place(frame);
    const kind = tree.isKernelMap(node) ? 'mapped memory' : KIND_NAMES[capture.frameKind[frame]];
    const module = capture.moduleName(frame);
    return element('div', { class: 'panel-title' },
      element('h2', { title: name }, name),
      element('span', { class: 'kind' }, frame === capture.rootFrame ? 'everything' : kind),
      place ? element('div', { class: 'path', title: capture.fileName(frame) }, place) : null,
      module && module !== place && module !== name
        ? element('div', { class: 'path quiet' }, module) : null,
      capture.isOthers(frame) ? element('p', { class: 'quiet' },
        'Small bars of this place, merged to keep the page small: below stands who allocates, the way '
        + 'there is left out. A larger --budget shows more of it.') : null);
  }

  actions(tree, node, frame, context) {
    const { capture } = this;
    if (frame === capture.rootFrame) return null;
    const url = editorUrl(capture.absoluteFile(frame), capture.frameLine[frame]);
    const stack = () => stackOf(tree, node, context.inverted);
    return element('div', { class: 'actions' },
      element('button', { id: 'copy-stack', onclick: () => copyText(stackText(capture, stack())) },
        'Copy stack'),
      url ? element('a', { id: 'open-editor', class: 'button', href: url }, 'Open in editor') : null,
      element('button', { id: 'show-callers', onclick: () => this.handlers.onSandwich(frame) },
        'Callers and callees'));
  }

  // The recorded lines of the same file around this one, or all of a function; lines nobody
  // allocated at are not stored.
  source(frame, row) {
    const { capture } = this;
    const { frameFile, frameFunction, frameLine, frameSource } = capture;
    if (row && row.group !== 'function') return null;
    const line = row ? -1 : frameLine[frame];
    const isWanted = row
      ? (other) => frameFunction[other] === frameFunction[frame]
      : (other) => frameSource[frame] && Math.abs(frameLine[other] - line) <= CONTEXT_LINES;
    const nearby = new Map();
    for (let other = 0; other < capture.recordedFrameCount; ++other) {
      if (frameFile[other] !== frameFile[frame] || !frameSource[other] || !isWanted(other)) continue;
      nearby.set(frameLine[other], capture.sourceText(other));
    }
    if (nearby.size === 0) return null;
    const rows = [...nearby].sort((a, b) => a[0] - b[0]).map(([number, text], i, all) =>
      element('div', {
        class: (number === line ? 'line is-current' : 'line')
          + (i > 0 && all[i - 1][0] !== number - 1 ? ' has-gap' : ''),
      }, element('span', { class: 'line-number' }, String(number)), element('code', {}, text)));
    return element('section', { class: 'source', 'aria-label': 'Source' }, ...rows);
  }

  numbers(tree, node, sums, context) {
    const parent = tree.parent(node);
    const row = (title, bytes, blocks) => element('tr', {},
      element('th', { scope: 'row' }, title),
      element('td', { title: formatExact(bytes, 'bytes') }, formatBytes(bytes)),
      element('td', { title: formatExact(blocks, 'blocks') }, formatCount(blocks)));
    const share = (title, part, of, id) => element('tr', {},
      element('th', { scope: 'row' }, title),
      element('td', { id, colspan: 2 }, formatShare(part, of)));
    return element('section', {},
      element('h3', {}, context.viewTitle),
      element('table', { class: 'numbers' },
        element('thead', {}, element('tr', {}, element('td'),
          element('th', { scope: 'col' }, 'bytes'), element('th', { scope: 'col' }, 'blocks'))),
        element('tbody', {},
          row('Total', sums.total.bytes, sums.total.blocks),
          row('Own', sums.own.bytes, sums.own.blocks),
          share('Of the view', tree.total(node), context.whole, 'share-of-view'),
          parent >= 0
            ? share('Of the parent', tree.total(node), tree.total(parent), 'share-of-parent')
            : null)));
  }

  // Of two captures: what each has, in bytes and blocks.
  changes(tree, node, context) {
    const sums = [0, 1].map(() => ({ bytes: 0, blocks: 0 }));
    const { siteLane } = this.capture;
    tree.forEachSite(node, (site) => {
      sums[siteLane[site]].bytes += context.values.bytes[site];
      sums[siteLane[site]].blocks += context.values.blocks[site];
    });
    const [before, after] = sums;
    const row = (title, id, bytes, blocks) => element('tr', { id },
      element('th', { scope: 'row' }, title), element('td', {}, bytes), element('td', {}, blocks));
    const amounts = (title, id, side) =>
      row(title, id, formatBytes(side.bytes), formatCount(side.blocks));
    const change = (metric) => formatChange({ before: before[metric], after: after[metric] }, metric);
    return element('section', {},
      element('h3', {}, context.viewTitle),
      element('table', { class: 'numbers' },
        element('thead', {}, element('tr', {}, element('td'),
          element('th', { scope: 'col' }, 'bytes'), element('th', { scope: 'col' }, 'blocks'))),
        element('tbody', {},
          amounts('Old', 'old-amounts', before),
          amounts('New', 'new-amounts', after),
          row('Change', 'changed-amounts', change('bytes'), change('blocks')))));
  }

  // sorted: [key, amount], largest first
  bars(title, sorted, nameOf) {
    if (sorted.length === 0) return null;
    const sum = sorted.reduce((total, [, amount]) => total + amount, 0);
    // One more takes no more room than saying so.
    const count = sorted.length > LARGEST_LIST + 1 ? LARGEST_LIST : sorted.length;
    const shown = sorted.slice(0, count).map(([key, amount]) => [nameOf(key), amount]);
    const rest = sorted.slice(count).reduce((total, [, amount]) => total + amount, 0);
    if (count < sorted.length) shown.push([this.capture.othersLabel(sorted.length - count), rest]);
    return element('section', {}, element('h3', {}, title),
      ...shown.map(([name, amount]) => amountBar(name, formatBytes(amount), sum > 0 ? amount / sum : 0)));
  }

  overTime(curve) {
    if (!curve) return null;
    const highest = highestOf(curve);
    if (!(curve[highest] > 0)) return null;
    const seconds = this.capture.bucketHighSeconds(highest);
    return element('section', { id: 'over-time' },
      element('h3', { title: 'What was alive of it, over the whole recording' }, 'Alive over time'),
      element('div', { class: 'over-time' }, sparkline([...curve]),
        element('span', {}, `at most ${formatBytes(curve[highest])} at ${formatSeconds(seconds)}`)));
  }

  histogram(sizes, isExact) {
    if (sizes.length === 0) return null;
    const most = sizes[0][1];
    const ascending = sizes.toSorted((a, b) => a[0] - b[0]);
    return element('section', { id: 'size-histogram' },
      element('h3', {
        title: isExact ? 'The blocks that this view counts'
          : 'Estimated: of places that allocate blocks of several sizes, what this view has of them is '
            + 'taken to be like all of them',
      }, isExact ? 'Sizes of these blocks' : 'Sizes of these blocks, about'),
      ...ascending.map(([sizeClass, blocks]) =>
        amountBar(formatSizeClass(sizeClass), formatCount(blocks), blocks / most)));
  }

  stack(tree, node, inverted) {
    const { capture } = this;
    const frames = stackOf(tree, node, inverted);
    if (frames.length === 0) return null;
    const items = frames.slice(0, LARGEST_STACK_SHOWN).map(([frame, at]) => element('li', {},
      element('button', {
        class: at === node ? 'is-current' : '',
        title: capture.place(frame),
        onclick: () => this.handlers.onShow(at),
      }, capture.barName(tree, at))));
    if (frames.length > LARGEST_STACK_SHOWN) {
      items.push(element('li', { class: 'quiet' }, `\u2026 ${frames.length - LARGEST_STACK_SHOWN} more`));
    }
    return element('section', { class: 'stack' },
      element('h3', {}, 'Stack, innermost first'), element('ol', {}, ...items));
  }
}

function amountBar(name, amount, share) {
  const bar = element('i', { class: 'amount-bar' });
  bar.style.width = `${100 * share}%`;
  return element('div', { class: 'amount' },
    element('span', { class: 'amount-name', title: name }, name),
    element('span', { class: 'amount-track' }, bar),
    element('span', { class: 'amount-value' }, amount));
}
