// Paper: the graph at its full height, and the largest functions in words.

import { byId, element } from './dom.js';
import { groupFrames, groupRows } from './grouping.js';
import { formatBoth, formatChange, formatMetric, formatMetricLong, formatShare } from './units.js';
import { viewTitle } from './values.js';

const ROWS = 20;
const TABLE_ROWS = 300;
const HIGHEST_GRAPH = 1400;
const HEAD = 44;
// As wide as #page in style.css's print rules, less its margins: browsers shrink it to the paper.
const WIDTH = 968;
const TIMELINE_HEIGHT = 132;

export function preparePrint(app) {
  const { state, callTree, flame, timeline } = app;
  // The height follows from what is drawn at that width.
  flame.setPaper({ clientWidth: WIDTH, clientHeight: HIGHEST_GRAPH });
  const graphHeight = Math.min(HIGHEST_GRAPH, flame.rowsHeight());
  document.documentElement.style.setProperty('--print-height', `${graphHeight + HEAD}px`);
  flame.setPaper({ clientWidth: WIDTH, clientHeight: graphHeight });
  timeline.setPaper({ clientWidth: WIDTH, clientHeight: TIMELINE_HEIGHT });

  const whole = callTree.total(0);
  byId('print-title').textContent =
    `${viewTitle(state)}: ${formatMetricLong(whole, state.metric)}. The largest by what they allocate themselves:`;
  document.documentElement.classList.toggle('prints-table', state.mode === 'table');
  document.documentElement.classList.toggle('prints-growing', state.mode === 'growing');
  if (state.mode === 'table') {
    printTable(app);
    return;
  }
  const functions = groupRows(callTree, 'function', groupFrames(app.capture, 'function'));
  if (app.capture.isDiff) {
    printChanges(functions, state);
    return;
  }
  const rows = functions.sort((a, b) => b.own - a.own).slice(0, ROWS);
  byId('print-rows').replaceChildren(...rows.map((row) => element('tr', {},
    element('th', { scope: 'row' }, `${row.name}  ${row.place}`),
    element('td', {}, formatMetric(row.own, state.metric)),
    element('td', {}, formatShare(row.own, whole)))));
}

// As it stands: its rows, their order, what the search left of them.
function printTable({ state, capture, table, callTree }) {
  const whole = callTree.total(0);
  const { rows } = table;
  const query = state.query ? ` that match ${state.query}` : '';
  const more = rows.length > TABLE_ROWS ? `, the first ${TABLE_ROWS} of ${rows.length}` : '';
  byId('print-title').textContent = `${viewTitle(state)}, by ${state.group}${query}${more}`;
  const heads = capture.isDiff ? ['old', 'new', 'change'] : ['own', 'total', 'share'];
  const cells = (row) => (capture.isDiff
    ? [formatMetric(row.before, state.metric), formatMetric(row.after, state.metric),
      formatChange(row, state.metric)]
    : [formatMetric(row.own, state.metric), formatMetric(row.total, state.metric),
      formatShare(row.total, whole)]);
  byId('print-rows').replaceChildren(
    element('tr', {}, element('td'), ...heads.map((head) => element('th', { scope: 'col' }, head))),
    ...rows.slice(0, TABLE_ROWS).map((row) => element('tr', {},
      element('th', { scope: 'row' }, `${row.name}  ${row.place}`),
      ...cells(row).map((cell) => element('td', {}, cell)))));
}

function printChanges(functions, state) {
  const rows = functions.sort((a, b) => Math.abs(b.change) - Math.abs(a.change)).slice(0, ROWS);
  byId('print-title').textContent = `${viewTitle(state)}. The functions that changed most:`;
  byId('print-rows').replaceChildren(...rows.map((row) => element('tr', {},
    element('th', { scope: 'row' }, `${row.name}  ${row.place}`),
    element('td', {}, formatBoth(row, state.metric)),
    element('td', {}, formatChange(row, state.metric)))));
}

export function endPrint({ flame, timeline }) {
  flame.setPaper(null);
  timeline.setPaper(null);
  document.documentElement.classList.remove('prints-table', 'prints-growing');
}
