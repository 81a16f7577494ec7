import type Shaka from "shaka-player";
import { Reporter, task } from "./reporter.ts";

/** The library comes as a classic script that puts itself on `window`. */
const { shaka } = window as unknown as { shaka: typeof Shaka };

const { video, url, config } = task();
const player = new shaka.Player();
window.player = player;
const reporter = new Reporter(video, {
  latencyS: () => player.getStats().liveLatency || null,
  renditions: () => player.getVariantTracks().map(({ width, height }) => `${width}x${height}`),
});
player.addEventListener("error", (event: Event) => {
  const { detail } = event as CustomEvent<{ severity: number; category: number; code: number; data: unknown[] }>;
  const isFatal = detail.severity === shaka.util.Error.Severity.CRITICAL;
  reporter.note(`${detail.category}.${detail.code} ${JSON.stringify(detail.data).slice(0, 300)}`, isFatal);
});
shaka.polyfill.installAll();
await player.attach(video);
player.configure({ streaming: { lowLatencyMode: true }, ...config });
await player.load(url);
