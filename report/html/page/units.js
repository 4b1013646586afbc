// Every number the page shows is printed here.

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const COUNT_UNITS = ['', 'k', 'M', 'G', 'T', 'P'];

function threeDigits(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value, units) {
  let unit = 0;
  // 999.5 and more would print as 1000 of the unit.
  while (value >= 999.5 && unit + 1 < units.length) {
    value /= 1000;
    ++unit;
  }
  return [unit === 0 ? String(Math.round(value)) : threeDigits(value), units[unit]];
}

export function formatBytes(bytes) {
  return scaled(bytes, BYTE_UNITS).join('\u00a0');
}

// Numbers along an axis: one unit for all, and no digit more than the step needs.
function axisNumbers(largest, step, units, base) {
  let unit = 0;
  while (largest / base ** unit >= base && unit + 1 < units.length) ++unit;
  const scale = base ** unit;
  const digits = Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9));
  return (value) => (value === 0 ? `0\u00a0${units[unit]}`
    : `${(value / scale).toFixed(digits)}\u00a0${units[unit]}`);
}

export function byteAxis(largest, step) {
  return axisNumbers(largest, step, BYTE_UNITS, 1000);
}

export function timeAxis(longest, step) {
  if (longest >= 120) return (seconds) => formatSeconds(seconds, step);
  const inUnits = axisNumbers(longest * 1e6, step * 1e6, ['\u00b5s', 'ms', 's'], 1000);
  return (seconds) => inUnits(seconds * 1e6);
}

export function formatCount(count) {
  return scaled(count, COUNT_UNITS).join('\u00a0').trimEnd();
}

export function formatExact(value, unit) {
  return `${Math.round(value).toLocaleString('en-US')} ${unit}`;
}

export function formatMetric(value, metric) {
  return metric === 'bytes' ? formatBytes(value) : formatCount(value);
}

export function formatMetricLong(value, metric) {
  if (metric === 'bytes') return formatBytes(value);
  return `${formatCount(value)} ${Math.round(value) === 1 ? 'block' : 'blocks'}`;
}

// "+1.20 MB", "\u2212310 B", "no change".
export function formatChange({ before, after }, metric) {
  if (before === after) return 'no change';
  return `${after > before ? '+' : '\u2212'}${formatMetric(Math.abs(after - before), metric)}`;
}

// "5.00 MB \u2192 6.20 MB".
export function formatBoth({ before, after }, metric) {
  return `${formatMetric(before, metric)} \u2192 ${formatMetricLong(after, metric)}`;
}

export function formatShare(part, whole) {
  if (!(whole > 0)) return '\u2013';
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.01) return '<0.01\u00a0%';
  if (percent >= 99.995) return '100\u00a0%';
  return `${percent < 10 ? percent.toFixed(2) : percent.toFixed(1)}\u00a0%`;
}

// `resolution`: the smallest difference that should stay visible.
export function formatSeconds(seconds, resolution = Math.max(Math.abs(seconds) / 1000, 1e-7)) {
  if (seconds === 0) return '0 s';
  if (Math.abs(seconds) >= 3600) {
    const minutes = Math.round(seconds / 60);
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
  if (Math.abs(seconds) >= 120) {
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }
  const magnitude = Math.abs(seconds);
  const [scale, unit] = magnitude < 1e-3 ? [1e6, '\u00b5s'] : magnitude < 1 ? [1e3, 'ms'] : [1, 's'];
  const digits = Math.min(3, Math.max(0, Math.ceil(-Math.log10(resolution * scale))));
  return `${(seconds * scale).toFixed(digits)} ${unit}`;
}

// The bounds of a power-of-two size class: 0, 1, 2-3, 4-7, ...
export function formatSizeClass(sizeClass) {
  if (sizeClass === 0) return '0 B';
  const low = 2 ** (sizeClass - 1);
  const high = 2 ** sizeClass - 1;
  if (low === high) return `${low} B`;
  const binary = (value) => {
    if (value < 1024) return `${value}`;
    const power = Math.min(5, Math.floor(Math.log2(value) / 10));
    return `${value / 1024 ** power} ${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'][power]}`;
  };
  return high < 1024 ? `${low}\u2013${high} B` : `${binary(low)}B \u2013 <${binary(high + 1)}B`;
}
