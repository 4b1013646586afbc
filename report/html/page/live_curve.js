// What a bar held over time.

// Bytes alive at the highest moment of each bucket, as the view of a peak inside it counts them
// (values.js): allocated in a cell before that moment, removed in one from it on.
export function liveCurve(capture, tree, node) {
  const { bucketCount, cellAllocated, cellRemoved, siteCells } = capture;
  const amounts = capture.cell.bytes;
  // By cell: what is more alive from it on than before.
  const changes = new Float64Array(2 * bucketCount + 3);
  tree.forEachSite(node, (site) => {
    for (let i = siteCells[site]; i < siteCells[site + 1]; ++i) {
      changes[cellAllocated[i]] += amounts[i];
      if (cellRemoved[i] < changes.length) changes[cellRemoved[i]] -= amounts[i];
    }
  });
  const curve = new Float64Array(bucketCount);
  let alive = 0;
  for (let cell = 0; cell < 2 * bucketCount + 1; ++cell) {
    alive += changes[cell];
    if (cell % 2 === 1) curve[(cell - 1) / 2] = alive;
  }
  return curve;
}

// The bucket with the most; the first of several.
export function highestOf(curve) {
  let best = 0;
  for (let i = 1; i < curve.length; ++i) if (curve[i] > curve[best]) best = i;
  return best;
}
