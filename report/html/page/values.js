// What each site counts for in a view. A view is a box in the plane of (cell allocated, cell
// removed): reader/analysis/range_matrix.h says why that is exact. Cell 0 is before the first
// bucket; bucket k is cell 2k + 1 before its high, and 2k + 2 from it on.

export const VIEWS = ['peak', 'leaks', 'temporary', 'allocations'];

const VIEW_TITLES = {
  peak: 'Peak',
  leaks: 'Still allocated',
  temporary: 'Temporary',
  allocations: 'All allocations',
};

const RANGE_TITLES = {
  peak: 'Peak inside',
  leaks: 'Retained',
  temporary: 'Temporary inside',
  allocations: 'Allocated inside',
};

const VIEW_MEANINGS = {
  peak: 'Blocks alive when tracked memory was at its highest',
  leaks: 'Blocks that were never freed',
  temporary: 'Blocks freed before further allocations of their thread',
  allocations: 'Every block ever allocated, freed or not',
};

const RANGE_MEANINGS = {
  peak: 'Blocks alive at the highest moment inside the range, whenever allocated',
  leaks: 'Blocks allocated inside the range and alive at its end',
  temporary: 'Blocks allocated inside the range and freed before further allocations of their thread',
  allocations: 'Blocks allocated inside the range, freed or not',
};

// What a view is called, of the whole time or of a range.
export function viewTitle({ view, range }) {
  return (range ? RANGE_TITLES : VIEW_TITLES)[view];
}

export function viewMeaning({ view, range }) {
  return (range ? RANGE_MEANINGS : VIEW_MEANINGS)[view];
}

// The bucket of [first, end) with the largest high; the earliest of several.
export function highestBucket(capture, first, end) {
  let best = first;
  for (let bucket = first + 1; bucket < end; ++bucket) {
    if (capture.bucketHighs[bucket] > capture.bucketHighs[best]) best = bucket;
  }
  return best;
}

// `range`: [first bucket, end bucket), or null for the whole axis.
function boxOf(capture, view, range) {
  const [first, end] = range ?? [0, capture.bucketCount];
  if (view === 'peak') {
    const high = 2 * highestBucket(capture, first, end) + 2;
    return { allocatedFrom: 0, allocatedTo: high, removedFrom: high, unfreed: false };
  }
  // What was never freed is still allocated, even where its process is gone.
  return {
    allocatedFrom: 2 * first + 1,
    allocatedTo: 2 * end + 1,
    removedFrom: view === 'leaks' ? 2 * end + 1 : 0,
    unfreed: true,
  };
}

// One number a site, as a Float64Array.
export function siteValues(capture, { view, metric, range }) {
  if (view === 'temporary') return temporaryValues(capture, metric, range);
  const { allocatedFrom, allocatedTo, removedFrom, unfreed } = boxOf(capture, view, range);
  const { cellAllocated, cellRemoved, cellUnfreed, siteCells } = capture;
  const amounts = capture.cell[metric];
  const values = new Float64Array(capture.siteCount);
  for (let site = 0; site < values.length; ++site) {
    let sum = 0;
    const end = siteCells[site + 1];
    for (let i = siteCells[site]; i < end; ++i) {
      const allocated = cellAllocated[i];
      if (allocated < allocatedFrom || allocated >= allocatedTo) continue;
      if (cellRemoved[i] >= removedFrom || (unfreed && cellUnfreed[i])) sum += amounts[i];
    }
    values[site] = sum;
  }
  return values;
}

function temporaryValues(capture, metric, range) {
  const [first, end] = range ?? [0, capture.bucketCount];
  const { siteTemporaries, temporaryBucket } = capture;
  const amounts = capture.temporary[metric];
  const values = new Float64Array(capture.siteCount);
  for (let site = 0; site < values.length; ++site) {
    for (let i = siteTemporaries[site]; i < siteTemporaries[site + 1]; ++i) {
      if (temporaryBucket[i] >= first && temporaryBucket[i] < end) values[site] += amounts[i];
    }
  }
  return values;
}

// What the sites of one of the two captures of a diff sum up to.
export function sumOfSide(capture, values, lane) {
  let sum = 0;
  for (let i = 0; i < values.length; ++i) if (capture.siteLane[i] === lane) sum += values[i];
  return sum;
}

export function sumOf(values) {
  let sum = 0;
  for (let i = 0; i < values.length; ++i) sum += values[i];
  return sum;
}
