import { type ErrorEvent as DashErrorEvent, MediaPlayer } from "dashjs";
import { Reporter, task } from "./reporter.ts";

const { video, url, config } = task();
const dash = MediaPlayer().create();
window.player = dash;
const reporter = new Reporter(video, {
  latencyS: () => dash.getCurrentLiveLatency() || null,
  renditions: () => dash.getRepresentationsByType("video").map(({ width, height }) => `${width}x${height}`),
});
dash.initialize();
// The manifest's own clock alone: dash.js would else ask a public server for the time.
dash.clearDefaultUTCTimingSources();
dash.updateSettings(config);
// dash.js raises errors only after its own tries are used up; a clock it can do without.
dash.on(MediaPlayer.events.ERROR, (event) => {
  const { error } = event as DashErrorEvent;
  if (typeof error === "string") reporter.note(error, true);
  else reporter.note(`${error.code} ${error.message}`, error.code !== MediaPlayer.errors.TIME_SYNC_FAILED_ERROR_CODE);
});
dash.attachView(video);
dash.attachSource(url);
