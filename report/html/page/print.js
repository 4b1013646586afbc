// Paper: the graph at its full height, and the largest functions in words.

import { byId, element } from './dom.js';
import { groupFrames, groupRows } from './grouping.js';
import { formatMetric, formatMetricLong, formatShare } from './units.js';
import { viewTitle } from './values.js';

const ROWS = 20;
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
  const rows = groupRows(callTree, 'function', groupFrames(app.capture, 'function'))
    .sort((a, b) => b.own - a.own)
    .slice(0, ROWS);
  byId('print-rows').replaceChildren(...rows.map((row) => element('tr', {},
    element('th', { scope: 'row' }, `${row.name}  ${row.place}`),
    element('td', {}, formatMetric(row.own, state.metric)),
    element('td', {}, formatShare(row.own, whole)))));
}

export function endPrint({ flame, timeline }) {
  flame.setPaper(null);
  timeline.setPaper(null);
}
