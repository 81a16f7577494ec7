import { ENCODER_NAMES } from "../encode/encoder-arguments.ts";
import { DEFAULT_LADDER, QUALITY_NAMES } from "../encode/ladder.ts";
import { ARTIFACT_KINDS } from "../library/artifacts/artifact-kind.ts";
import { DEFAULT_AUDIO_CODECS, DEFAULT_VIDEO_CODECS } from "../library/probe/source-limits.ts";
import { LOG_LEVELS } from "../observe/log.ts";
import {
  bitrateBps,
  choice,
  choices,
  choicesOrNone,
  count,
  durationMs,
  ladder,
  networks,
  optionalText,
  password,
  port,
  postgresUrl,
  redisUrl,
  type Setting,
  secret,
  sizeBytes,
  text,
  texts,
  toggle,
  webUrl,
} from "./setting.ts";

/**
 * Every setting, by group. Everything that is said of one anywhere (file, variable, flag, docs/config.md) comes from
 * here. `Ms`, `Bytes` and `Bps` are the units of the code; people write the unit behind the number, so the outer name
 * goes without.
 */
const SETTINGS = {
  server: {
    host: text("0.0.0.0", { doc: "Address that every listener binds.", variable: "HEADWATER_HOST" }),
    dataDir: text("./data", {
      doc: "Directory that holds the catalog and generated secrets. Made when it is missing.",
      variable: "HEADWATER_DATA_DIR",
    }),
    publicUrl: webUrl({
      doc: "Where viewers reach this server, when that is not the address it binds: behind a proxy, for instance.",
      variable: "HEADWATER_PUBLIC_URL",
    }),
  },
  database: {
    url: postgresUrl({
      doc: "PostgreSQL database for catalog and jobs, in place of the file in the data directory. docs/database.md says how to move.",
    }),
    maxConnections: count(10, 1, 1000, { doc: "Connections to PostgreSQL, for each process." }),
  },
  redis: {
    url: redisUrl({
      doc: "Redis server that keeps the queue of jobs, in place of a table in the database, and what servers share of videos that are ready. Its `maxmemory-policy` must be `noeviction`.",
    }),
  },
  jobs: {
    worker: toggle(true, {
      doc: "The server starts a worker beside it as soon as there is work. `false` leaves all work to workers that are started with `npm start -- worker`.",
    }),
    concurrency: count(0, 0, 256, {
      doc: "Chunks that a worker encodes at once; 0 is one for each processor core of the machine. Fewer need less memory. What videos open with is encoded beside them.",
    }),
    leaseMs: durationMs("15s", "2s", "10min", {
      doc: "A worker that has not been heard of for so long has lost its jobs, and another takes them over.",
    }),
    retentionMs: durationMs("168h", "1min", "8760h", { doc: "How long jobs that ended can still be looked at." }),
    retentionCount: count(1000, 0, 100_000, {
      doc: "Jobs of each end (completed, failed, cancelled) that are kept at most.",
    }),
    metricsPort: count(0, 0, 65_535, {
      doc: "Port at which a worker of its own answers `/metrics` and `/healthz`; 0 is none. What the server's own worker does is in the server's metrics.",
    }),
  },
  http: {
    port: port(8080, { doc: "Port of studio, API and media." }),
    corsAllowedOrigins: texts(["*"], { doc: "Origins whose pages may play from here; `*` is every one." }),
    trustedProxies: networks({
      doc: "Proxies in front, by address or CIDR block: what they say in `X-Forwarded-For` (or `Forwarded`) is who asks, for the count of viewers, logs and blocked addresses. They must set that header or remove what came in it.",
    }),
    maxConnections: count(20_000, 1, 1_000_000, { doc: "Open HTTP connections; more are refused." }),
    maxHeldRequests: count(20_000, 1, 1_000_000, {
      doc: "Requests that may wait at once for a part that is not there yet; more get 503.",
    }),
    maxJsonBodyBytes: sizeBytes("1MiB", "1KiB", "64MiB", { doc: "Largest JSON body of a request." }),
  },
  rtmp: {
    port: port(1935, { doc: "Port that encoders publish to." }),
    maxConnections: count(50, 1, 100_000, { doc: "Publishers that may be connected at once." }),
    maxPendingConnections: count(100, 1, 100_000, {
      doc: "Connections that have not shown a right key yet; more are refused.",
    }),
    maxBitrateBps: bitrateBps("20Mbps", "100kbps", "1Gbps", { doc: "A publisher that stays above it is cut off." }),
    maxMessageBytes: sizeBytes("10MiB", "64KiB", "64MiB", { doc: "Largest RTMP message; the biggest frame must fit." }),
    publishTimeoutMs: durationMs("10s", "1s", "2min", {
      doc: "From the connection to the right key; who needs longer is cut off.",
    }),
    idleTimeoutMs: durationMs("10s", "2s", "10min", { doc: "A publisher that sends nothing for so long is cut off." }),
  },
  live: {
    maxConcurrentStreams: count(5, 1, 10_000, { doc: "Broadcasts that may be live at once." }),
    reconnectWindowMs: durationMs("15s", "0s", "10min", {
      doc: "How long a broadcast waits for its publisher to come back before it ends.",
    }),
    staleTakeoverAfterMs: durationMs("3s", "500ms", "1min", {
      doc: "A second publisher takes a live key over when the first has sent no media for so long.",
    }),
    staleThresholdMs: durationMs("10min", "10s", "24h", {
      doc: "A stream with heartbeats is stale when the last one is older than this.",
    }),
    cleanupIntervalMs: durationMs("5min", "1s", "24h", {
      doc: "How often stale streams and expired media are cleared.",
    }),
    endedRetentionMs: durationMs("60min", "0s", "24h", { doc: "How long an ended broadcast can still be played." }),
  },
  packaging: {
    lowLatency: toggle(true, { doc: "LL-HLS parts and LL-DASH chunks for streams that do not say otherwise." }),
    partDurationMs: durationMs("500ms", "200ms", "2s", { doc: "Length of a part." }),
    segmentDurationMs: durationMs("2s", "1s", "10s", { doc: "Length of a segment of a low-latency stream." }),
    windowSegmentCount: count(10, 3, 1000, { doc: "Segments in the playlist of a low-latency stream." }),
    plainSegmentDurationMs: durationMs("6s", "1s", "10s", { doc: "Length of a segment without low latency." }),
    plainWindowSegmentCount: count(5, 3, 1000, { doc: "Segments in the playlist without low latency." }),
  },
  transcode: {
    enabled: toggle(true, { doc: "Make the ladder's rungs; without it only the source's own quality is served." }),
    encoder: choice("libx264", ENCODER_NAMES, {
      doc: "FFmpeg encoder of the rungs.",
      variable: "HEADWATER_ENCODER",
    }),
    preset: choice("veryfast", ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"], {
      doc: "Preset of libx264. `medium` needs about three times the processor time of `veryfast` for a few per cent of bit rate: live, that is more rungs lost than quality won.",
    }),
    ladder: ladder(DEFAULT_LADDER, {
      doc: "Rungs for streams that name no qualities, highest first. None is made above the source's own size.",
    }),
    behindAfterMs: durationMs("10s", "1s", "2min", {
      doc: "The top rung is shed when the encoder is behind for so long.",
    }),
    vaapiDevice: text("/dev/dri/renderD128", { doc: "Render node of `h264_vaapi` and `h264_qsv`." }),
    ffmpegPath: text("ffmpeg", { doc: "The ffmpeg program: a path, or a name that PATH finds." }),
  },
  video: {
    maxDurationMs: durationMs("6h", "1s", "48h", { doc: "Longest video that is taken." }),
    maxPictureSide: count(8192, 64, 16_384, { doc: "Largest width and largest height of a picture, in pixels." }),
    codecs: texts(DEFAULT_VIDEO_CODECS, {
      doc: "Video codecs that are taken, by ffmpeg's names; `h264` alone takes what most cameras and phones make.",
    }),
    audioCodecs: texts(DEFAULT_AUDIO_CODECS, { doc: "Audio codecs that are taken, by ffmpeg's names." }),
    profiles: choices(["2160p", "1080p", "720p", "480p", "360p", "240p"], QUALITY_NAMES, {
      doc: "Qualities that are made of a video. None is made above the source's own size.",
    }),
    segmentDurationMs: durationMs("4s", "1s", "10s", {
      doc: "Length of a segment, in HLS and in DASH: both list the same ones.",
    }),
    chunkDurationMs: durationMs("20s", "4s", "5min", {
      doc: "How much of a video one job encodes. Shorter spreads a video over more workers, and loses less when one dies.",
    }),
    preset: choice("veryfast", ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"], {
      doc: "Preset of libx264 for videos. Slower ones save bits and cost time.",
    }),
    artifacts: choicesOrNone(ARTIFACT_KINDS, ARTIFACT_KINDS, {
      doc: "What is made of a video beside its qualities: a poster, pictures (thumbnails and the storyboard that players show while scrubbing), a preview clip.",
    }),
    cleanupIntervalMs: durationMs("1h", "1min", "24h", {
      doc: "How often the store is cleared of what no video names, and interrupted work is looked for.",
    }),
    failedRetentionMs: durationMs("24h", "1min", "720h", {
      doc: "How long a video that could not be made stays, with its original, before it is deleted.",
    }),
  },
  upload: {
    maxSizeBytes: sizeBytes("10GiB", "1KiB", "5TiB", { doc: "Largest file that is taken." }),
    maxConcurrent: count(10, 1, 10_000, { doc: "Uploads that may run at once; more get 429 and `Retry-After`." }),
    idleTimeoutMs: durationMs("60s", "1s", "10min", {
      doc: "An upload that brings no byte for so long is cut off; one that is resumable can go on later.",
    }),
    timeLimitMs: durationMs("24h", "1min", "168h", {
      doc: "Longest time that one connection may take to bring a file, however steadily it does.",
    }),
    importNetworks: networks({
      doc: "Networks of ours, by address or CIDR block, that videos may be imported from. All that is not on the internet is refused otherwise: whoever may name a URL could look around behind the firewall.",
    }),
    directory: text("uploads", {
      doc: "Where resumable uploads lie until they are whole; from the data directory when it does not begin with `/`. On the file system of `storage.directory` they are moved there at the end, else copied.",
    }),
    maxUnfinished: count(100, 1, 100_000, { doc: "Resumable uploads that may be unfinished at once; more get 429." }),
    unfinishedLifetimeMs: durationMs("24h", "1min", "720h", {
      doc: "How long a resumable upload that has stopped can go on; then it is deleted.",
    }),
  },
  recording: {
    enabled: toggle(false, { doc: "Record streams that do not say otherwise." }),
    maxDurationMs: durationMs("6h", "1min", "48h", {
      doc: "Longest recording. A broadcast that goes on is recorded in a further video.",
    }),
    maxBufferBytes: sizeBytes("64MiB", "1MiB", "16GiB", {
      doc: "What of one stream may wait in memory for a store that is slow or away. Beyond it media are left out of the recording, which says so.",
    }),
  },
  storage: {
    backend: choice("files", ["files", "s3", "memory"], {
      doc: "Where videos are kept: files on this machine, a bucket of S3 or of anything that speaks as S3 does (MinIO, Ceph, R2), or memory, which forgets them at the end.",
    }),
    directory: text("objects", {
      doc: "Directory of the files; from the data directory when it does not begin with `/`.",
    }),
    endpoint: webUrl({ doc: "Where the S3 server is: `http://localhost:9000`. AWS itself when it is unset." }),
    buckets: texts(["headwater-media"], {
      doc: "Buckets that videos are spread over; they have to exist. One that is added gets its share of new videos, and nothing is moved. One may be left out only when it is empty.",
      variable: "HEADWATER_STORAGE_BUCKET",
    }),
    region: text("us-east-1", { doc: "Region of the buckets." }),
    accessKeyId: optionalText({
      doc: "Access key of the S3 server. Without it the AWS SDK looks where it always does: its own variables, profiles, the role of the machine.",
    }),
    secretAccessKey: password({ doc: "What belongs to the access key." }),
    pathStyle: toggle(true, {
      doc: "The bucket stands in the path, as most servers want it. `false` puts it in the name of the host, as AWS prefers.",
    }),
  },
  cache: {
    enabled: toggle(true, { doc: "Keep in memory what viewers ask for again and again." }),
    maxSizeBytes: sizeBytes("512MiB", "1MiB", "1024GiB", {
      doc: "What it may hold. Objects above a thirty-second of it pass by it.",
    }),
    ttlMs: durationMs("5min", "1s", "24h", { doc: "How long an object is served without asking the store." }),
    segmentTtlMs: durationMs("1h", "1s", "720h", { doc: "The same for segments, which never change." }),
    manifestTtlMs: durationMs("1h", "1s", "24h", {
      doc: "With `redis.url`: how long playlists and MPDs of videos that are ready stay on Redis, for all servers.",
    }),
    metadataTtlMs: durationMs("24h", "1s", "720h", {
      doc: "With `redis.url`: how long what the catalog says of a video that is ready stays on Redis, for all servers. Whether it has changed is asked of the catalog every time.",
    }),
  },
  access: {
    adminToken: secret({
      doc: "Bearer token of the API and the studio. Generated on first start and kept in the data directory when unset.",
      variable: "HEADWATER_ADMIN_TOKEN",
    }),
    bruteForceAttempts: count(5, 1, 1000, { doc: "Wrong stream keys from one address before it is blocked." }),
    bruteForceWindowMs: durationMs("60s", "1s", "1h", { doc: "Time in which the wrong keys are counted." }),
    bruteForceBlockMs: durationMs("5min", "1s", "24h", { doc: "How long an address stays blocked." }),
  },
  observe: {
    logLevel: choice("info", LOG_LEVELS, {
      doc: "The least grave lines that are logged.",
      variable: "HEADWATER_LOG_LEVEL",
    }),
    operations: choice("open", ["open", "admin"], {
      doc: "Who may read `/metrics` and the details of `/readyz` and `/health`: anyone who reaches the port, or the bearer of the admin token (Prometheus: `authorization`). Neither holds keys; `/healthz` and what is ready are always told.",
    }),
    logFormat: choice("json", ["json", "text"], { doc: "JSON for machines or text for people." }),
  },
} as const satisfies Record<string, Record<string, Setting<unknown>>>;

type Values<Group> = { readonly [Key in keyof Group]: Group[Key] extends Setting<infer Value> ? Value : never };

/** What Headwater runs with: the value of every setting, frozen. */
export type Config = { readonly [Group in keyof typeof SETTINGS]: Values<(typeof SETTINGS)[Group]> };

/** A setting with the names that people write. */
export interface NamedSetting {
  readonly setting: Setting<unknown>;
  readonly group: string;
  /** As `Config` has it. */
  readonly key: string;
  /** As headwater.toml has it: `packaging.part_duration`. */
  readonly path: string;
  /** `HEADWATER_PACKAGING_PART_DURATION` */
  readonly variable: string;
  /** `--packaging-part-duration` */
  readonly flag: string;
}

/** All settings, in the order of the table. */
export const NAMED_SETTINGS: readonly NamedSetting[] = Object.entries(SETTINGS).flatMap(([group, settings]) =>
  Object.entries<Setting<unknown>>(settings).map(([key, setting]) => name(group, key, setting)),
);

function name(group: string, key: string, setting: Setting<unknown>): NamedSetting {
  const path = `${group}.${snakeCase(key.replace(/(Ms|Bytes|Bps)$/, ""))}`;
  const variable = setting.variable ?? `HEADWATER_${path.replace(".", "_").toUpperCase()}`;
  const flag = `--${variable.replace("HEADWATER_", "").toLowerCase().replaceAll("_", "-")}`;
  return { setting, group, key, path, variable, flag };
}

function snakeCase(camelCase: string): string {
  return camelCase.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}
