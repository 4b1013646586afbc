// The whole graph, small, while its view shows a part of it: where that is, and a way to move it.

import { byId, element, fitCanvas } from './dom.js';
import { OTHERS, layOut } from './layout.js';

const SMALLEST_WINDOW = 3;

export class Minimap {
  constructor(capture) {
    this.capture = capture;
    this.box = byId('minimap');
    this.canvas = element('canvas', { 'aria-hidden': 'true' });
    this.box.append(this.canvas);
    for (const name of ['pointerdown', 'pointermove']) {
      this.canvas.addEventListener(name, (event) => {
        if (event.buttons !== 1) return;
        this.canvas.setPointerCapture(event.pointerId);
        this.moveTo(event);
      });
    }
  }

  // After the view has drawn.
  show(view) {
    this.view = view;
    const { tree } = view;
    const whole = tree.total(tree.root());
    const isPart = view.window.to - view.window.from < whole;
    this.box.hidden = !isPart;
    if (!isPart) return;
    const { clientWidth: width, clientHeight: height } = this.box;
    const context = fitCanvas(this.canvas, width, height);
    context.clearRect(0, 0, width, height);
    const bars = layOut(tree, { from: 0, to: whole, width, minimumWidth: 1 });
    const row = height / (bars.deepest + 1);
    for (let i = 0; i < bars.count; ++i) {
      const node = bars.node[i];
      context.fillStyle = this.colorOf(node);
      const top = view.upwards ? height - (bars.depth[i] + 1) * row : bars.depth[i] * row;
      context.fillRect(bars.left[i], top, Math.max(0.6, bars.right[i] - bars.left[i]), row);
    }
    this.drawWindow(context, width, height, whole);
  }

  colorOf(node) {
    const { view, capture } = this;
    if (node === OTHERS) return view.palette.others();
    const { tree, palette } = view;
    return capture.isDiff ? palette.change(tree.bothOf(node))
      : palette.bar(capture, tree.frame(node), tree.isKernelMap(node));
  }

  drawWindow(context, width, height, whole) {
    const { window, palette } = this.view;
    const left = (window.from / whole) * width;
    const right = Math.max(left + SMALLEST_WINDOW, (window.to / whole) * width);
    context.fillStyle = palette.rangeFill;
    context.fillRect(0, 0, left, height);
    context.fillRect(right, 0, width - right, height);
    context.strokeStyle = palette.strong;
    context.strokeRect(left + 0.5, 0.5, right - left - 1, height - 1);
  }

  // The window's middle comes under the pointer.
  moveTo(event) {
    const { view } = this;
    const { left, width } = this.canvas.getBoundingClientRect();
    const middle = ((event.clientX - left) / width) * view.tree.total(view.tree.root());
    const half = (view.window.to - view.window.from) / 2;
    view.moveWindow({ from: middle - half, to: middle + half });
  }
}
