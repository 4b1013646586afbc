// Wheel, pinch and drag over the flame graph: a window onto it that no one bar need fill.

const PIXELS_PER_LINE = 16;
const WHEEL_ZOOM = 0.0025;
// Less is a click that shook.
const DRAG_PIXELS = 4;

function pixelsOf(event, delta) {
  return event.deltaMode === WheelEvent.DOM_DELTA_LINE ? delta * PIXELS_PER_LINE : delta;
}

export class FlameGestures {
  constructor(view) {
    this.view = view;
    this.pointers = new Map();
    this.dragged = false;
    const { canvas } = view;
    canvas.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    canvas.addEventListener('pointerdown', (event) => this.down(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    for (const end of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    // Before the view's own: what ended a drag chose no bar.
    canvas.addEventListener('click', (event) => {
      if (this.dragged) event.stopImmediatePropagation();
      this.dragged = false;
    }, { capture: true });
  }

  xOf(event) {
    return event.clientX - this.view.canvas.getBoundingClientRect().left;
  }

  // Of a trackpad, a pinch comes as a wheel with the control key.
  wheel(event) {
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.view.zoomAround(this.xOf(event), Math.exp(pixelsOf(event, event.deltaY) * WHEEL_ZOOM));
    } else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      event.preventDefault();
      this.view.pan(pixelsOf(event, sideways));
    }
  }

  down(event) {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    this.pointers.set(event.pointerId, this.xOf(event));
    this.startX = this.xOf(event);
    this.dragged = this.pointers.size > 1;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) return;
    const x = this.xOf(event);
    if (this.pointers.size === 2) {
      this.pinch(event.pointerId, before, x);
    } else if (this.dragged || Math.abs(x - this.startX) > DRAG_PIXELS) {
      if (!this.dragged) this.view.canvas.setPointerCapture(event.pointerId);
      this.dragged = true;
      this.view.pan(before - x);
    } else {
      return;
    }
    this.pointers.set(event.pointerId, x);
  }

  // One of two fingers moved: the middle stays under them.
  pinch(moved, before, x) {
    const [, other] = [...this.pointers].find(([id]) => id !== moved);
    const [was, is] = [Math.abs(before - other), Math.abs(x - other)];
    if (was > 0 && is > 0) this.view.zoomAround((x + other) / 2, was / is);
  }
}
