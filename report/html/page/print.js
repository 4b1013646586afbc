// Paper: the graph at its full height, and the largest functions in words.

import { byId, element } from './dom.js';
import { groupFrames, groupRows } from './grouping.js';
import { formatMetric, formatMetricLong, formatShare } from './units.js';
import { RANGE_TITLES, VIEW_TITLES } from './values.js';

const ROWS = 20;
const HIGHEST_GRAPH = 1400;
const HEAD = 44;

export function preparePrint(app) {
  const { state, callTree, flame } = app;
  const height = Math.min(HIGHEST_GRAPH, (flame.bars.deepest + 2) * 21 + HEAD);
  document.documentElement.style.setProperty('--print-height', `${height}px`);
  flame.resized();

  const whole = callTree.total(0);
  const titles = state.range ? RANGE_TITLES : VIEW_TITLES;
  byId('print-title').textContent =
    `${titles[state.view]}: ${formatMetricLong(whole, state.metric)}. The largest by what they allocate themselves:`;
  const rows = groupRows(callTree, 'function', groupFrames(app.capture, 'function'))
    .sort((a, b) => b.own - a.own)
    .slice(0, ROWS);
  byId('print-rows').replaceChildren(...rows.map((row) => element('tr', {},
    element('th', { scope: 'row' }, `${row.name}  ${row.place}`),
    element('td', {}, formatMetric(row.own, state.metric)),
    element('td', {}, formatShare(row.own, whole)))));
}
