import assert from "node:assert/strict";
import { CmafReader, type ReadSample } from "../../src/media/cmaf/reader.ts";
import type { CmafTrack } from "../../src/media/cmaf/track.ts";
import { type MediaPlaylist, positionOf, readMediaPlaylist } from "./conformance/media-playlist.ts";
import {
  type MultivariantPlaylist,
  mediaPlaylistUris,
  readMultivariantPlaylist,
} from "./conformance/multivariant-rules.ts";
import type { ProcessEnd } from "./logged-process.ts";
import { RunningProgram } from "./publishers.ts";

/** A track as ffprobe decoded it to its end. */
export interface DecodedTrack {
  readonly codec: string;
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly sampleRateHz: number;
  readonly channelCount: number;
}

export interface Decoded {
  readonly video: readonly DecodedTrack[];
  readonly audio: readonly DecodedTrack[];
  /** What the demuxers and decoders complained of. */
  readonly complaints: string;
}

interface ProbedStream {
  readonly codec_type: string;
  readonly codec_name: string;
  readonly nb_read_frames?: string;
  readonly width?: number;
  readonly height?: number;
  readonly sample_rate?: string;
  readonly channels?: number;
}

/** Has ffprobe decode all that is at a URL, until it ends; for a live one, `seconds` of it. */
export async function decode(url: string, { seconds }: { seconds?: number } = {}): Promise<Decoded> {
  const interval = seconds === undefined ? [] : ["-read_intervals", `%+${seconds}`];
  await using ffprobe = new RunningProgram("ffprobe", [...COUNTING, ...interval, url]);
  return readCounts(await ffprobe.ended);
}

/** The media of each period of a rendition, decoded by itself: ffmpeg 5.1 reads no second init segment in one playlist. */
export async function decodePeriods({ segments }: ReadRendition): Promise<Decoded[]> {
  const periods: Uint8Array[][] = [];
  for (const { hasDiscontinuity, isGap, init, bytes } of segments) {
    if (isGap) continue;
    if (hasDiscontinuity || periods.length === 0) periods.push([init]);
    periods.at(-1)?.push(bytes);
  }
  return Promise.all(periods.map((chunks) => decodeBytes(Buffer.concat(chunks))));
}

async function decodeBytes(bytes: Uint8Array): Promise<Decoded> {
  await using ffprobe = new RunningProgram("ffprobe", [...COUNTING, "-"]);
  ffprobe.feed(bytes);
  return readCounts(await ffprobe.ended);
}

const COUNTING = ["-v", "warning", "-of", "json", "-count_frames", "-show_streams"];

function readCounts({ code, stdout, stderr }: ProcessEnd): Decoded {
  assert.equal(code, 0, `ffprobe: ${stderr.slice(0, 2000)}`);
  const { streams }: { streams: ProbedStream[] } = JSON.parse(stdout);
  const tracks = (kind: string) => streams.filter((stream) => stream.codec_type === kind).map(decodedTrack);
  return { video: tracks("video"), audio: tracks("audio"), complaints: stderr };
}

function decodedTrack(stream: ProbedStream): DecodedTrack {
  return {
    codec: stream.codec_name,
    frameCount: Number(stream.nb_read_frames ?? 0),
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    sampleRateHz: Number(stream.sample_rate ?? 0),
    channelCount: stream.channels ?? 0,
  };
}

/** A segment with its media read. */
export interface ReadSegment {
  readonly msn: number;
  readonly uri: string;
  readonly hasDiscontinuity: boolean;
  readonly isGap: boolean;
  readonly durationS: number;
  readonly init: Uint8Array;
  readonly bytes: Uint8Array;
  readonly track: CmafTrack;
  /** In decode order; none in a gap. */
  readonly samples: readonly ReadSample[];
}

export interface ReadRendition {
  readonly id: string;
  readonly playlist: MediaPlaylist;
  readonly segments: readonly ReadSegment[];
}

/** Everything that a stream's playlists list at one instant. */
export interface ReadPresentation {
  readonly multivariant: MultivariantPlaylist;
  /** By id. */
  readonly renditions: ReadonlyMap<string, ReadRendition>;
}

/** Fetches and reads the multivariant playlist, all media playlists and every complete segment in them. */
export async function readPresentation(masterUrl: string): Promise<ReadPresentation> {
  const multivariant = await fetchMultivariant(masterUrl);
  const urls = mediaPlaylistUris(multivariant).map((uri) => new URL(uri, masterUrl).href);
  const renditions = await Promise.all(urls.map(readRendition));
  return { multivariant, renditions: new Map(renditions.map((rendition) => [rendition.id, rendition])) };
}

/** The same, when the broadcast is over and every playlist has ended: rungs come a little after the source. */
export async function readEnded(masterUrl: string, signal: AbortSignal): Promise<ReadPresentation> {
  const ids = mediaPlaylistUris(await fetchMultivariant(masterUrl)).map((uri) => uri.split("/")[0] ?? "");
  await Promise.all(ids.map((id) => untilPlaylist(masterUrl, id, ({ isEnded }) => isEnded, signal)));
  return readPresentation(masterUrl);
}

export async function fetchMultivariant(masterUrl: string): Promise<MultivariantPlaylist> {
  return readMultivariantPlaylist(await fetchText(masterUrl));
}

/** The media playlist of one rendition, or with `query` the answer to a blocking reload. */
export async function fetchPlaylist(masterUrl: string, renditionId: string, query = ""): Promise<MediaPlaylist> {
  return readMediaPlaylist(await fetchText(`${new URL(`${renditionId}/playlist.m3u8`, masterUrl).href}${query}`));
}

/**
 * Follows a live playlist by blocking reloads until `accept` takes it. Throws with the last one when it ends, or `signal`
 * aborts, before.
 */
export async function untilPlaylist(
  masterUrl: string,
  renditionId: string,
  accept: (playlist: MediaPlaylist) => boolean,
  signal: AbortSignal,
): Promise<MediaPlaylist> {
  let query = "";
  for (;;) {
    const playlist = await fetchPlaylist(masterUrl, renditionId, query);
    if (accept(playlist)) return playlist;
    const last = playlist.complete.at(-1);
    if (signal.aborted || playlist.isEnded) {
      throw new Error(
        `the playlist did not get there; it ends with ${JSON.stringify(last)}, ended: ${playlist.isEnded}`,
      );
    }
    query = reloadQuery(playlist);
  }
}

/** Asks for the next part; without parts, for the next segment. */
function reloadQuery(playlist: MediaPlaylist): string {
  const { msn, part } = positionOf(playlist) ?? { msn: playlist.mediaSequence - 1, part: -1 };
  if (playlist.serverControl?.get("CAN-BLOCK-RELOAD") !== "YES") return "";
  if (playlist.partTargetS === undefined) return `?_HLS_msn=${msn + 1}`;
  return playlist.open ? `?_HLS_msn=${msn}&_HLS_part=${part + 1}` : `?_HLS_msn=${msn + 1}&_HLS_part=0`;
}

async function readRendition(url: string): Promise<ReadRendition> {
  const playlist = readMediaPlaylist(await fetchText(url));
  assert.deepEqual(playlist.problems, [], url);
  const inits = new Map<string, Promise<Uint8Array>>();
  const segments = playlist.complete.map(async ({ msn, uri = "", hasDiscontinuity, isGap, durationS, map = "" }) => {
    const initUrl = new URL(map, url).href;
    const fetched = inits.get(initUrl) ?? fetchBytes(initUrl);
    inits.set(initUrl, fetched);
    const init = await fetched;
    const bytes = isGap ? new Uint8Array() : await fetchBytes(new URL(uri, url).href);
    return { msn, uri, hasDiscontinuity, isGap, durationS, init, bytes, ...readMedia(init, bytes) };
  });
  return { id: new URL(url).pathname.split("/").at(-2) ?? "", playlist, segments: await Promise.all(segments) };
}

function readMedia(init: Uint8Array, segment: Uint8Array): { track: CmafTrack; samples: readonly ReadSample[] } {
  const reader = new CmafReader();
  const events = [...reader.push(init), ...reader.push(segment)];
  reader.end();
  const track = events.flatMap((event) => (event.kind === "init" ? event.tracks : []))[0];
  assert.ok(track, "an init segment has a track");
  return { track, samples: events.filter((event) => event.kind === "sample") };
}

const PCM_RATE_HZ = 48_000;
/** The clicks are 2 kHz; the tone below them is 100 Hz. */
const CLICKS_ONLY = "highpass=f=1000,aresample=osf=flt";
const CLICK_LEVEL = 0.3;
const MIN_SILENCE_MS = 500;

/** When the clicks of a `clicks` source begin, decoded by ffmpeg, in ms of presentation time. */
export async function clickTimesMs({ segments }: ReadRendition): Promise<number[]> {
  const [first] = segments;
  const [sample] = first?.samples ?? [];
  assert.ok(first && sample, "there is audio");
  await using ffmpeg = new RunningProgram("ffmpeg", [
    ...["-v", "error", "-i", "-", "-af", CLICKS_ONLY, "-ac", "1", "-ar", String(PCM_RATE_HZ), "-f", "f32le", "-"],
  ]);
  ffmpeg.feed(Buffer.concat([first.init, ...segments.map(({ bytes }) => bytes)]));
  const pcm = await ffmpeg.output;
  const startMs = ((sample.dts + sample.cts) * 1000) / first.track.timescale;
  return onsetsMs(pcm).map((ms) => startMs + ms);
}

function onsetsMs(pcm: Buffer): number[] {
  const levels = new Float32Array(pcm.buffer, pcm.byteOffset, pcm.byteLength >> 2).map(Math.abs);
  const threshold = CLICK_LEVEL * levels.reduce((most, level) => Math.max(most, level), 0);
  const onsets: number[] = [];
  let lastLoudMs = Number.NEGATIVE_INFINITY;
  for (const [index, level] of levels.entries()) {
    if (level < threshold) continue;
    const atMs = (index * 1000) / PCM_RATE_HZ;
    if (atMs - lastLoudMs > MIN_SILENCE_MS) onsets.push(atMs);
    lastLoudMs = atMs;
  }
  return onsets;
}

/** All samples of a rendition, one after another. */
export function samplesOf({ segments }: ReadRendition): readonly ReadSample[] {
  return segments.flatMap(({ samples }) => samples);
}

/** The rendition with this id; the test fails without it. */
export function rendition({ renditions }: ReadPresentation, id: string): ReadRendition {
  const found = renditions.get(id);
  assert.ok(found, `there is a rendition ${id}, not only ${[...renditions.keys()]}`);
  return found;
}

async function fetchText(url: string): Promise<string> {
  return Buffer.from(await fetchBytes(url)).toString();
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  const answer = await fetch(url);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${url}: ${Buffer.from(bytes).toString("utf8", 0, 300)}`);
  return bytes;
}
