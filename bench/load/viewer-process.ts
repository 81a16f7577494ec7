import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { quantile } from "../statistics.ts";
import { type HttpAnswer, HttpConnection, headerOf } from "./http-connection.ts";
import { serveLoad } from "./load-process.ts";
import { type ListedPart, type PartList, readPartList } from "./part-list.ts";
import type { AddViewers, StaticFiles, ViewerFigures } from "./viewer-load.ts";

/** Playlists that are remembered by their tag; a handful is current at any time. */
const REMEMBERED_COUNT = 256;
const STATIC_TURN_MS = 500;

/** What a browser sends beside the path. */
const BROWSER_HEADERS = [
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "Accept: */*",
  "Origin: http://player.test",
  "Sec-Fetch-Site: cross-site",
  "Sec-Fetch-Mode: cors",
  "Sec-Fetch-Dest: empty",
  "Referer: http://player.test/",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-US,en;q=0.9",
].join("\r\n");

let requestCount = 0;
let errorCount = 0;
let firstError = "";
let partDelaysMs: number[] = [];
let playlistDelaysMs: number[] = [];
const sizes = { playlist: { count: 0, bytes: 0 }, video: { count: 0, bytes: 0 }, audio: { count: 0, bytes: 0 } };
let cpuBefore = process.cpuUsage();
let beforeMs = performance.now();
let viewerCount = 0;

const wallMs = () => performance.timeOrigin + performance.now();

function note(error: string): void {
  errorCount += 1;
  firstError ||= error;
}

function connect(port: number): HttpConnection {
  return new HttpConnection(port, (error) => note(error.message));
}

const requests = new Map<string, Buffer>();

/** Thousands ask for the same within a moment: their bytes are made once. */
function requestFor(port: number, path: string): Buffer {
  const known = requests.get(path);
  if (known) return known;
  if (requests.size >= REMEMBERED_COUNT) requests.clear();
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${BROWSER_HEADERS}\r\n\r\n`);
  requests.set(path, request);
  return request;
}

const lists = new Map<string, PartList>();

function listOf({ head, body }: HttpAnswer): PartList | undefined {
  const tag = headerOf(head, "ETag");
  const known = lists.get(tag);
  if (known || !body) return known;
  if (lists.size >= REMEMBERED_COUNT) lists.clear();
  const list = readPartList(decode(headerOf(head, "Content-Encoding"), body));
  lists.set(tag, list);
  return list;
}

function decode(encoding: string, body: Buffer): string {
  if (encoding === "br") return brotliDecompressSync(body).toString();
  return encoding === "gzip" ? gunzipSync(body).toString() : body.toString();
}

const isUnknownList = (head: string) => !lists.has(headerOf(head, "ETag"));
const never = () => false;

/** One rendition as hls.js loads it: a playlist request always waits, and each new part is fetched when it is listed. */
class RenditionViewer {
  readonly #port: number;
  readonly #directory: string;
  readonly #kind: "video" | "audio";
  readonly #playlist: HttpConnection;
  readonly #media: HttpConnection;
  readonly #wanted: ListedPart[] = [];
  #newest: ListedPart | undefined;

  constructor(port: number, playlistPath: string, kind: "video" | "audio") {
    this.#port = port;
    this.#directory = playlistPath.slice(0, playlistPath.lastIndexOf("/") + 1);
    this.#kind = kind;
    this.#playlist = connect(port);
    this.#media = connect(port);
    this.#reload("");
  }

  get isBehind(): boolean {
    return this.#newest === undefined || this.#wanted.length > 1;
  }

  #reload(query: string): void {
    const path = `${this.#directory}playlist.m3u8${query && `?${query}`}`;
    this.#playlist.ask(requestFor(this.#port, path), isUnknownList, (answer) => this.#onPlaylist(answer));
  }

  #onPlaylist(answer: HttpAnswer): void {
    requestCount += 1;
    const list = answer.status === 200 ? listOf(answer) : undefined;
    if (!list) {
      note(`playlist: ${answer.status}`);
      setTimeout(() => this.#reload(""), STATIC_TURN_MS);
      return;
    }
    sizes.playlist.count += 1;
    sizes.playlist.bytes += answer.bodyBytes;
    const newest = list.parts.at(-1);
    if (newest && this.#newest) {
      playlistDelaysMs.push(wallMs() - newest.endMs);
      this.#wanted.push(...list.parts.filter((part) => this.#isNew(part)));
    }
    this.#newest = newest ?? this.#newest;
    this.#reload(list.nextQuery);
    this.#fetch();
  }

  #isNew({ msn, index }: ListedPart): boolean {
    const newest = this.#newest;
    return newest === undefined || msn > newest.msn || (msn === newest.msn && index > newest.index);
  }

  #fetch(): void {
    if (this.#media.isBusy) return;
    const part = this.#wanted.shift();
    if (!part) return;
    this.#media.ask(requestFor(this.#port, this.#directory + part.uri), never, ({ status, bodyBytes }) => {
      requestCount += 1;
      if (status !== 200) note(`part: ${status}`);
      partDelaysMs.push(wallMs() - part.endMs);
      sizes[this.#kind].count += 1;
      sizes[this.#kind].bytes += bodyBytes;
      this.#fetch();
    });
  }
}

const viewers: RenditionViewer[] = [];

async function addViewers({ port, playlistPaths, count, perSecond }: AddViewers): Promise<void> {
  const [video = "", audio] = playlistPaths;
  for (let done = 0; done < count; done++) {
    viewers.push(new RenditionViewer(port, video, "video"));
    if (audio) viewers.push(new RenditionViewer(port, audio, "audio"));
    viewerCount += 1;
    if (done % Math.ceil(perSecond / 50) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The same load without a server that thinks: twice a second everybody asks for a playlist, and then for a part. */
function addStaticViewers({ port, count, playlistPath, partPaths }: StaticFiles): void {
  viewerCount += count;
  const pairs = Array.from({ length: count }, () =>
    partPaths.map((path) => ({ path, a: connect(port), b: connect(port) })),
  );
  setInterval(() => {
    const turnMs = performance.now();
    for (const { path, a, b } of pairs.flat()) {
      if (a.isBusy || b.isBusy) continue;
      a.ask(requestFor(port, playlistPath), never, ({ status }) => {
        requestCount += 1;
        if (status !== 200) note(`playlist: ${status}`);
        playlistDelaysMs.push(performance.now() - turnMs);
        b.ask(requestFor(port, path), never, (answer) => {
          requestCount += 1;
          if (answer.status !== 200) note(`part: ${answer.status}`);
          partDelaysMs.push(performance.now() - turnMs);
        });
      });
    }
  }, STATIC_TURN_MS);
}

function countBehind(): number {
  return viewers.filter(({ isBehind }) => isBehind).length;
}

/** What was counted since it was asked before. */
function figures(): ViewerFigures {
  const nowMs = performance.now();
  const { user, system } = process.cpuUsage(cpuBefore);
  const mean = ({ count, bytes }: { count: number; bytes: number }) => (count === 0 ? 0 : bytes / count);
  const counted: ViewerFigures = {
    viewerCount,
    requestsPerSecond: (1000 * requestCount) / (nowMs - beforeMs),
    errorCount,
    firstError,
    partCount: partDelaysMs.length,
    partP50Ms: quantile(partDelaysMs, 0.5),
    partP99Ms: quantile(partDelaysMs, 0.99),
    partMaxMs: quantile(partDelaysMs, 1),
    partMinMs: quantile(partDelaysMs, 0),
    playlistP50Ms: quantile(playlistDelaysMs, 0.5),
    playlistP99Ms: quantile(playlistDelaysMs, 0.99),
    playlistBytes: mean(sizes.playlist),
    videoPartBytes: mean(sizes.video),
    audioPartBytes: mean(sizes.audio),
    clientCpuPercent: (user + system) / 10 / (nowMs - beforeMs),
  };
  requestCount = 0;
  errorCount = 0;
  firstError = "";
  partDelaysMs = [];
  playlistDelaysMs = [];
  cpuBefore = process.cpuUsage();
  beforeMs = nowMs;
  return counted;
}

serveLoad({ addViewers, addStaticViewers, countBehind, figures });
