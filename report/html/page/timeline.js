// Memory over time, always in view: tracked heap, resident set, births and marks; and the range.

import { CANVAS_FONT, byId, element, fitCanvas } from './dom.js';
import { byteAxis, formatBytes, formatSeconds, timeAxis } from './units.js';

const MARGIN = { left: 64, right: 12, top: 12, bottom: 22 };

const MOST_FLAGS = 24;
// Of the highest of all: what is less is a line along the bottom.
const SMALLEST_PROCESS_SHARE = 0.02;

// The processes worth a line of their own, when there are several.
function processCurves(capture) {
  const highestOf = (curve) => curve.values.reduce((a, b) => Math.max(a, b), 0);
  const curves = capture.curves.filter((curve) => curve.name === 'heap' && curve.process !== 0);
  const highest = curves.reduce((most, curve) => Math.max(most, highestOf(curve)), 0);
  const worthy = curves.filter((curve) => highestOf(curve) >= SMALLEST_PROCESS_SHARE * highest);
  return worthy.length > 1 ? worthy.slice(0, 6) : [];
}

function niceStep(span, wanted) {
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw);
}

function drawFlag(context, x, top) {
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x + 6, top + 3);
  context.lineTo(x, top + 6);
  context.fill();
}

export class Timeline {
  // onRange([first bucket, end bucket] or null)
  constructor(container, capture, onRange) {
    this.capture = capture;
    this.onRange = onRange;
    this.container = container;
    this.range = null;
    this.hoverX = null;
    this.canvas = element('canvas', { class: 'timeline-canvas', 'aria-hidden': 'true' });
    this.startHandle = this.makeHandle('Start of the range', 0);
    this.endHandle = this.makeHandle('End of the range', 1);
    this.readout = element('div', { class: 'timeline-readout', hidden: true });
    container.append(this.canvas, this.startHandle, this.endHandle, this.readout);
    this.processCurves = processCurves(capture);
    this.moment = null;
    this.selected = null;
    this.paper = null;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(container);
  }

  makeHandle(label, end) {
    return element('div', {
      class: 'range-handle',
      role: 'slider',
      tabindex: 0,
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': this.capture.bucketCount,
      onkeydown: (event) => this.handleKey(event, end),
      onpointerdown: (event) => this.startDrag(event, end === 0 ? 'start' : 'end'),
    });
  }

  listen() {
    this.canvas.addEventListener('pointerdown', (event) => this.startDrag(event, 'new'));
    this.canvas.addEventListener('pointermove', (event) => this.hover(event));
    this.canvas.addEventListener('pointerleave', () => this.hover(null));
    this.canvas.addEventListener('dblclick', () => this.choose(null));
  }

  setPalette(palette) {
    this.palette = palette;
    this.draw();
  }

  setRange(range) {
    this.range = range;
    const { bucketCount } = this.capture;
    const bounds = range ?? [0, bucketCount];
    [this.startHandle, this.endHandle].forEach((handle, end) => {
      handle.setAttribute('aria-valuenow', bounds[end]);
      handle.setAttribute('aria-valuetext', this.printTime(this.capture.bucketStartSeconds(bounds[end])));
      handle.classList.toggle('is-idle', range === null);
    });
    this.draw();
  }

  printTime(seconds) {
    return formatSeconds(seconds, this.capture.lengthSeconds / 500);
  }

  // A moment to point out: the peak that the graph shows.
  setMoment(seconds) {
    this.moment = seconds;
    this.draw();
  }

  // What the bar that is looked at held, a value a bucket; null: none is.
  setSelected(curve) {
    this.selected = curve;
    byId('selected-legend').hidden = curve === null;
    this.draw();
  }

  describeRange() {
    if (!this.range) return '';
    const [from, to] = this.range.map((bucket) => this.capture.bucketStartSeconds(bucket));
    return `${this.printTime(from)} \u2013 ${this.printTime(Math.min(to, this.capture.toSeconds))}`;
  }

  choose(range) {
    this.setRange(range);
    this.onRange(range);
  }

  get box() {
    return this.paper ?? this.container;
  }

  get height() {
    return this.box.clientHeight;
  }

  // As FlameView.setPaper().
  setPaper(paper) {
    this.paper = paper;
    this.draw();
  }

  get plotWidth() {
    return Math.max(10, this.box.clientWidth - MARGIN.left - MARGIN.right);
  }

  xOf(seconds) {
    const { fromSeconds, toSeconds } = this.capture;
    return MARGIN.left + ((seconds - fromSeconds) / this.capture.lengthSeconds) * this.plotWidth;
  }

  fractionAt(event) {
    const x = event.clientX - this.container.getBoundingClientRect().left - MARGIN.left;
    return Math.min(1, Math.max(0, x / this.plotWidth));
  }

  startDrag(event, what) {
    if (event.button !== 0) return;
    event.preventDefault();
    const { bucketCount } = this.capture;
    const anchor = what === 'new'
      ? this.fractionAt(event) * bucketCount
      : (this.range ?? [0, bucketCount])[what === 'start' ? 1 : 0];
    const pressedAt = event.clientX;
    const target = event.currentTarget;
    target.setPointerCapture(event.pointerId);
    target.focus?.();
    const move = (moved) => {
      if (what === 'new' && Math.abs(moved.clientX - pressedAt) < 4) return;
      const at = this.fractionAt(moved) * bucketCount;
      const low = Math.min(anchor, at);
      const high = Math.max(anchor, at);
      const first = Math.min(bucketCount - 1, what === 'new' ? Math.floor(low) : Math.round(low));
      const end = Math.max(first + 1, what === 'new' ? Math.ceil(high) : Math.round(high));
      if (this.range?.[0] !== first || this.range?.[1] !== end) this.choose([first, end]);
    };
    const release = () => {
      target.removeEventListener('pointermove', move);
      target.removeEventListener('pointerup', release);
      target.removeEventListener('pointercancel', release);
    };
    target.addEventListener('pointermove', move);
    target.addEventListener('pointerup', release);
    target.addEventListener('pointercancel', release);
  }

  handleKey(event, end) {
    const { bucketCount } = this.capture;
    const step = event.shiftKey ? 10 : 1;
    const range = [...(this.range ?? [0, bucketCount])];
    const delta = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step }[event.key];
    if (delta !== undefined) range[end] += delta;
    else if (event.key === 'Home') range[end] = end === 0 ? 0 : range[0] + 1;
    else if (event.key === 'End') range[end] = end === 1 ? bucketCount : range[1] - 1;
    else if (event.key === 'Delete' || event.key === 'Backspace') return void this.choose(null);
    else return;
    event.preventDefault();
    range[end] = end === 0
      ? Math.min(range[1] - 1, Math.max(0, range[0]))
      : Math.max(range[0] + 1, Math.min(bucketCount, range[1]));
    const isWhole = range[0] === 0 && range[1] === bucketCount;
    this.choose(isWhole ? null : range);
  }

  hover(event) {
    this.hoverX = event ? this.fractionAt(event) : null;
    this.draw();
    this.readout.hidden = this.hoverX === null;
    if (this.hoverX === null) return;
    const seconds = this.capture.fromSeconds
      + this.hoverX * this.capture.lengthSeconds;
    const heap = this.valueAt('heap_high');
    const resident = this.valueAt('resident');
    const lines = [this.printTime(seconds), `heap ${formatBytes(heap)}`];
    if (resident > 0) {
      lines.push(`RSS ${formatBytes(resident)}`);
      lines.push(`untracked ${formatBytes(Math.max(0, resident - heap))}`);
    }
    if (this.selected) {
      const bucket = Math.floor(this.hoverX * this.selected.length);
      const alive = this.selected[Math.min(this.selected.length - 1, bucket)];
      lines.push(`bar ${formatBytes(alive)}`);
    }
    const mark = this.markNear(seconds);
    if (mark) lines.push(mark);
    this.readout.textContent = lines.join('   ');
    const x = MARGIN.left + this.hoverX * this.plotWidth;
    const onRight = this.hoverX > 0.6;
    this.readout.style.left = onRight ? '' : `${x + 10}px`;
    this.readout.style.right = onRight ? `${this.container.clientWidth - x + 10}px` : '';
  }

  valueAt(name) {
    const values = this.capture.curve(name);
    if (!values) return 0;
    return values[Math.min(values.length - 1, Math.floor(this.hoverX * values.length))];
  }

  markNear(seconds) {
    const reach = (this.capture.lengthSeconds / this.plotWidth) * 5;
    return this.moments().find((moment) => Math.abs(moment.seconds - seconds) <= reach)?.text;
  }

  // What the axis marks: [{seconds, text, kind}].
  moments() {
    if (!this.momentList) {
      const { processes, lanes, marks, shutdowns = [] } = this.capture.about;
      const manyProcesses = processes.length > 1;
      this.momentList = [
        ...marks.map((mark) => ({ seconds: mark.seconds, text: `mark: ${mark.name}`, kind: 'mark' })),
        // What is freed after it counts as still allocated: the curve falls, the view does not.
        ...shutdowns.map(({ seconds, process }) => ({
          seconds,
          text: 'Python shuts down: what it frees from here on counts as still allocated'
            + (manyProcesses ? ` (process ${processes.find((p) => p.index === process)?.pid})` : ''),
          kind: 'shutdown',
        })),
        ...processes.slice(1).map((process) => ({
          seconds: process.start_seconds,
          text: `process ${process.pid} ${process.origin}: ${process.name}`,
          kind: 'process',
        })),
        ...lanes.filter((lane) => lane.thread > 1 && lane.start_seconds !== null).map((lane) => ({
          seconds: lane.start_seconds,
          text: `thread ${lane.tid} started${lane.name ? `: ${lane.name}` : ''}`
            + (manyProcesses ? ` (process ${lane.pid})` : ''),
          kind: 'thread',
        })),
      ];
    }
    return this.momentList;
  }

  draw() {
    if (!this.palette) return;
    const width = this.box.clientWidth;
    const { height } = this;
    if (width === 0) return;
    const context = fitCanvas(this.canvas, width, height);
    context.clearRect(0, 0, width, height);
    const plotHeight = height - MARGIN.top - MARGIN.bottom;
    const highest = this.capture.curves.reduce(
      (most, curve) => curve.values.reduce((a, b) => Math.max(a, b), most), 1);
    const yOf = (value) => MARGIN.top + plotHeight * (1 - value / (highest * 1.04));
    this.drawAxes(context, width, highest, yOf);
    this.drawCurves(context, yOf);
    this.drawMoments(context);
    this.drawRange(context, plotHeight);
    this.placeHandles();
  }

  drawAxes(context, width, highest, yOf) {
    const { palette, capture } = this;
    context.font = `11px ${CANVAS_FONT}`;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    context.fillStyle = palette.axis;
    context.strokeStyle = palette.line;
    context.lineWidth = 1;
    const step = Math.max(1, niceStep(highest, Math.max(2, (this.height - MARGIN.top - MARGIN.bottom) / 19)));
    const printBytes = byteAxis(highest, step);
    context.beginPath();
    for (let value = 0; value <= highest; value += step) {
      const y = Math.round(yOf(value)) + 0.5;
      context.moveTo(MARGIN.left, y);
      context.lineTo(width - MARGIN.right, y);
      context.fillText(printBytes(value), MARGIN.left - 8, y);
    }
    context.stroke();
    const { fromSeconds, toSeconds } = capture;
    const timeStep = niceStep(capture.lengthSeconds, Math.max(2, this.plotWidth / 130));
    const printTime = timeAxis(toSeconds, timeStep);
    context.textBaseline = 'top';
    for (let n = Math.ceil(fromSeconds / timeStep); n * timeStep <= toSeconds; ++n) {
      const x = this.xOf(n * timeStep);
      if (x > width - 24) break;
      context.textAlign = n * timeStep === fromSeconds ? 'left' : 'center';
      context.fillText(printTime(n * timeStep), x, this.height - MARGIN.bottom + 7);
    }
  }

  drawCurves(context, yOf) {
    const { palette, capture } = this;
    const resident = capture.curve('resident');
    if (resident) {
      this.trace(context, resident, yOf, { fill: palette.residentFill, stroke: palette.resident });
    }
    const heap = capture.curve('heap_high') ?? capture.curve('heap');
    if (heap) this.trace(context, heap, yOf, { fill: palette.heapFill, stroke: palette.heap });
    this.processCurves.forEach((curve, i) => {
      const stroke = palette.processes[i % palette.processes.length];
      const own = capture.curve('resident', curve.process);
      context.globalAlpha = 0.6;
      if (own) this.trace(context, own, yOf, { stroke, width: 1, dash: [1, 3] });
      context.globalAlpha = 1;
      this.trace(context, curve.values, yOf, { stroke, width: 1.25 });
    });
    if (this.selected) {
      this.trace(context, this.selected, yOf, { fill: palette.selectedFill, stroke: palette.strong });
    }
  }

  trace(context, values, yOf, { fill, stroke, width = 1.5, dash = [] }) {
    const slot = this.plotWidth / values.length;
    context.beginPath();
    for (let i = 0; i < values.length; ++i) {
      const y = yOf(values[i]);
      context.lineTo(MARGIN.left + i * slot, y);
      context.lineTo(MARGIN.left + (i + 1) * slot, y);
    }
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.lineJoin = 'round';
    context.setLineDash(dash);
    context.stroke();
    context.setLineDash([]);
    if (fill) {
      context.lineTo(MARGIN.left + this.plotWidth, yOf(0));
      context.lineTo(MARGIN.left, yOf(0));
      context.fillStyle = fill;
      context.fill();
    }
  }

  // Marks cross the chart, processes are flags below it, threads ticks; where there are many, all
  // are ticks.
  drawMoments(context) {
    const bottom = this.height - MARGIN.bottom;
    const moments = this.moments();
    for (const [kind, color] of [['thread', 'axis'], ['process', 'strong'], ['shutdown', 'axis'], ['mark', 'mark']]) {
      const xs = moments.filter((moment) => moment.kind === kind)
        .map(({ seconds }) => Math.round(this.xOf(seconds)) + 0.5)
        .filter((x) => x >= MARGIN.left && x <= MARGIN.left + this.plotWidth + 1);
      const few = kind !== 'thread' && xs.length <= MOST_FLAGS;
      const [from, to] = kind === 'mark' || kind === 'shutdown'
        ? [MARGIN.top, few ? bottom : MARGIN.top + 7]
        : [bottom, bottom - (few ? 14 : kind === 'process' ? 7 : 5)];
      context.strokeStyle = context.fillStyle = this.palette[color];
      context.lineWidth = few ? 1.25 : 1;
      context.setLineDash(kind === 'shutdown' ? [4, 3] : []);
      for (const x of new Set(xs)) {
        context.beginPath();
        context.moveTo(x, from);
        context.lineTo(x, to);
        context.stroke();
        if (few) drawFlag(context, x, Math.min(from, to));
      }
      context.setLineDash([]);
    }
  }

  drawRange(context, plotHeight) {
    const { palette } = this;
    if (this.range) {
      const [from, to] = this.range.map((bucket) => this.xOf(this.capture.bucketStartSeconds(bucket)));
      context.fillStyle = palette.rangeFill;
      context.fillRect(MARGIN.left, MARGIN.top, from - MARGIN.left, plotHeight);
      context.fillRect(to, MARGIN.top, MARGIN.left + this.plotWidth - to, plotHeight);
    }
    if (this.moment !== null) {
      const x = Math.round(this.xOf(this.moment)) + 0.5;
      context.strokeStyle = palette.accent;
      context.setLineDash([3, 3]);
      context.beginPath();
      context.moveTo(x, MARGIN.top - 4);
      context.lineTo(x, MARGIN.top + plotHeight);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = palette.accent;
      context.beginPath();
      context.arc(x, MARGIN.top - 5, 3, 0, 7);
      context.fill();
    }
    if (this.hoverX !== null) {
      const x = Math.round(MARGIN.left + this.hoverX * this.plotWidth) + 0.5;
      context.strokeStyle = palette.axis;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, MARGIN.top);
      context.lineTo(x, MARGIN.top + plotHeight);
      context.stroke();
    }
  }

  placeHandles() {
    const bounds = this.range ?? [0, this.capture.bucketCount];
    [this.startHandle, this.endHandle].forEach((handle, end) => {
      const x = this.xOf(this.capture.bucketStartSeconds(bounds[end]));
      handle.style.left = `${Math.min(x, MARGIN.left + this.plotWidth)}px`;
    });
  }
}

export function fillTimelineLegend(capture) {
  const entries = [['heap', 'tracked heap']];
  if (capture.curve('resident')) {
    entries.push(['resident', capture.about.processes.length > 1
      ? 'resident sets (RSS) added up' : 'resident set (RSS)']);
  }
  processCurves(capture).forEach((curve, i) => {
    const process = capture.about.processes.find((each) => each.index === curve.process);
    const name = process ? `${process.pid} ${process.name}` : `process ${curve.process}`;
    entries.push([`process-${i + 1}`, name]);
  });
  if (capture.about.marks.length > 0) entries.push(['mark', 'marks']);
  const entry = ([color, text], attributes = {}) => element('span',
    { class: 'legend-entry', ...attributes }, element('i', { class: `swatch swatch-${color}` }), text);
  byId('timeline-legend').append(...entries.map((each) => entry(each)),
    entry(['selected', 'selected bar'], { id: 'selected-legend', hidden: true }));
}
