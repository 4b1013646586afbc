// The flame graph: draws the window onto a tree, and turns pointer and keys into nodes.

import { CANVAS_FONT, element, fitCanvas, prefersReducedMotion } from './dom.js';
import { OTHERS, barAt, depthOf, layOut, startOf } from './layout.js';
import { formatChange, formatMetric } from './units.js';

const ROW = 21;
const FONT_PIXELS = 12;
const PADDING = 6;
const MINIMUM_TEXT = 28;
const ZOOM_MILLISECONDS = 180;
// A window is not narrower than so small a part of the whole: bars would be wider than numbers are exact.
const NARROWEST = 1e-9;
// Opacity of what a bar holds but did not allocate itself, when own bytes are to stand out.
const PALE = 0.3;

export class FlameView {
  // handlers: onHover(node, bar, event), onSelect(node), onZoom(node), onLeave(), and, if wanted,
  // onDraw()
  // firstDepth: 1 leaves out the root's own bar.
  constructor(container, capture, handlers, label, { firstDepth = 0 } = {}) {
    this.firstDepth = firstDepth;
    this.capture = capture;
    this.handlers = handlers;
    this.container = container;
    this.canvas = element('canvas', {
      class: 'flame-canvas',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'flame graph',
      'aria-label': label,
    });
    this.spacer = element('div', { class: 'flame-spacer' }, this.canvas);
    container.append(this.spacer);
    this.focus = 0;
    this.selected = -1;
    this.hovered = -1;
    this.matches = null;
    this.upwards = false;
    this.textWidths = new Map();
    this.paper = null;
    this.listen();
  }

  listen() {
    const { canvas, container } = this;
    canvas.addEventListener('mousemove', (event) => this.pointerMoved(event));
    canvas.addEventListener('mouseleave', () => this.hover(-1, null));
    canvas.addEventListener('click', (event) => this.clicked(event));
    canvas.addEventListener('keydown', (event) => this.keyPressed(event));
    canvas.addEventListener('focus', () => this.requestDraw());
    canvas.addEventListener('blur', () => this.requestDraw());
    container.addEventListener('scroll', () => this.requestDraw());
    this.resizes = new ResizeObserver(() => this.resized());
    this.resizes.observe(container);
  }

  // fill: what a bar's full colour is as wide as, 'total' or 'own'
  setTree(tree, { metric, palette, upwards, fill = 'total' }) {
    const turned = upwards !== this.upwards;
    this.fill = fill;
    this.tree = tree;
    this.metric = metric;
    this.palette = palette;
    this.upwards = upwards;
    this.focus = tree.root();
    this.selected = -1;
    this.hovered = -1;
    this.window = this.windowOf(this.focus);
    this.stopAnimation();
    this.layOutNow();
    if (turned) this.container.scrollTop = upwards ? this.contentHeight() : 0;
  }

  setMatches(matches) {
    this.matches = matches;
    this.requestDraw();
  }

  setPalette(palette) {
    this.palette = palette;
    this.requestDraw();
  }

  // The window onto the tree that shows a node at full width.
  windowOf(node) {
    const from = startOf(this.tree, node);
    return { from, to: from + this.tree.total(node) };
  }

  zoomTo(node, { animate = true } = {}) {
    this.focus = node;
    const target = this.windowOf(node);
    this.scrollToFocus();
    if (!animate || prefersReducedMotion()) {
      this.stopAnimation();
      this.window = target;
      this.layOutNow();
      this.scrollToFocus();
      return;
    }
    this.animateTo(target);
  }

  animateTo(target) {
    this.stopAnimation();
    const origin = { ...this.window };
    let started;
    const step = (now) => {
      started ??= now;
      const t = Math.min(1, (now - started) / ZOOM_MILLISECONDS);
      const eased = 1 - (1 - t) ** 3;
      this.window = {
        from: origin.from + (target.from - origin.from) * eased,
        to: origin.to + (target.to - origin.to) * eased,
      };
      if (t === 1) this.window = target;
      this.layOutNow({ keepHeight: t < 1 });
      this.draw();
      this.animation = t < 1 ? requestAnimationFrame(step) : 0;
      if (t === 1) this.scrollToFocus();
    };
    this.animation = requestAnimationFrame(step);
  }

  stopAnimation() {
    if (this.animation) cancelAnimationFrame(this.animation);
    this.animation = 0;
  }

  // Whether the window is another than that of the bar zoomed to.
  isFree() {
    const { from, to } = this.windowOf(this.focus);
    return !this.animation && (this.window.from !== from || this.window.to !== to);
  }

  // Any window, kept within the whole.
  moveWindow({ from, to }) {
    this.stopAnimation();
    const whole = this.tree.total(this.tree.root());
    const span = Math.min(whole, Math.max(to - from, whole * NARROWEST));
    const start = Math.min(Math.max(0, from), whole - span);
    this.window = { from: start, to: start + span };
    this.layOutNow();
  }

  // What is `x` pixels from the left stays there. factor: of the window's width.
  zoomAround(x, factor) {
    const { from, to } = this.window;
    const at = from + ((to - from) * x) / this.width;
    this.moveWindow({ from: at - (at - from) * factor, to: at + (to - at) * factor });
  }

  pan(pixels) {
    const { from, to } = this.window;
    const by = ((to - from) * pixels) / this.width;
    this.moveWindow({ from: from + by, to: to + by });
  }

  // What the drawing has to fit: on paper, what was asked for.
  get box() {
    return this.paper ?? this.container;
  }

  // paper: {clientWidth, clientHeight}, or null for the window again.
  setPaper(paper) {
    this.paper = paper;
    this.resized();
  }

  resized() {
    if (!this.tree) return;
    this.layOutNow();
    this.draw();
  }

  layOutNow({ keepHeight = false } = {}) {
    this.width = Math.max(50, this.box.clientWidth);
    this.bars = layOut(this.tree, { ...this.window, width: this.width });
    if (!keepHeight) this.spacer.style.height = `${this.contentHeight()}px`;
    this.requestDraw();
  }

  rowsHeight() {
    return (this.bars.deepest + 1 - this.firstDepth) * ROW + 2;
  }

  contentHeight() {
    return Math.max(this.rowsHeight(), this.box.clientHeight);
  }

  // Icicles hang from the top, flames stand on the bottom.
  topOf(depth) {
    const row = depth - this.firstDepth;
    return this.upwards ? this.contentHeight() - (row + 1) * ROW : row * ROW;
  }

  depthAt(y) {
    return this.firstDepth + Math.floor((this.upwards ? this.contentHeight() - y : y) / ROW);
  }

  scrollToFocus() {
    this.scrollIntoView(depthOf(this.tree, this.focus));
  }

  scrollIntoView(depth) {
    const top = this.topOf(depth);
    const { scrollTop, clientHeight } = this.container;
    if (top < scrollTop + ROW || top + 2 * ROW > scrollTop + clientHeight) {
      this.container.scrollTop = top - (this.upwards ? clientHeight - 4 * ROW : 3 * ROW);
    }
  }

  requestDraw() {
    if (this.drawRequest) return;
    this.drawRequest = requestAnimationFrame(() => {
      this.drawRequest = 0;
      this.draw();
    });
  }

  draw() {
    if (!this.bars || !this.palette) return;
    const height = this.box.clientHeight;
    if (height === 0) return;
    const context = fitCanvas(this.canvas, this.width, height);
    const scrollTop = this.paper ? 0 : this.container.scrollTop;
    context.clearRect(0, 0, this.width, height);
    context.font = `${FONT_PIXELS}px ${CANVAS_FONT}`;
    context.textBaseline = 'middle';
    const { bars } = this;
    for (let i = 0; i < bars.count; ++i) {
      if (bars.depth[i] < this.firstDepth) continue;
      const top = this.topOf(bars.depth[i]) - scrollTop;
      if (top + ROW > 0 && top < height) this.drawBar(context, i, top);
    }
    this.drawOutline(context, this.hovered, scrollTop, this.palette.strong, 1);
    this.drawOutline(context, this.selected, scrollTop, this.palette.accent, 2);
    this.handlers.onDraw?.();
  }

  drawBar(context, i, top) {
    const { bars, tree, capture, palette, matches } = this;
    const left = bars.left[i];
    const width = Math.max(0.6, bars.right[i] - left - (bars.right[i] - left > 3 ? 1 : 0));
    const node = bars.node[i];
    const isOthers = node === OTHERS;
    const frame = isOthers ? -1 : tree.frame(node);
    const matched = !isOthers && matches !== null && matches[frame] === 1;
    const opacity = matches === null || matched ? 1 : 0.32;
    context.globalAlpha = opacity;
    context.fillStyle = isOthers
      ? palette.others()
      : capture.isDiff ? palette.change(tree.bothOf(node))
        : palette.bar(capture, frame, tree.isKernelMap(node));
    if (this.fill === 'own' && !isOthers) {
      context.globalAlpha = opacity * PALE;
      context.fillRect(left, top, width, ROW - 1);
      context.globalAlpha = opacity;
      const own = this.ownWidth(i, left + width);
      context.fillRect(left + width - own, top, own, ROW - 1);
    } else {
      context.fillRect(left, top, width, ROW - 1);
    }
    if (isOthers || capture.isOthers(frame)) {
      this.drawHatching(context, left, top, width);
    } else if (this.fill === 'total' && width >= 3) {
      this.drawOwnLine(context, this.ownWidth(i, left + width), top, left + width);
    }
    if (matched) {
      context.fillStyle = palette.mark;
      context.fillRect(left, top, width, 2);
    }
    if (width >= MINIMUM_TEXT) this.drawLabel(context, i, left, top, width);
    context.globalAlpha = 1;
  }

  // A bar that stands for several: thin strokes, quiet enough to read over.
  drawHatching(context, left, top, width) {
    if (width < 4) return;
    context.save();
    context.beginPath();
    context.rect(left, top, width, ROW - 1);
    context.clip();
    context.strokeStyle = this.palette.line;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = left - ROW; x < left + width; x += 7) {
      context.moveTo(x, top + ROW);
      context.lineTo(x + ROW, top);
    }
    context.stroke();
    context.restore();
  }

  // What the frame allocated itself, as a part of its bar; children stand to the left of it.
  ownWidth(i, right) {
    return Math.max(0, right - this.bars.ownLeft[i]);
  }

  drawOwnLine(context, width, top, right) {
    context.fillStyle = this.palette.ownLine;
    context.fillRect(right - width, top + ROW - 3, width, 2);
  }

  drawLabel(context, i, left, top, width) {
    const { bars, tree, capture, palette } = this;
    const node = bars.node[i];
    const room = width - 2 * PADDING;
    const middle = top + ROW / 2 - 0.5;
    let name;
    let detail = '';
    if (node === OTHERS) {
      const { count, total } = bars.others.get(i);
      name = `${capture.othersLabel(count)}, ${formatMetric(total, this.metric)}`;
    } else {
      const frame = tree.frame(node);
      name = capture.barName(tree, node);
      detail = capture.isDiff
        ? formatChange(tree.bothOf(node), this.metric)
        : capture.isOthers(frame)
          ? formatMetric(tree.total(node), this.metric)
          : barDetail(capture, frame);
    }
    context.fillStyle = palette.text;
    const used = this.fillText(context, name, left + PADDING, middle, room);
    if (detail && room - used > 40) {
      context.fillStyle = palette.quietText;
      this.fillText(context, detail, left + PADDING + used + 10, middle, room - used - 10);
    }
  }

  // Writes as much as fits; returns the width written.
  fillText(context, text, x, y, room) {
    const width = this.textWidth(context, text);
    if (width <= room) {
      context.fillText(text, x, y);
      return width;
    }
    let fitting = Math.floor((text.length * room) / width);
    let cut = `${text.slice(0, fitting)}\u2026`;
    while (fitting > 0 && context.measureText(cut).width > room) {
      cut = `${text.slice(0, --fitting)}\u2026`;
    }
    if (fitting > 1) context.fillText(cut, x, y);
    return room;
  }

  textWidth(context, text) {
    let width = this.textWidths.get(text);
    if (width === undefined) {
      if (this.textWidths.size > 20000) this.textWidths.clear();
      this.textWidths.set(text, (width = context.measureText(text).width));
    }
    return width;
  }

  drawOutline(context, node, scrollTop, color, lineWidth) {
    if (node < 0) return;
    const { bars } = this;
    for (let i = 0; i < bars.count; ++i) {
      if (bars.node[i] !== node) continue;
      const top = this.topOf(bars.depth[i]) - scrollTop;
      const width = Math.max(2, bars.right[i] - bars.left[i] - 1);
      context.strokeStyle = color;
      context.lineWidth = lineWidth;
      const inset = lineWidth / 2;
      context.strokeRect(
        bars.left[i] + inset, top + inset, width - lineWidth, ROW - 1 - lineWidth);
      return;
    }
  }

  barUnder(event) {
    const box = this.canvas.getBoundingClientRect();
    const y = event.clientY - box.top + this.container.scrollTop;
    return barAt(this.bars, event.clientX - box.left, this.depthAt(y));
  }

  pointerMoved(event) {
    const bar = this.barUnder(event);
    this.hover(bar, event);
  }

  hover(bar, event) {
    const node = bar < 0 ? -1 : this.bars.node[bar];
    const changed = node !== this.hovered;
    this.hovered = node;
    this.canvas.style.cursor = bar >= 0 ? 'pointer' : 'default';
    if (changed) this.requestDraw();
    if (bar < 0) this.handlers.onLeave();
    else this.handlers.onHover(node, this.bars.others.get(bar), event);
  }

  clicked(event) {
    const bar = this.barUnder(event);
    if (bar < 0) return;
    const node = this.bars.node[bar];
    if (node === OTHERS) {
      this.zoomToOthers(bar);
      return;
    }
    this.select(node);
    this.handlers.onZoom(node);
  }

  // Merged bars hold no one node: widen the window until what they hold can be seen.
  zoomToOthers(bar) {
    const { from, to } = this.window;
    const scale = (to - from) / this.width;
    const target = {
      from: from + this.bars.left[bar] * scale,
      to: from + this.bars.right[bar] * scale,
    };
    if (prefersReducedMotion()) this.moveWindow(target);
    else this.animateTo(target);
  }

  select(node) {
    this.selected = node;
    this.requestDraw();
    this.handlers.onSelect(node);
  }

  keyPressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.tree) return;
    const at = this.selected >= 0 ? this.selected : this.focus;
    const move = {
      ArrowDown: () => (this.upwards ? this.tree.parent(at) : this.firstChild(at)),
      ArrowUp: () => (this.upwards ? this.firstChild(at) : this.tree.parent(at)),
      ArrowLeft: () => this.sibling(at, -1),
      ArrowRight: () => this.sibling(at, 1),
      Home: () => this.focus,
    }[event.key];
    if (move) {
      event.preventDefault();
      const node = this.selected < 0 ? this.focus : move();
      if (node >= 0) this.moveTo(node);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.handlers.onZoom(at);
    }
  }

  firstChild(node) {
    return this.tree.children(node)[0] ?? -1;
  }

  sibling(node, step) {
    const parent = this.tree.parent(node);
    if (parent < 0) return -1;
    const siblings = this.tree.children(parent);
    return siblings[siblings.indexOf(node) + step] ?? -1;
  }

  moveTo(node) {
    const { from, to } = this.windowOf(node);
    const outside = to <= this.window.from || from >= this.window.to;
    if (outside) this.handlers.onZoom(this.tree.parent(node) >= 0 ? this.tree.parent(node) : node);
    this.scrollIntoView(depthOf(this.tree, node));
    this.select(node);
  }
}

// Of a module the file says which it is.
function barDetail(capture, frame) {
  const source = capture.sourceText(frame);
  if (!source) return shortPlace(capture, frame);
  return capture.functionName(frame) === '<module>' ? `${shortPlace(capture, frame)}  ${source}` : source;
}

function shortPlace(capture, frame) {
  const place = capture.place(frame);
  return place.slice(place.lastIndexOf('/') + 1);
}
