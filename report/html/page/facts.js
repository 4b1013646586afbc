// The head of the page: what ran, how it ended, what it took.

import { byId, element } from './dom.js';
import { formatBytes, formatCount, formatExact, formatSeconds } from './units.js';

function fact(title, value, hint) {
  return element('div', { class: 'fact', title: hint },
    element('dt', {}, title), element('dd', {}, value));
}

function madeOf({ anonymous, files, shared, recorder, swapped, proportional }, processes) {
  const named = [`${formatBytes(anonymous)} heap and stacks`,
    `${formatBytes(files)} code, data and files`];
  if (shared > 0) named.push(`${formatBytes(shared)} shared memory`);
  if (recorder > 0) named.push(`${formatBytes(recorder)} memlens`);
  return named.join(', ')
    + (swapped > 0 ? `; ${formatBytes(swapped)} more in swap` : '')
    + (processes > 1 && proportional > 0 ? `; ${formatBytes(proportional)} with shared pages counted once (PSS)` : '');
}

// At the peak of the heap, not of the resident set: that is often while everything is torn down.
// A page that processes share counts in the resident set of each, so that of several processes the
// sum is only a bound.
function residentFact({ at_peak: resident, highest, untracked, parts: made }, totals, processes) {
  const bound = processes > 1 ? 'at most ' : '';
  const parts = resident >= totals.peak_bytes
    ? ` = ${formatBytes(totals.peak_bytes)} tracked + ${bound}${formatBytes(untracked)} other`
    : `, ${formatBytes(totals.peak_bytes - resident)} less than tracked`;
  return fact('RSS at the peak', formatBytes(resident) + parts,
    'Resident memory when tracked memory was at its highest'
    + (highest > resident ? `; at most it was ${formatBytes(highest)}` : '')
    + (made ? `. Made of ${madeOf(made, processes)}` : '')
    + '. Other: program and library pages, the interpreter, thread stacks, and what allocators keep '
    + 'beyond the blocks in use. Blocks that were allocated and never touched are tracked, and not '
    + 'resident'
    + (processes > 1
      ? '. The resident sets of the processes are added up, and a page that several share (a library, '
        + 'memory inherited by fork) counts in each'
      : ''));
}

function untouchedFact(bytes) {
  return fact('Never touched', formatBytes(bytes),
    'Mapped at the peak and never used: address space, not memory. It is in none of the numbers here');
}

function notesOf({ complete, early_end: earlyEnd, notes, totals }) {
  const all = [...notes];
  if (!complete) all.unshift(`The capture ${earlyEnd}.`);
  if (totals.lost_events > 0) all.push(`${formatCount(totals.lost_events)} events were lost.`);
  return all;
}

function showNotes(notes) {
  byId('notes').replaceChildren(...notes.map((note) => element('li', {}, note)));
  byId('notes').hidden = notes.length === 0;
}

// As in the terminal: binary units, where that is how it was said.
function formatInterval(bytes) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && bytes % 1024 === 0 && unit + 1 < units.length) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes} ${units[unit]}`;
}

function sampledFact(bytes) {
  return fact('Sampled', `1 per ${formatInterval(bytes)}`,
    'Only samples were recorded: every number is an estimate. The text and JSON reports of '
    + 'memlens give the standard errors');
}

function diffNotes({ old: before, new: after }) {
  return [['old', before], ['new', after]]
    .filter(([, side]) => !side.complete)
    .map(([name, side]) => `The ${name} capture ${side.early_end}.`);
}

function diffFacts({ old: before, new: after }) {
  const command = (side) => side.command.join(' ');
  const both = (title, name, print) => fact(title,
    `${print(before[name])} \u2192 ${print(after[name])}`,
    `${print(before[name])} before, ${print(after[name])} after`);
  return [
    fact('Old', before.capture, command(before)),
    fact('New', after.capture, command(after)),
    both('Peak', 'peak_bytes', formatBytes),
    both('Still allocated', 'leaked_bytes', formatBytes),
    both('Allocations', 'allocations', formatCount),
    both('Allocated in all', 'allocated_bytes', formatBytes),
    both('Duration', 'duration_seconds', formatSeconds),
  ];
}

export function fillFacts(capture) {
  const { about } = capture;
  const { totals } = about;
  const command = about.command.join(' ') || '(no command recorded)';
  document.title = `${command} \u2013 memlens`;
  byId('command').textContent = command;
  byId('command').title = command;
  const ending = byId('ending');
  const running = about.ending === 'running';
  const hasGaps = about.complete && about.has_gaps;
  ending.textContent = hasGaps ? 'incomplete' : about.complete ? 'complete'
    : running ? 'still running' : about.ending || 'interrupted';
  ending.classList.toggle('is-warning', !about.complete || hasGaps);
  ending.title = hasGaps ? 'Something of what was recorded is missing here: the notes say what' : about.complete
    ? 'The recording ended as it should'
    : running ? 'The page was made while the recording ran: everything here is so far' : 'The recording stopped early; everything up to its last complete frame is here';

  if (capture.isDiff) {
    byId('facts').replaceChildren(
      ...about.sample_bytes ? [sampledFact(about.sample_bytes)] : [], ...diffFacts(about.diff));
    showNotes(diffNotes(about.diff));
    return;
  }
  const facts = [
    fact('Duration', formatSeconds(about.duration_seconds)),
    fact('Peak', formatBytes(totals.peak_bytes)
      + (totals.peak_bytes > 0 ? ` at ${formatSeconds(totals.peak_seconds)}` : ''),
      formatExact(totals.peak_bytes, 'bytes')
        + (totals.peak_is_exact ? '' : '; threads interleaved, so within a quarter of a percent')),
    fact('Still allocated', formatBytes(totals.leaked_bytes), formatExact(totals.leaked_bytes, 'bytes')),
    fact('Allocations', formatCount(totals.allocations), formatExact(totals.allocations, 'allocations')),
    fact('Allocated in all', formatBytes(totals.allocated_bytes),
      formatExact(totals.allocated_bytes, 'bytes')),
  ];
  if (about.sample_bytes) facts.unshift(sampledFact(about.sample_bytes));
  const { resident } = about;
  if (resident?.at_peak) facts.push(residentFact(resident, totals, about.processes.length));
  if (totals.untouched_at_peak_bytes) facts.push(untouchedFact(totals.untouched_at_peak_bytes));
  facts.push(about.processes.length > 1
    ? fact('Processes, threads', `${about.processes.length}, ${about.lanes.length}`,
      'Threads that allocated, in all processes')
    : fact('Threads', String(about.lanes.length), 'Threads that allocated'));
  if (about.python) facts.push(fact('Python', about.python));
  byId('facts').replaceChildren(...facts);
  showNotes(notesOf(about));
}
