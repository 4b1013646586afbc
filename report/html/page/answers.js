// What the page says before anybody asks: what happened, in sentences, the lines that hold most of the view, and what grows.

import { byId, element } from './dom.js';
import { sparkline } from './sparkline.js';
import { formatBytes, formatMetric, formatSeconds, formatShare } from './units.js';

const SHAPES = {
  leak: () => 'rises throughout the recording',
  cache: () => 'has levelled off: a cache?',
  startup: () => 'came in the first part: start-up',
  wave: () => 'comes and goes',
};

// As Capture.place() writes it.
function placeText(capture, { file, line }) {
  const project = `${capture.about.working_directory ?? ''}/`;
  const shown = project.length > 1 && file.startsWith(project) ? file.slice(project.length) : file;
  return line > 0 ? `${shown}:${line}` : shown;
}

// Finds the frames of a place, and no others: what a search looks at begins with them.
function queryOf(capture, place) {
  const text = `${place.function} ${placeText(capture, place)}`.trimEnd();
  return `^${text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}( |$)`;
}

const TOTALS = {
  peak: { bytes: 'peak_bytes', blocks: 'peak_blocks' },
  leaks: { bytes: 'leaked_bytes', blocks: 'leaked_blocks' },
  temporary: { bytes: 'temporary_bytes', blocks: 'temporary_blocks' },
  allocations: { bytes: 'allocated_bytes', blocks: 'allocations' },
};

// Of the whole time: a range has no places of its own.
export function showPlaces(capture, state, onSearch) {
  const places = state.range ? [] : capture.about.places?.[state.view] ?? [];
  const whole = capture.about.totals[TOTALS[state.view][state.metric]];
  byId('answers').hidden = places.length === 0;
  byId('answers').replaceChildren(...places.map((place) => {
    const query = queryOf(capture, place);
    return element('button', {
      class: 'answer',
      'aria-pressed': String(state.query === query),
      title: 'Show where: the innermost line of the program\u2019s own code',
      onclick: () => onSearch(state.query === query ? '' : query),
    },
    element('strong', {}, formatShare(place[state.metric], whole)),
    ` ${formatMetric(place[state.metric], state.metric)} `,
    element('span', { class: 'answer-name' }, place.function),
    element('span', { class: 'quiet' }, ` ${placeText(capture, place)}`));
  }));
}

// Of the whole recording, as it was asked for: a range has no sentences of its own.
export function showFindings(capture, state) {
  const findings = state.range ? [] : capture.about.findings ?? [];
  byId('findings').hidden = findings.length === 0;
  byId('findings').replaceChildren(...findings.map(({ title, severity, text }) => element('li',
    { class: `is-${severity}` }, element('strong', {}, title), ` ${text}`)));
}

export function growingTotal(capture) {
  return formatBytes(capture.about.growing?.leaking_bytes ?? 0);
}

export function showGrowing(capture, onSearch) {
  const places = capture.about.growing?.places ?? [];
  byId('no-growing').hidden = places.length > 0;
  byId('growing-table').hidden = places.length === 0;
  byId('growing-rows').replaceChildren(...places.map((place) => element('tr', { class: `is-${place.shape}` },
    element('td', { class: 'number' }, `+${formatBytes(place.gained_bytes)}`),
    element('td', { class: 'number' }, `${formatBytes(Math.max(0, place.bytes_per_second))}/s`),
    element('td', { class: 'number optional' }, formatSeconds(place.since_seconds)),
    element('td', { class: 'number optional' }, String(place.stacks)),
    element('td', { class: 'optional' }, sparkline(place.points ?? [])),
    element('td', {}, element('button', {
      class: 'plain growing-place',
      title: 'Show these stacks in the graph',
      onclick: () => onSearch(queryOf(capture, place)),
    }, element('strong', {}, place.function),
    element('span', { class: 'quiet' }, ` ${placeText(capture, place)}`)),
    element('div', { class: 'quiet' }, SHAPES[place.shape]?.() ?? '')))));
}
