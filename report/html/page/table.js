// The table: all rows, of which only those in view exist as elements.

import { byId, element } from './dom.js';
import { groupFrames, groupRows } from './grouping.js';
import { compilePattern } from './search.js';
import { formatChange, formatMetric, formatShare } from './units.js';

const ROW_HEIGHT = 28;
// As in style.css: where it is narrow, the place stands on a line of its own.
const NARROW = window.matchMedia('(max-width: 480px)');
const NARROW_ROW_HEIGHT = 44;
const OVERSCAN = 6;

const HEADINGS = {
  function: 'Function',
  line: 'Function and line',
  file: 'File',
  module: 'Module',
};

const DIFF_COLUMNS = [
  { sort: 'before', title: 'Old', hint: 'held by the row and everything it called, before' },
  { sort: 'after', title: 'New', hint: 'held by the row and everything it called, after' },
  { sort: 'change', title: 'Change', hint: 'new less old' },
];

const COLUMNS = [
  { sort: 'own', title: 'Own', hint: 'allocated by the row itself' },
  { sort: 'own', title: 'Own %' },
  { sort: 'total', title: 'Total', hint: 'allocated by the row and everything it called' },
  { sort: 'total', title: 'Total %' },
];

export class Table {
  // handlers: onSort(column), onPick(row)
  constructor(capture, handlers) {
    this.capture = capture;
    this.handlers = handlers;
    this.groupings = new Map();
    this.rows = [];
    this.selected = -1;
    this.scroller = byId('table-scroller');
    this.spacer = byId('table-rows');
    this.scroller.addEventListener('scroll', () => this.drawRows());
    this.grid = byId('table');
    this.grid.addEventListener('keydown', (event) => this.keyPressed(event));
    new ResizeObserver(() => this.resized()).observe(this.scroller);
  }

  get rowHeight() {
    return NARROW.matches ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  }

  grouping(group) {
    if (!this.groupings.has(group)) this.groupings.set(group, groupFrames(this.capture, group));
    return this.groupings.get(group);
  }

  show(tree, { group, sort, ascending, query, metric, row }) {
    this.group = group;
    this.metric = metric;
    this.whole = tree.total(tree.root());
    let rows = groupRows(tree, group, this.grouping(group));
    if (query) {
      const { expression } = compilePattern(query);
      rows = rows.filter((each) => expression.test(`${each.name} ${each.place}`));
    }
    if (this.capture.isDiff && (sort === 'own' || sort === 'total')) sort = 'change';
    const direction = ascending ? 1 : -1;
    rows.sort(sort === 'name'
      ? (a, b) => direction * (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
      : sort === 'change'
        ? (a, b) => direction * (Math.abs(a.change) - Math.abs(b.change)) || b.total - a.total
        : (a, b) => direction * (a[sort] - b[sort]) || b.total - a.total);
    this.rows = rows;
    this.selected = rows.findIndex((each) => rowId(each) === row);
    this.drawHeader(sort, ascending);
    byId('table-count').textContent = `${rows.length.toLocaleString('en-US')} rows`;
    this.grid.setAttribute('aria-rowcount', rows.length + 1);
    this.spacer.style.height = `${rows.length * this.rowHeight}px`;
    this.drawRows();
  }

  resized() {
    this.spacer.style.height = `${this.rows.length * this.rowHeight}px`;
    this.drawRows();
  }

  drawHeader(sort, ascending) {
    const heading = (title, column, numeric, hint) => {
      const active = column === sort && hint !== undefined;
      const direction = ascending ? 'ascending' : 'descending';
      return element('div', {
        class: numeric ? 'cell number' : 'cell',
        role: 'columnheader',
        'aria-sort': active ? direction : 'none',
      }, element('button', {
        class: active ? 'is-active' : '',
        title: hint,
        onclick: () => this.handlers.onSort(column),
      }, title, active ? (direction === 'ascending' ? ' \u2191' : ' \u2193') : ''));
    };
    byId('table-header').replaceChildren(
      heading(HEADINGS[this.group], 'name', false, 'by name'),
      ...(this.capture.isDiff ? DIFF_COLUMNS : COLUMNS).map((column) => heading(column.title, column.sort, true, column.hint)));
  }

  drawRows() {
    const height = this.scroller.clientHeight;
    if (height === 0) return;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.rowHeight) - OVERSCAN);
    const end = Math.min(this.rows.length, first + Math.ceil(height / this.rowHeight) + 2 * OVERSCAN);
    // The heading stays over its columns, whatever a scroll bar takes.
    byId('table-header').style.paddingRight =
      `${this.scroller.offsetWidth - this.scroller.clientWidth}px`;
    const elements = [];
    for (let i = first; i < end; ++i) elements.push(this.rowElement(i));
    this.spacer.replaceChildren(...elements);
    const isDrawn = this.selected >= first && this.selected < end;
    this.grid.setAttribute('aria-activedescendant', isDrawn ? `row-${this.selected}` : '');
  }

  rowElement(i) {
    const row = this.rows[i];
    const number = (content) => element('div', { class: 'cell number', role: 'gridcell' }, content);
    const share = (value) => element('div', { class: 'cell number share', role: 'gridcell' },
      this.shareBar(value), formatShare(value, this.whole));
    const node = element('div', {
      class: i === this.selected ? 'table-row is-selected' : 'table-row',
      role: 'row',
      id: `row-${i}`,
      'aria-rowindex': i + 2,
      'aria-selected': i === this.selected,
      onclick: () => this.pick(i),
    },
    element('div', { class: 'cell name', role: 'gridcell', title: `${row.name}\n${row.place}` },
      element('span', { class: 'row-name' }, row.name),
      element('span', { class: 'row-place' }, element('bdi', {}, row.place))),
    ...(this.capture.isDiff
      ? [number(formatMetric(row.before, this.metric)), number(formatMetric(row.after, this.metric)),
        number(formatChange(row, this.metric))]
      : [number(formatMetric(row.own, this.metric)), share(row.own),
        number(formatMetric(row.total, this.metric)), share(row.total)]));
    node.style.top = `${i * this.rowHeight}px`;
    return node;
  }

  shareBar(value) {
    const bar = element('i', { class: 'share-bar' });
    bar.style.width = `${this.whole > 0 ? (100 * value) / this.whole : 0}%`;
    return bar;
  }

  pick(i) {
    this.selected = i;
    this.drawRows();
    this.handlers.onPick(this.rows[i]);
  }

  keyPressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
    const target = event.key === 'Home' ? 0
      : event.key === 'End' ? this.rows.length - 1
        : step === undefined ? -1
          : Math.min(this.rows.length - 1, Math.max(0, this.selected + step));
    if (target < 0 || this.rows.length === 0) return;
    event.preventDefault();
    const top = target * this.rowHeight;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) {
      this.scroller.scrollTop = top + this.rowHeight - clientHeight;
    }
    this.pick(target);
  }
}

// Survives re-sorting and a reload of the same page.
export function rowId(row) {
  return String(row.frame);
}
