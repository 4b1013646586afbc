// The page as a whole: one state, everything shown follows from it.

import { showFindings, showGrowing, showPlaces } from './answers.js';
import { CallTree } from './call_tree.js';
import { Capture } from './capture.js';
import { Palette, fillColorLegend } from './colors.js';
import { bindControls, reflectControls } from './controls.js';
import { decodeEmbedded } from './decode.js';
import { announce, byId, element } from './dom.js';
import { fillFacts } from './facts.js';
import { FlameGestures } from './flame_gestures.js';
import { FlameView } from './flame_view.js';
import { InvertedTree } from './grouped_tree.js';
import { liveCurve } from './live_curve.js';
import { Minimap } from './minimap.js';
import { Panel } from './panel.js';
import { endPrint, preparePrint } from './print.js';
import { Sandwich } from './sandwich.js';
import { compilePattern, matchedBoth, matchedTotal, matchingFrames } from './search.js';
import { Table, rowId } from './table.js';
import { Theme } from './theme.js';
import { Timeline, fillTimelineLegend } from './timeline.js';
import { Tooltip } from './tooltip.js';
import {
  formatBoth, formatChange, formatMetric, formatMetricLong, formatShare,
} from './units.js';
import { defaultState, fragmentOfState, stateFromFragment } from './url_state.js';
import { VIEWS, highestBucket, siteValues, sumOf, sumOfSide, viewTitle } from './values.js';

// What the Back button goes back over, the more telling first; and what changes in many small steps
// that are one to the user.
const STEPS = ['view', 'mode', 'range', 'query', 'inverted', 'metric'];
const CONTINUOUS = new Set(['range', 'query']);
const CONTINUOUS_MILLISECONDS = 1500;

class App {
  constructor(capture) {
    this.lastStep = {};
    this.capture = capture;
    this.defaults = {
      ...defaultState(), view: capture.about.first_view, byTask: Boolean(capture.about.by_task),
    };
    this.state = stateFromFragment(location.hash, this.defaults);
    this.theme = new Theme(() => this.takePalette());
    fillFacts(capture);
    fillTimelineLegend(capture);
    this.tooltip = new Tooltip(capture);
    this.panel = new Panel(capture, {
      onSandwich: (frame) => this.openSandwich(frame),
      onShow: (node) => this.zoomTo(node),
    });
    this.timeline = new Timeline(byId('timeline'), capture, (range) => this.update({ range }));
    this.flame = new FlameView(byId('flame'), capture, {
      onHover: (node, others, event) => this.showTooltip(this.tree, node, others, event),
      onLeave: () => this.tooltip.hide(),
      onSelect: (node) => this.select(node),
      onZoom: (node) => this.zoomTo(node),
      onDraw: () => this.minimap.show(this.flame),
    }, 'Flame graph. Arrow keys move, Enter zooms, Escape goes back.');
    this.minimap = new Minimap(capture);
    this.gestures = new FlameGestures(this.flame);
    this.table = new Table(capture, {
      onSort: (column) => this.sortBy(column),
      onPick: (row) => this.pickRow(row),
    });
    this.sandwich = new Sandwich(capture, {
      onHover: (...hovered) => this.showTooltip(...hovered),
      onLeave: () => this.tooltip.hide(),
      onSelect: (tree, node, callers) => this.showPanel(tree, node, callers),
    });
    bindControls(this);
    window.addEventListener('popstate', () => this.restore());
    window.addEventListener('beforeprint', () => preparePrint(this));
    window.addEventListener('afterprint', () => endPrint(this));
    this.takePalette();
    this.showAll({ zoom: this.state.zoom });
  }

  // Changes the state and shows what changed.
  update(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    // What grows is no other way to show a view: choosing one leaves it.
    if (changes.view && before.mode === 'growing') this.state.mode = 'graph';
    const changed = (...names) => names.some((name) => this.state[name] !== before[name]);
    const shape = ['split', 'byTask', 'hideImports', 'hideInternals', 'foldRecursion'];
    const path = changed('inverted', ...shape) ? null : this.zoomPath();
    if (changed(...shape)) this.callTree = null;
    if (changed('query')) this.findMatches();
    if (changed('view', 'metric', 'range', 'inverted', 'flames', 'fill', 'mode',
      ...shape)) {
      this.showAll({ zoom: path });
    } else {
      reflectControls(this);
      if (changed('query')) this.showMatches();
      const isTable = this.state.mode === 'table';
      if (changed('group', 'sort', 'ascending', 'row') || (isTable && changed('query'))) {
        this.showTable();
      }
    }
    this.writeAddress(STEPS.find((name) => changed(name)));
  }

  // `step`: what the Back button undoes, if anything. Typing and dragging are one step each.
  writeAddress(step) {
    this.state.zoom = this.zoomPath();
    const fragment = fragmentOfState(this.state, this.defaults);
    if (`#${fragment}` === (location.hash || '#')) return;
    const address = fragment ? `#${fragment}` : location.pathname + location.search;
    const goesOn = step === this.lastStep.name && CONTINUOUS.has(step)
      && performance.now() - this.lastStep.at < CONTINUOUS_MILLISECONDS;
    this.lastStep = { name: step, at: performance.now() };
    if (step && !goesOn) window.history.pushState(null, '', address);
    else window.history.replaceState(null, '', address);
  }

  restore() {
    this.state = stateFromFragment(location.hash, this.defaults);
    this.lastStep = {};
    byId('search').value = this.state.query;
    this.callTree = null;
    this.showAll({ zoom: this.state.zoom });
  }

  showAll({ zoom }) {
    const { state, capture } = this;
    this.normalizeRange();
    // An address or a key may ask for what this page has not.
    if (state.mode === 'growing' && !capture.about.growing) state.mode = 'graph';
    this.values = {
      bytes: siteValues(capture, { ...state, metric: 'bytes' }),
      blocks: siteValues(capture, { ...state, metric: 'blocks' }),
    };
    this.callTree ??= new CallTree(capture, state);
    this.callTree.setValues(this.values[state.metric]);
    this.tree = state.inverted ? new InvertedTree(this.callTree) : this.callTree;
    this.timeline.setRange(state.range);
    this.timeline.setMoment(
      state.view === 'peak' && this.callTree.total(0) > 0 ? this.momentOfPeak() : null);
    this.findMatches();
    reflectControls(this);
    byId('fill-choice').hidden = state.mode !== 'graph' || capture.isDiff;
    byId('graph-page').hidden = state.mode !== 'graph';
    byId('table-page').hidden = state.mode !== 'table';
    byId('growing-page').hidden = state.mode !== 'growing';
    if (state.mode === 'growing') {
      showGrowing(capture, (query) => this.update({ query, mode: 'graph', view: 'leaks' }));
    }
    this.flame.setTree(this.tree, {
      metric: state.metric,
      palette: this.palette,
      upwards: state.flames,
      fill: state.fill,
    });
    byId('nothing').hidden = this.callTree.total(0) > 0;
    const focus = this.nodeAtPath(zoom);
    if (focus !== 0) this.flame.zoomTo(focus, { animate: false });
    this.showMatches();
    if (state.mode === 'table') this.showTable();
    this.showBreadcrumb();
    this.showPanel(this.tree, focus, state.inverted);
  }

  normalizeRange() {
    const { range } = this.state;
    if (!range) return;
    const { bucketCount } = this.capture;
    const first = Math.min(range[0], bucketCount - 1);
    const end = Math.min(Math.max(range[1], first + 1), bucketCount);
    this.state.range = first === 0 && end === bucketCount ? null : [first, end];
  }

  momentOfPeak() {
    const { capture } = this;
    const [first, end] = this.state.range ?? [0, capture.bucketCount];
    return capture.bucketHighSeconds(highestBucket(capture, first, end));
  }

  // A node as the frames that lead to it: the same in every view of the same tree.
  zoomPath() {
    const path = [];
    for (let node = this.flame.focus; this.tree.parent(node) >= 0; node = this.tree.parent(node)) {
      path.push(this.tree.frame(node));
    }
    return path.length > 0 ? path.reverse() : null;
  }

  nodeAtPath(path) {
    let node = 0;
    for (const frame of path ?? []) {
      const next = [...this.tree.children(node)].find((child) => this.tree.frame(child) === frame);
      if (next === undefined) break;
      node = next;
    }
    return node;
  }

  zoomTo(node) {
    this.tooltip.hide();
    if (node !== this.flame.focus || this.flame.isFree()) this.flame.zoomTo(node);
    this.flame.selected = node;
    this.showPanel(this.tree, node, this.state.inverted);
    this.showBreadcrumb();
    this.writeAddress('zoom');
    this.describe(node);
  }

  zoomOut() {
    if (this.state.mode === 'table') {
      this.sandwich.zoomOut();
      return;
    }
    if (this.flame.isFree()) {
      this.flame.zoomTo(this.flame.focus);
      return;
    }
    const parent = this.tree.parent(this.flame.focus);
    if (parent >= 0) this.zoomTo(parent);
  }

  select(node) {
    this.showPanel(this.tree, node, this.state.inverted);
    this.describe(node);
  }

  describe(node) {
    const total = this.tree.total(node);
    if (this.capture.isDiff) {
      const both = this.tree.bothOf(node);
      announce(`${this.capture.barName(this.tree, node)}, ${formatChange(both, this.state.metric)}, `
        + formatBoth(both, this.state.metric));
      return;
    }
    announce(`${this.capture.barName(this.tree, node)}, `
      + `${formatMetricLong(total, this.state.metric)}, ${formatShare(total, this.tree.total(0))}`);
  }

  showTooltip(tree, node, others, event) {
    const whole = this.callTree.total(0);
    this.tooltip.show(tree, node, others, { metric: this.state.metric, whole }, event);
  }

  // row: of the table, if the node stands for all of it.
  showPanel(tree, node, inverted, row = null) {
    this.panelNode = [tree, node, inverted, row];
    const isAll = tree.frame(node) === this.capture.rootFrame;
    const curve = isAll || this.capture.isDiff ? null : liveCurve(this.capture, tree, node);
    this.timeline.setSelected(curve);
    this.panel.show(tree, node, {
      curve,
      values: this.values,
      whole: this.callTree.total(0),
      viewTitle: viewTitle(this.state),
      inverted,
      row,
    });
  }

  showBreadcrumb() {
    const nodes = [];
    for (let node = this.flame.focus; node >= 0; node = this.tree.parent(node)) nodes.push(node);
    nodes.reverse();
    const shown = nodes.length > 8 ? [...nodes.slice(0, 2), -1, ...nodes.slice(-5)] : nodes;
    byId('breadcrumb').replaceChildren(...shown.map((node) => element('li', {}, node < 0
      ? element('span', { class: 'quiet' }, `${nodes.length - 7} more`)
      : element('button', {
        'aria-current': node === this.flame.focus ? 'location' : undefined,
        onclick: () => this.zoomTo(node),
      }, this.capture.barName(this.tree, node)))));
  }

  findMatches() {
    const { query } = this.state;
    this.matches = null;
    this.patternIsLiteral = false;
    if (!query) return;
    const { expression, literal } = compilePattern(query);
    this.patternIsLiteral = literal;
    this.matches = matchingFrames(this.capture, expression);
  }

  showMatches() {
    this.flame.setMatches(this.matches);
    showFindings(this.capture, this.state);
    showPlaces(this.capture, this.state, (query) => this.update({ query }));
    const result = byId('search-result');
    if (!this.matches) {
      result.textContent = '';
      return;
    }
    if (this.capture.isDiff) {
      const both = matchedBoth(this.callTree, this.matches);
      result.textContent = both.before + both.after > 0
        ? `${formatChange(both, this.state.metric)}, ${formatBoth(both, this.state.metric)}`
        : 'no match';
      return;
    }
    const { total } = matchedTotal(this.callTree, this.matches);
    const share = formatShare(total, this.callTree.total(0));
    result.textContent = total > 0
      ? `${formatMetric(total, this.state.metric)}, ${share}`
      : 'no match';
    if (this.patternIsLiteral) result.textContent += ' (no valid expression: searched as text)';
  }

  showTable() {
    this.table.show(this.callTree, this.state);
    const row = this.table.rows[this.table.selected];
    if (row) this.showSandwich(row);
    else this.sandwich.hide();
  }

  sortBy(column) {
    const ascending = column === this.state.sort ? !this.state.ascending : column === 'name';
    this.update({ sort: column, ascending });
  }

  pickRow(row) {
    this.state.row = rowId(row);
    this.showSandwich(row);
    this.writeAddress();
  }

  showSandwich(row) {
    const { groupOf } = this.table.grouping(this.state.group);
    const wanted = groupOf[row.frame];
    this.sandwich.show(this.callTree, row.name, (frame) => groupOf[frame] === wanted, {
      metric: this.state.metric,
      palette: this.palette,
    });
    const isGroup = this.state.group !== 'line';
    this.showPanel(this.sandwich.callees.tree, 0, false,
      isGroup ? { ...row, group: this.state.group } : null);
  }

  openSandwich(frame) {
    const { groupOf, samples } = this.table.grouping('function');
    this.update({
      mode: 'table', group: 'function', query: '', row: String(samples[groupOf[frame]]),
    });
  }

  takePalette() {
    this.palette = new Palette(this.theme ? this.theme.dark : false);
    if (!this.flame) return;
    this.flame.setPalette(this.palette);
    this.timeline.setPalette(this.palette);
    this.sandwich.setPalette(this.palette);
    fillColorLegend(this.capture, this.palette);
  }

  // Numbers on the view buttons.
  viewTotals() {
    const { state, capture } = this;
    if (capture.isDiff) {
      return Object.fromEntries(VIEWS.map((view) => {
        const values = siteValues(capture, { view, metric: state.metric, range: null });
        const [before, after] = [0, 1].map((lane) => sumOfSide(capture, values, lane));
        return [view, formatChange({ before, after }, state.metric)];
      }));
    }
    return Object.fromEntries(VIEWS.map((view) => [view,
      view === state.view
        ? this.callTree.total(0)
        : sumOf(siteValues(capture, { view, metric: state.metric, range: state.range }))])
      .map(([view, total]) => [view, formatMetric(total, state.metric)]));
  }
}

async function main() {
  const started = performance.now();
  try {
    const capture = new Capture(await decodeEmbedded(byId('capture-data')));
    byId('page').hidden = false;
    byId('loading').remove();
    const app = new App(capture);
    // For tests and for the curious; nothing in the page depends on it.
    window.memlens = app;
    document.documentElement.dataset.ready = (performance.now() - started).toFixed(0);
  } catch (error) {
    byId('loading').textContent = `This page cannot be shown: ${error.message}`;
    throw error;
  }
}

main();
