/**
 * SVG path of samples over `capacity` places, newest at the right edge, from 0 at the bottom to the largest at the top.
 * What is not a number leaves a gap.
 */
export function linePath(samples: readonly number[], capacity: number, width: number, height: number): string {
  const known = samples.filter((sample) => Number.isFinite(sample));
  const top = Math.max(...known, 0.001);
  const step = width / Math.max(1, capacity - 1);
  const left = width - (samples.length - 1) * step;
  let isDrawing = false;
  const points = samples.map((sample, index) => {
    if (!Number.isFinite(sample)) {
      isDrawing = false;
      return "";
    }
    const command = isDrawing ? "L" : "M";
    isDrawing = true;
    return `${command}${round(left + index * step)} ${round(height - (Math.max(0, sample) / top) * (height - 2) - 1)}`;
  });
  return points.join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
