import { useEffect, useState } from "preact/hooks";
import { bitrateText, delayText } from "../text/figures.ts";
import { Icon } from "../ui/icon.tsx";
import { linePath } from "./line-path.ts";
import type { WatchSession, WatchStats } from "./watch-session.ts";

const SAMPLE_MS = 500;
const SAMPLE_COUNT = 120;
const CHART = { width: 200, height: 34 };

/** What an engineer asks of a player, read twice a second, and the latency of the last minute as a line. */
export function StatsPanel({ session, onClose }: { session: WatchSession; onClose: () => void }) {
  const [stats, setStats] = useState<WatchStats>(() => session.stats());
  const [latencies, setLatencies] = useState<readonly number[]>([]);
  useEffect(() => {
    const timer = setInterval(() => {
      const next = session.stats();
      setStats(next);
      setLatencies((last) => [...last, next.latencyS ?? Number.NaN].slice(-SAMPLE_COUNT));
    }, SAMPLE_MS);
    return () => clearInterval(timer);
  }, [session]);
  return (
    <section class="stats" aria-label="Statistics">
      <button type="button" class="control" aria-label="Close statistics" onClick={onClose}>
        <Icon name="close" />
      </button>
      <dl>
        {rowsOf(stats).map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <svg viewBox={`0 0 ${CHART.width} ${CHART.height}`} preserveAspectRatio="none" aria-hidden="true">
        <path d={linePath(latencies, SAMPLE_COUNT, CHART.width, CHART.height)} />
      </svg>
    </section>
  );
}

function rowsOf(stats: WatchStats): [string, string][] {
  const target = stats.targetLatencyS === undefined ? "" : ` (aim ${delayText(stats.targetLatencyS)})`;
  const size = stats.width > 0 ? `${stats.width}×${stats.height}` : "";
  const latency: [string, string][] = stats.isLive ? [["Latency", `${delayText(stats.latencyS)}${target}`]] : [];
  return [
    ...latency,
    ["Buffer", delayText(stats.bufferedS)],
    ["Rendition", [stats.rendition, size].filter(Boolean).join(" · ") || "—"],
    ["Dropped frames", `${stats.droppedFrames} of ${stats.decodedFrames}`],
    ["Bandwidth", bitrateText(stats.bandwidthBps)],
    ["Speed", `${stats.playbackRate.toFixed(2)}×`],
    ["Format", stats.format === "native" ? "HLS (browser)" : (stats.format?.toUpperCase() ?? "—")],
    ["Stalls, recoveries", `${stats.stalls}, ${stats.recoveries}`],
    ["Last error", stats.errors.at(-1)?.text ?? "—"],
  ];
}
