// What the pointer is on, in five lines.

import { byId, element } from './dom.js';
import { formatBoth, formatChange, formatMetricLong, formatShare } from './units.js';

const DISTANCE = 14;

export class Tooltip {
  constructor(capture) {
    this.capture = capture;
    this.box = byId('tooltip');
  }

  hide() {
    this.box.hidden = true;
  }

  // others: the merged bar under the pointer, if it is one
  // whole: what the view holds; the tree may be of a part of it
  show(tree, node, others, { metric, whole }, event) {
    const lines = others
      ? this.othersLines(others, whole, metric)
      : this.nodeLines(tree, node, whole, metric);
    this.box.replaceChildren(...lines);
    this.box.hidden = false;
    const { offsetWidth, offsetHeight } = this.box;
    const left = Math.min(event.clientX + DISTANCE, window.innerWidth - offsetWidth - 8);
    const below = event.clientY + DISTANCE;
    const fitsBelow = below + offsetHeight < window.innerHeight - 8;
    this.box.style.left = `${Math.max(8, left)}px`;
    this.box.style.top = `${fitsBelow ? below : Math.max(8, event.clientY - offsetHeight - DISTANCE)}px`;
  }

  othersLines({ count, total }, whole, metric) {
    return [
      element('strong', {}, this.capture.othersLabel(count)),
      element('div', {}, `${formatMetricLong(total, metric)}  \u00b7  ${formatShare(total, whole)} of the view`),
      element('div', { class: 'quiet' }, 'too narrow to draw apart; click to widen'),
    ];
  }

  changeLines(both, metric) {
    const side = both.before === 0 ? 'only in the new capture'
      : both.after === 0 ? 'only in the old capture' : '';
    return [
      element('div', {}, `${formatChange(both, metric)}  \u00b7  ${formatBoth(both, metric)}`),
      side ? element('div', { class: 'quiet' }, side) : null,
    ];
  }

  nodeLines(tree, node, whole, metric) {
    const { capture } = this;
    const frame = tree.frame(node);
    const total = tree.total(node);
    const own = tree.ownOf(node);
    const source = capture.sourceText(frame);
    const place = capture.place(frame);
    return [
      element('strong', {}, capture.barName(tree, node)),
      source ? element('code', {}, source) : null,
      place ? element('div', { class: 'quiet place' }, place) : null,
      ...(capture.isDiff
        ? this.changeLines(tree.bothOf(node), metric)
        : [
          element('div', {}, `${formatMetricLong(total, metric)}  \u00b7  ${formatShare(total, whole)} of the view`),
          own > 0 && own !== total ? element('div', {}, `own ${formatMetricLong(own, metric)}`) : null,
        ]),
    ].filter(Boolean);
  }
}
