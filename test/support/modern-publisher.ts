// Publishes a media file as it is, with the FFmpeg 8 library: modern-publisher.ts <file> <rtmp url> [realtime].
// A process of its own, because the library leaves the connection to the end of its process.
import { setTimeout as delay } from "node:timers/promises";
import { Demuxer, Muxer } from "node-av/api";

const [file = "", url = "", pace] = process.argv.slice(2);
const input = await Demuxer.open(file);
const output = await Muxer.open(url, { format: "flv" });
// Tags are the file format's own names for codecs, and mean nothing in FLV.
for (const { codecpar } of input.streams) codecpar.codecTag = 0;
const outputIndexes = new Map(input.streams.map((stream) => [stream.index, output.addStream(stream)]));
const startedAtMs = performance.now();
for await (const packet of input.packets()) {
  const index = packet && outputIndexes.get(packet.streamIndex);
  if (!packet || index === undefined || index === null) continue;
  const { num, den } = packet.timeBase;
  const dueMs = startedAtMs + (Number(packet.dts) * num * 1000) / den;
  if (pace === "realtime") await delay(Math.max(0, dueMs - performance.now()));
  await output.writePacket(packet, index);
}
await output.close();
process.exit(0);
