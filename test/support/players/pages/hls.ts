import Hls, { Events } from "hls.js";
import { Reporter, task } from "./reporter.ts";

const { video, url, config } = task();
const hls = new Hls({ lowLatencyMode: true, liveDurationInfinity: true, ...config });
window.player = hls;
const reporter = new Reporter(video, {
  latencyS: () => (hls.playingDate ? (Date.now() - hls.playingDate.getTime()) / 1000 : null),
  renditions: () => hls.levels.map(({ width, height }) => `${width}x${height}`),
});
hls.on(Events.ERROR, (_event, { type, details, fatal, response, error }) =>
  reporter.note([type, details, response?.code, error?.message].filter(Boolean).join(" "), fatal),
);
hls.loadSource(url);
hls.attachMedia(video);
