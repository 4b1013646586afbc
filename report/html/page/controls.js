// Buttons, boxes and keys: each changes the state, and shows it.

import { growingTotal } from './answers.js';
import { byId, element } from './dom.js';
import { EDITORS, editorTemplate, setEditorTemplate } from './editor.js';
import { VIEWS, viewMeaning, viewTitle } from './values.js';

const CHECKBOXES = {
  'inverted': 'inverted',
  'flames': 'flames',
  'by-task': 'byTask',
  'hide-imports': 'hideImports',
  'hide-internals': 'hideInternals',
  'fold-recursion': 'foldRecursion',
};

const KEYS = {
  1: { view: 'peak' },
  2: { view: 'leaks' },
  3: { view: 'temporary' },
  4: { view: 'allocations' },
  5: { mode: 'growing' },
};

export function bindControls(app) {
  bindViews(app);
  bindChoice(app, 'metric');
  bindChoice(app, 'fill');
  bindChoice(app, 'mode');
  bindChoice(app, 'split');
  bindChoice(app, 'group');
  for (const [id, name] of Object.entries(CHECKBOXES)) {
    byId(id).addEventListener('change', (event) => app.update({ [name]: event.target.checked }));
  }
  bindTyping(byId('search'), (query) => app.update({ query }));
  byId('clear-range').addEventListener('click', () => app.update({ range: null }));
  byId('theme').addEventListener('click', () => app.theme.toggle());
  byId('help').addEventListener('click', () => byId('help-dialog').showModal());
  byId('toggle-panel').addEventListener('click', togglePanel);
  bindEditor(app);
  document.addEventListener('keydown', (event) => handleKey(app, event));
  document.addEventListener('click', closeMenus);
  if (app.capture.lanes.length < 2 || app.capture.isDiff) byId('split-choice').hidden = true;
  byId('by-task').parentElement.hidden = !app.capture.hasTasks();
  if (app.capture.isDiff) {
    document.querySelector('.timeline-section').hidden = true;
    byId('page').classList.add('is-diff');
  }
  if (app.capture.about.processes.length < 2) {
    document.querySelector('[name=split][value=process]').parentElement.hidden = true;
  }
}

function bindViews(app) {
  byId('views').replaceChildren(...VIEWS.map((view) => element('button', {
    id: `view-${view}`,
    onclick: () => app.update({ view }),
  }, element('span', { class: 'view-title' }), element('span', { class: 'view-total' }))));
  if (!app.capture.about.growing) return;
  byId('views').append(element('button', {
    id: 'view-growing',
    title: 'Lines whose memory grows from mark to mark: leaks, as against caches',
    onclick: () => app.update({ mode: 'growing' }),
  }, element('span', { class: 'view-title' }, 'Growing'),
  element('span', { class: 'view-total' }, growingTotal(app.capture))));
}

// A group of radio buttons named after a field of the state.
function bindChoice(app, name) {
  for (const input of document.querySelectorAll(`input[name=${name}]`)) {
    input.addEventListener('change', () => app.update({ [name]: input.value }));
  }
}

function bindTyping(input, apply) {
  let timer = 0;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => apply(input.value), 120);
  });
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    clearTimeout(timer);
    if (input.value === '') input.blur();
    input.value = '';
    apply('');
  });
}

function bindEditor(app) {
  const input = byId('editor-template');
  const list = byId('editor-presets');
  list.replaceChildren(...Object.entries(EDITORS).map(([name, value]) =>
    element('option', { value }, name)));
  input.value = editorTemplate();
  input.addEventListener('change', () => {
    setEditorTemplate(input.value);
    app.showPanel(...app.panelNode);
  });
}

function togglePanel() {
  const hidden = byId('workspace').classList.toggle('without-panel');
  byId('toggle-panel').setAttribute('aria-expanded', String(!hidden));
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll('details[open].menu')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}

function handleKey(app, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.('input[type=search], input[type=text]');
  if (event.key === 'Escape') {
    const menu = document.querySelector('details[open].menu');
    if (menu) menu.open = false;
    else if (!byId('help-dialog').open) app.zoomOut();
    return;
  }
  if (typing || byId('help-dialog').open) return;
  const { state } = app;
  const change = KEYS[event.key] ?? {
    b: { metric: state.metric === 'bytes' ? 'blocks' : 'bytes' },
    g: { mode: 'graph' },
    t: { mode: 'table' },
    i: { inverted: !state.inverted },
    f: { flames: !state.flames },
    o: { fill: state.fill === 'own' ? 'total' : 'own' },
    r: { foldRecursion: !state.foldRecursion },
    a: { byTask: !state.byTask },
    x: { range: null },
  }[event.key];
  if (change) app.update(change);
  else if (event.key === '/') byId('search').focus();
  else if (event.key === 'p') togglePanel();
  else if (event.key === 'd') app.theme.toggle();
  else if (event.key === '?') byId('help-dialog').showModal();
  else return;
  event.preventDefault();
}

// Sets every control to what the state says.
export function reflectControls(app) {
  const { state } = app;
  const totals = app.viewTotals();
  for (const view of VIEWS) {
    const button = byId(`view-${view}`);
    button.setAttribute('aria-pressed', String(view === state.view && state.mode !== 'growing'));
    button.title = viewMeaning({ view, range: state.range });
    button.querySelector('.view-title').textContent =
      viewTitle({ view, range: state.range });
    button.querySelector('.view-total').textContent = totals[view];
  }
  for (const name of ['metric', 'fill', 'mode', 'split', 'group']) {
    for (const input of document.querySelectorAll(`input[name=${name}]`)) {
      input.checked = input.value === state[name];
    }
  }
  document.getElementById('view-growing')?.setAttribute(
    'aria-pressed', String(state.mode === 'growing'));
  for (const [id, name] of Object.entries(CHECKBOXES)) byId(id).checked = state[name];
  if (document.activeElement !== byId('search')) byId('search').value = state.query;
  byId('range-chip').hidden = state.range === null;
  byId('range-text').textContent = app.timeline.describeRange();
}
