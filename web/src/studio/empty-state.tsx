import { Icon } from "../ui/icon.tsx";

interface EmptyStateProps {
  onCreate: () => void;
  onPicture: () => void;
  isStarting: boolean;
}

/** The first thing a newcomer sees: what to do, and a way to see something now. */
export function EmptyState({ onCreate, onPicture, isStarting }: EmptyStateProps) {
  return (
    <section class="empty">
      <Spring />
      <h2>Nothing flows yet</h2>
      <p class="lead">Start the test picture to see the whole path work, or bring your own encoder.</p>
      <div class="actions">
        <button type="button" class="button primary" onClick={onPicture} disabled={isStarting}>
          <Icon name="picture" /> Start a test picture
        </button>
        <button type="button" class="button" onClick={onCreate}>
          <Icon name="plus" /> New stream
        </button>
      </div>
      <ol class="steps">
        <li>
          <h3>Make a stream</h3>
          <p>You get a server address and a key that only your encoder knows.</p>
        </li>
        <li>
          <h3>Point an encoder at it</h3>
          <p>OBS, ffmpeg, GStreamer: anything that speaks RTMP.</p>
        </li>
        <li>
          <h3>Share the watch page</h3>
          <p>A link or an embed; it plays on its own as soon as you are live.</p>
        </li>
      </ol>
    </section>
  );
}

function Spring() {
  return (
    <svg class="spring" viewBox="0 0 240 96" aria-hidden="true">
      {[0, 1, 2, 3].map((line) => (
        <path key={line} d={wave(30 + line * 15, 18 - line * 3.4)} style={{ opacity: 1 - line * 0.23 }} />
      ))}
      <circle cx="120" cy="10" r="5" />
    </svg>
  );
}

function wave(y: number, height: number): string {
  return `M8 ${y}c28 0 38 ${-height} 56 ${-height}s28 ${height} 56 ${height} 38 ${-height} 56 ${-height} 28 ${height} 56 ${height}`;
}
