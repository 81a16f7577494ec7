// Publishes a media file as it is, with the FFmpeg 8 library: modern-publisher.ts <file> <rtmp url>.
// A process of its own, because the library leaves the connection to the end of its process.
import { Demuxer, Muxer } from "node-av/api";

const [file = "", url = ""] = process.argv.slice(2);
const input = await Demuxer.open(file);
const output = await Muxer.open(url, { format: "flv" });
// Tags are the file format's own names for codecs, and mean nothing in FLV.
for (const { codecpar } of input.streams) codecpar.codecTag = 0;
const outputIndexes = new Map(input.streams.map((stream) => [stream.index, output.addStream(stream)]));
for await (const packet of input.packets()) {
  const index = packet && outputIndexes.get(packet.streamIndex);
  if (index !== undefined && index !== null) await output.writePacket(packet, index);
}
await output.close();
process.exit(0);
