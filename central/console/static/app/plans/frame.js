// Where metres lie in a picture: the same scale across and up, y upwards or downwards.

/**
 * @param {{x: number, y: number}[]} points @param {number} width @param {number} height @param {number} [margin] @param {boolean} [down] y grows downwards
 */
export function frame(points, width, height, margin = 20, down = false) {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const p of points) {
    x0 = Math.min(x0, p.x);
    x1 = Math.max(x1, p.x);
    y0 = Math.min(y0, p.y);
    y1 = Math.max(y1, p.y);
  }
  if (!points.length) [x0, x1, y0, y1] = [0, 1, 0, 1];
  const scale = Math.min((width - 2 * margin) / Math.max(1e-9, x1 - x0), (height - 2 * margin) / Math.max(1e-9, y1 - y0));
  const [left, top] = [(width - (x1 - x0) * scale) / 2, (height - (y1 - y0) * scale) / 2];
  return {
    scale,
    x: (/** @type {number} */ x) => left + (x - x0) * scale,
    y: (/** @type {number} */ y) => (down ? top + (y - y0) * scale : height - top - (y - y0) * scale),
  };
}

export const HUES = 8;

/** @param {number} s Seconds since the plan's begin, in words. */
export function hours(s) {
  const minutes = Math.round(s / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')} h`;
}
