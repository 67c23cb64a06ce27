// Where on the floor the map looks: metres (y up) to pixels (y down).

const LEAST = 4;
const MOST = 160;

export class Camera {
  constructor() {
    this.width = 1;
    this.height = 1;
    /** Pixels a metre. */
    this.scale = 16;
    /** Metres at the middle of the picture. */
    this.x = 0;
    this.y = 0;
    /** Whether the whole floor is kept in view when the window changes. */
    this.fitted = true;
  }

  /** @param {number} x */
  px(x) {
    return (x - this.x) * this.scale + this.width / 2;
  }

  /** @param {number} y */
  py(y) {
    return (this.y - y) * this.scale + this.height / 2;
  }

  /** @param {number} px @param {number} py @returns {[number, number]} metres */
  metres(px, py) {
    return [(px - this.width / 2) / this.scale + this.x, this.y - (py - this.height / 2) / this.scale];
  }

  /** @param {{left: number, right: number, bottom: number, top: number}} bounds */
  fit(bounds) {
    const margin = 26;
    const legend = this.height > 420 ? 22 : 0; // it stands below the floor
    const w = bounds.right - bounds.left;
    const h = bounds.top - bounds.bottom;
    this.scale = Math.max(LEAST, Math.min((this.width - 2 * margin) / w, (this.height - 2 * margin - legend) / h));
    this.x = (bounds.left + bounds.right) / 2;
    this.y = (bounds.top + bounds.bottom) / 2 - legend / 2 / this.scale;
    this.fitted = true;
  }

  /** @param {number} factor @param {number} px @param {number} py What stays under the pointer. */
  zoom(factor, px, py) {
    const [mx, my] = this.metres(px, py);
    this.scale = Math.max(LEAST, Math.min(MOST, this.scale * factor));
    this.x = mx - (px - this.width / 2) / this.scale;
    this.y = my + (py - this.height / 2) / this.scale;
    this.fitted = false;
  }

  /** @param {number} dx @param {number} dy pixels */
  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.fitted = false;
  }
}
