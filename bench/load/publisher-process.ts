import { readFile } from "node:fs/promises";
import { encodeChunks } from "../../src/ingest/rtmp/wire/chunk-writer.ts";
import { MESSAGE_TYPES } from "../../src/ingest/rtmp/wire/messages.ts";
import { type FlvTag, RtmpPublisher, readFlvTags } from "../../test/support/rtmp-publisher.ts";
import { quantile } from "../statistics.ts";
import { serveLoad } from "./load-process.ts";
import type { AddPublishers, PublisherFigures } from "./publisher-load.ts";

const TURN_MS = 4;
/** Over which the starts of publishers are spread: one GOP, so that parts close at different times. */
const SPREAD_MS = 2000;
const GOLDEN_RATIO = 0.618_033_988_75;
const CHUNK_BYTES = 65_536;
const STREAM_ID = 1;
const CHUNK_STREAMS = { audio: 4, video: 6 } as const;
const CACHED_COUNT = 8192;
/** FLV: the second byte of AVC and AAC tags; 0 is a sequence header. */
const SEQUENCE_HEADER = 0;

interface Publisher {
  readonly connection: RtmpPublisher;
  readonly startMs: number;
  next: number;
  isBlocked: boolean;
}

const publishers = new Set<Publisher>();
let headers: Buffer[] = [];
let frames: FlvTag[] = [];
let loopMs = 0;
let startedCount = 0;
let lostCount = 0;
let sentCount = 0;
let latenessMs: number[] = [];

/**
 * Every publisher sends the same frames with the same timestamps, only at other times: what one has encoded goes out of
 * all sockets as it is.
 */
const encoded: { index: number; bytes: Buffer }[] = [];

function encode({ type, body }: FlvTag, timestamp: number): Buffer {
  const typeId = type === "audio" ? MESSAGE_TYPES.audio : MESSAGE_TYPES.video;
  return encodeChunks(
    { chunkStreamId: CHUNK_STREAMS[type], typeId, streamId: STREAM_ID, timestamp, body },
    CHUNK_BYTES,
  );
}

function timeOf(index: number): number {
  return Math.floor(index / frames.length) * loopMs + (frames[index % frames.length]?.timestampMs ?? 0);
}

function bytesOf(index: number): Buffer {
  const slot = index % CACHED_COUNT;
  const cached = encoded[slot];
  if (cached?.index === index) return cached.bytes;
  const frame = frames[index % frames.length];
  const bytes = frame ? encode(frame, timeOf(index)) : Buffer.alloc(0);
  encoded[slot] = { index, bytes };
  return bytes;
}

async function load({ path, seconds }: { path: string; seconds: number }): Promise<void> {
  const tags = readFlvTags(await readFile(path));
  loopMs = seconds * 1000;
  headers = tags.filter(({ body }) => body[1] === SEQUENCE_HEADER).map((tag) => encode(tag, 0));
  frames = tags.filter(({ body, timestampMs }) => body[1] !== SEQUENCE_HEADER && timestampMs < loopMs);
  frames.sort((a, b) => a.timestampMs - b.timestampMs);
  setInterval(turn, TURN_MS);
}

async function add({ port, streamNames }: AddPublishers): Promise<void> {
  for (const streamName of streamNames) {
    const connection = await RtmpPublisher.publish({ port, streamName });
    for (const header of headers) connection.sendRaw(header);
    startedCount += 1;
    const startMs = performance.now() + ((startedCount * GOLDEN_RATIO) % 1) * SPREAD_MS;
    const publisher = { connection, startMs, next: 0, isBlocked: false };
    publishers.add(publisher);
    void connection.refusal().then(() => {
      if (publishers.delete(publisher)) lostCount += 1;
    });
  }
}

function turn(): void {
  const nowMs = performance.now();
  for (const publisher of publishers) if (!publisher.isBlocked) send(publisher, nowMs);
}

function send(publisher: Publisher, nowMs: number): void {
  for (;;) {
    const lateMs = nowMs - publisher.startMs - timeOf(publisher.next);
    if (lateMs < 0) return;
    sentCount += 1;
    // One in eight is enough to know.
    if (sentCount % 8 === 0) latenessMs.push(lateMs);
    const hasRoom = publisher.connection.sendRaw(bytesOf(publisher.next));
    publisher.next += 1;
    if (hasRoom) continue;
    publisher.isBlocked = true;
    void publisher.connection.drained().then(
      () => {
        publisher.isBlocked = false;
      },
      () => publishers.delete(publisher),
    );
    return;
  }
}

/** What was counted since it was asked before. */
function figures(): PublisherFigures {
  const counted = {
    publisherCount: publishers.size,
    lostCount,
    sentCount,
    lateP50Ms: quantile(latenessMs, 0.5),
    lateP99Ms: quantile(latenessMs, 0.99),
  };
  sentCount = 0;
  latenessMs = [];
  return counted;
}

async function close(): Promise<void> {
  const all = [...publishers];
  publishers.clear();
  await Promise.all(all.map(({ connection }) => connection.close()));
}

serveLoad({ load, add, figures, close });
