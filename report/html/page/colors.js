// Colours by kind of frame. The hues are Okabe and Ito's, told apart with any colour vision, and
// each kind differs in lightness too; every pair of text and bar has a contrast above 4.5.

import { FrameKind } from './capture.js';
import { byId, element } from './dom.js';

// [hue, saturation %, lightness %] of a bar, and how far lightness may stray from bar to bar.
const LIGHT = {
  spread: 5,
  bars: {
    python: [205, 70, 76],
    native: [38, 82, 73],
    interpreter: [275, 20, 81],
    map: [164, 50, 62],
    label: [220, 8, 84],
    others: [220, 6, 90],
    lane: [220, 12, 78],
  },
  text: '#17202b',
  quietText: '#27333f',
};

const DARK = {
  spread: 4,
  bars: {
    python: [206, 54, 34],
    native: [32, 62, 29],
    interpreter: [275, 14, 34],
    map: [160, 56, 21],
    label: [220, 8, 27],
    others: [220, 7, 21],
    lane: [220, 12, 32],
  },
  text: '#eef2f6',
  quietText: '#dde5ec',
};

const KIND_OF_FRAME = {
  [FrameKind.PYTHON]: 'python',
  [FrameKind.NATIVE]: 'native',
  [FrameKind.INTERPRETER]: 'interpreter',
  [FrameKind.LABEL]: 'label',
  [FrameKind.OTHERS]: 'others',
  [FrameKind.TASK]: 'lane',
  [FrameKind.LANE]: 'lane',
};

const COLOR_NAMES = {
  python: 'Python',
  native: 'native',
  interpreter: 'interpreter',
  map: 'mapped memory (mmap)',
};

function isKindPresent(capture, kind) {
  if (kind === 'map') return capture.siteIsKernelMap.includes(1);
  return capture.frameKind.some((frameKind) => KIND_OF_FRAME[frameKind] === kind);
}

const SHADES = 4;

// Colours for canvases, taken again whenever the theme changes.
export class Palette {
  constructor(dark) {
    this.dark = dark;
    const theme = dark ? DARK : LIGHT;
    this.text = theme.text;
    this.quietText = theme.quietText;
    this.bars = {};
    for (const [kind, [hue, saturation, lightness]] of Object.entries(theme.bars)) {
      this.bars[kind] = Array.from({ length: SHADES }, (_, shade) => {
        const offset = theme.spread * ((2 * shade) / (SHADES - 1) - 1) * (dark ? 1 : 0.8);
        return `hsl(${hue} ${saturation}% ${lightness + offset}%)`;
      });
    }
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    this.background = read('--surface');
    this.axis = read('--quiet');
    this.line = read('--line');
    this.strong = read('--ink');
    this.accent = read('--accent');
    this.selectedFill = read('--selected-fill');
    this.mark = read('--mark');
    this.heap = read('--heap');
    this.heapFill = read('--heap-fill');
    this.resident = read('--resident');
    this.residentFill = read('--resident-fill');
    this.rangeFill = read('--range-fill');
    this.ownLine = dark ? 'rgb(255 255 255 / 45%)' : 'rgb(0 0 0 / 38%)';
    this.processes = [1, 2, 3, 4, 5, 6].map((n) => read(`--process-${n}`));
  }

  // Neighbouring files differ a little in lightness, so that a glance tells them apart.
  bar(capture, frame, isMap) {
    const kind = isMap ? 'map' : KIND_OF_FRAME[capture.frameKind[frame]];
    const place = capture.frameFile[frame] || capture.frameModule[frame];
    const shade = (Math.imul(place + 1, 0x9e3779b1) >>> 16) % SHADES;
    return this.bars[kind][shade];
  }

  // Of a diff: red for more, blue for less, grey for the same; the larger the part of the bar that
  // came or went, the stronger. Lightness changes with it too: a print without colours still shows
  // how much.
  change({ before, after }) {
    const larger = Math.max(before, after);
    const share = larger > 0 ? (after - before) / larger : 0;
    const strength = Math.sqrt(Math.abs(share));
    const hue = share > 0 ? 4 : 212;
    const [saturation, lightness] = this.dark
      ? [8 + 52 * strength, 30 + 4 * strength]
      : [10 + 70 * strength, 86 - 14 * strength];
    return `hsl(${hue} ${saturation.toFixed(0)}% ${lightness.toFixed(0)}%)`;
  }

  others() {
    return this.bars.others[1];
  }

  sample(kind) {
    return this.bars[kind][1];
  }
}

function swatchOf(color, name, hint) {
  const swatch = element('i', { class: 'swatch' });
  swatch.style.background = color;
  return element('span', { class: 'legend-entry', title: hint }, swatch, name);
}

function fillDiffLegend(palette) {
  byId('color-legend').replaceChildren(
    swatchOf(palette.change({ before: 0, after: 1 }), 'more', 'The new capture has more here'),
    swatchOf(palette.change({ before: 1, after: 0 }), 'less', 'The new capture has less here'),
    swatchOf(palette.change({ before: 1, after: 1 }), 'same'),
    element('span', { class: 'legend-entry quiet' }, 'as wide as the larger of old and new'));
}

export function fillColorLegend(capture, palette) {
  if (capture.isDiff) {
    fillDiffLegend(palette);
    return;
  }
  const kinds = Object.entries(COLOR_NAMES).filter(([kind]) => isKindPresent(capture, kind));
  byId('color-legend').replaceChildren(...kinds.map(([kind, name]) => {
    const swatch = element('i', { class: 'swatch' });
    swatch.style.background = palette.sample(kind);
    return element('span', { class: 'legend-entry' }, swatch, name);
  }), element('span', {
    class: 'legend-entry', title: 'The line below a bar is as long as what the frame allocated itself',
  }, element('i', { class: 'swatch swatch-own' }), 'own'));
}
