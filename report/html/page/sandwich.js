// Callers above, callees below, of one row of the table.

import { byId, element } from './dom.js';
import { FlameView } from './flame_view.js';
import { CalleesTree, CallersTree, outermostOccurrences } from './grouped_tree.js';
import { formatBoth, formatMetricLong } from './units.js';

export class Sandwich {
  // handlers: those of a FlameView, with the tree in front of the node
  constructor(capture, handlers) {
    this.capture = capture;
    const view = (id, label) => {
      const flame = new FlameView(byId(id), capture, {
        onHover: (node, others, event) => handlers.onHover(flame.tree, node, others, event),
        onLeave: handlers.onLeave,
        onSelect: (node) => handlers.onSelect(flame.tree, node, flame === this.callers),
        onZoom: (node) => flame.zoomTo(node),
      }, label, { firstDepth: 1 });
      return flame;
    };
    this.callers = view('callers', 'Callers');
    this.callees = view('callees', 'Callees');
  }

  // Shows what `isOccurrence(frame)` selects.
  show(callTree, name, isOccurrence, { metric, palette }) {
    const occurrences = outermostOccurrences(callTree, isOccurrence);
    this.callers.setTree(new CallersTree(callTree, occurrences), { metric, palette, upwards: true });
    this.callees.setTree(new CalleesTree(callTree, occurrences), { metric, palette, upwards: false });
    const { tree } = this.callees;
    const [total, own] = [tree.total(0), tree.ownOf(0)].map((value) => formatMetricLong(value, metric));
    byId('sandwich-title').replaceChildren(
      element('strong', {}, name), element('span', { class: 'quiet' }, this.capture.isDiff
        ? formatBoth(tree.bothOf(0), metric)
        : `${total}, of which own ${own}`));
    for (const [id, view] of [['no-callers', this.callers], ['no-callees', this.callees]]) {
      byId(id).hidden = view.tree.children(0).length > 0;
    }
    byId('sandwich').hidden = false;
    byId('sandwich-hint').hidden = true;
    this.callers.resized();
    this.callees.resized();
    this.callers.container.scrollTop = this.callers.contentHeight();
  }

  // Back towards the whole; whether there was anything to go back from.
  zoomOut() {
    const zoomed = [this.callers, this.callees].filter((view) => view.tree?.parent(view.focus) >= 0);
    for (const view of zoomed) view.zoomTo(view.tree.parent(view.focus));
    return zoomed.length > 0;
  }

  hide() {
    byId('sandwich').hidden = true;
    byId('sandwich-hint').hidden = false;
  }

  setPalette(palette) {
    for (const view of [this.callers, this.callees]) if (view.tree) view.setPalette(palette);
  }
}
