// From pixels to boxes: the model's input, its output, and non-maximum suppression. No page, no state.

/** Where a picture lies in the square that the model sees: scaled to fit, centred, grey around it. */
export function fit(width, height, side) {
  const scale = side / Math.max(width, height);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  return { scale, w, h, left: Math.floor((side - w) / 2), top: Math.floor((side - h) / 2) };
}

/** RGBA pixels of a square as the model's input: three planes from 0 to 1. */
export function planes(rgba, side) {
  const size = side * side;
  const out = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) out[c * size + i] = rgba[4 * i + c] / 255;
  return out;
}

/** The output (4 + classes, anchors) as boxes above a confidence, the best first. */
export function decode(values, anchors, classes, confidence) {
  const found = [];
  for (let i = 0; i < anchors; i++) {
    let kind = 0;
    for (let k = 1; k < classes; k++) if (values[(4 + k) * anchors + i] > values[(4 + kind) * anchors + i]) kind = k;
    const score = values[(4 + kind) * anchors + i];
    if (score < confidence) continue;
    const [x, y, w, h] = [0, 1, 2, 3].map((k) => values[k * anchors + i]);
    found.push({ kind, score, box: [x - w / 2, y - h / 2, x + w / 2, y + h / 2] });
  }
  return found.sort((a, b) => b.score - a.score);
}

/** Keep the best of boxes of one kind that cover each other by more than `overlap`. */
export function suppress(found, overlap = 0.7) {
  const kept = [];
  for (const one of found) if (kept.every((k) => k.kind !== one.kind || iou(k.box, one.box) <= overlap)) kept.push(one);
  return kept;
}

function iou(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (r) => (r[2] - r[0]) * (r[3] - r[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}
