// The state of the page in its address, so that a link or the Back button returns to what was seen.
// Only what differs from the defaults is written.

// name: [default, from text, to text]
const flag = [false, (text) => text === '1', () => '1'];
const flagOn = [true, (text) => text === '1', (value) => (value ? '1' : '0')];
const oneOf = (...values) => [values[0], (text) => (values.includes(text) ? text : values[0]), String];
const text = ['', String, String];
const integers = [
  null,
  (value) => (/^\d+(\.\d+)*$/.test(value) ? value.split('.').map(Number) : null),
  (value) => value.join('.'),
];

const FIELDS = {
  view: oneOf('peak', 'leaks', 'temporary', 'allocations'),
  metric: oneOf('bytes', 'blocks'),
  range: integers,
  mode: oneOf('graph', 'table', 'growing'),
  inverted: flag,
  flames: flag,
  fill: oneOf('total', 'own'),
  split: oneOf('merged', 'process', 'thread'),
  byTask: flag,
  hideImports: flagOn,
  hideInternals: flagOn,
  foldRecursion: flag,
  zoom: integers,
  query: text,
  group: oneOf('function', 'line', 'file', 'module'),
  sort: oneOf('own', 'total', 'name', 'share', 'before', 'after', 'change'),
  ascending: flag,
  row: text,
};

export function defaultState() {
  return Object.fromEntries(Object.entries(FIELDS).map(([name, [value]]) => [name, value]));
}

export function stateFromFragment(fragment, defaults) {
  const state = { ...defaults };
  for (const [name, value] of new URLSearchParams(fragment.replace(/^#/, ''))) {
    if (Object.hasOwn(FIELDS, name)) state[name] = FIELDS[name][1](value);
    // The table's search had a name of its own once.
    if (name === 'filter') state.query = value;
  }
  if (state.range?.length !== 2) state.range = null;
  return state;
}

export function fragmentOfState(state, defaults) {
  const parameters = new URLSearchParams();
  for (const [name, [, , toText]] of Object.entries(FIELDS)) {
    const value = state[name];
    if (value !== defaults[name] && value !== null) {
      const isOff = value === false;
      parameters.set(name, isOff ? '0' : toText(value));
    }
  }
  return parameters.toString();
}
