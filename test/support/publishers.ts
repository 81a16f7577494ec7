import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { ffmpegOutput } from "./ffmpeg-output.ts";
import type { TestStream } from "./headwater.ts";
import { type ProcessEnd, spawnBound, untilEnd } from "./logged-process.ts";
import { type FlvTag, RtmpPublisher, readFlvTags } from "./rtmp-publisher.ts";

const MODERN_PUBLISHER = fileURLToPath(new URL("./modern-publisher.ts", import.meta.url));

/** A program that runs; `await using` ends it. */
export class RunningProgram implements AsyncDisposable {
  readonly ended: Promise<ProcessEnd>;
  /** All bytes of its standard output. */
  readonly output: Promise<Buffer>;
  readonly #child: ChildProcess;

  constructor(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.#child = spawnBound(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.#child.stdin?.on("error", () => undefined); // it ended before it had read all: its exit code says so
    const { stdout } = this.#child;
    this.output = stdout ? gather(stdout) : Promise.resolve(Buffer.alloc(0));
    this.ended = untilEnd(this.#child);
    this.ended.catch(() => undefined); // whoever waits for the end hears of it
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends a signal (an interrupt, on which encoders end in order) and resolves when it has ended. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<ProcessEnd> {
    this.#child.kill(signal);
    return this.ended;
  }

  /** Gives it all of its standard input. */
  feed(bytes: Uint8Array): void {
    this.#child.stdin?.end(bytes);
  }

  /** As when the machine or its network stands still: the connection stays, nothing comes. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended.catch(() => undefined);
  }
}

function gather(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

/** What an encoder makes. Without `seconds` it goes on until it is stopped. */
export interface SourceOptions {
  readonly size?: string;
  readonly rate?: string;
  readonly gopFrames?: number;
  readonly bFrames?: number;
  readonly videoBitrate?: string;
  readonly seconds?: number;
  /** `false`: no such track. */
  readonly video?: boolean;
  /** `clicks` is a short beep at the start of each second. */
  readonly audio?: "tone" | "clicks" | false;
  readonly audioBitrate?: string;
  readonly sampleRateHz?: number;
  readonly channelCount?: number;
}

/** ffmpeg's arguments for a made-up picture and tone, as H.264 and AAC; no output. */
export function sourceArguments(options: SourceOptions = {}): string[] {
  const { video = true, audio = "tone", seconds, sampleRateHz = 48_000, channelCount = 2 } = options;
  const { audioBitrate = "160k" } = options;
  const { size = "320x180", rate = "25", gopFrames = 25, bFrames = 0, videoBitrate = "300k" } = options;
  const length = seconds === undefined ? "" : `:duration=${seconds}`;
  const inputs: string[] = [];
  const codecs: string[] = [];
  if (video) {
    inputs.push("-f", "lavfi", "-i", `testsrc2=size=${size}:rate=${rate}${length}`);
    const keys = `-g ${gopFrames} -keyint_min ${gopFrames} -sc_threshold 0 -bf ${bFrames}`;
    const speed = bFrames > 0 ? "-preset veryfast -b_strategy 0" : "-preset ultrafast";
    codecs.push(...`-c:v libx264 ${speed} -pix_fmt yuv420p -b:v ${videoBitrate} ${keys}`.split(" "));
  }
  if (audio) {
    inputs.push("-f", "lavfi", "-i", `${AUDIO[audio]}:sample_rate=${sampleRateHz}${length}`);
    codecs.push("-c:a", "aac", "-b:a", audioBitrate, "-ac", String(channelCount), "-ar", String(sampleRateHz));
  }
  return [...inputs, ...codecs];
}

const AUDIO = { tone: "sine=frequency=440", clicks: "sine=frequency=100:beep_factor=20" } as const;
const QUIET = ["-hide_banner", "-nostdin", "-v", "error"];

/** ffmpeg publishes in real time. */
export function publishWithFfmpeg(url: string, options: SourceOptions = {}): RunningProgram {
  const source = sourceArguments(options);
  const paced = source.flatMap((argument) => (argument === "-f" ? ["-re", "-f"] : [argument]));
  return new RunningProgram("ffmpeg", [...QUIET, ...paced, "-flvflags", "no_duration_filesize", "-f", "flv", url]);
}

/** Real time without live sources, whose muxer drops what a busy machine brings late. */
const PACED = "identity sync=true";

/** GStreamer publishes in real time through this sink; `buffers` of video at 25 a second, then it ends. */
export function publishWithGstreamer(url: string, sink: "rtmp2sink" | "rtmpsink", frameCount: number): RunningProgram {
  const location = sink === "rtmpsink" ? `${url} live=1` : url;
  const video = `videotestsrc num-buffers=${frameCount} ! video/x-raw,format=I420,width=320,height=180,framerate=25/1 ! ${PACED}`;
  const audioCount = Math.ceil((frameCount / 25) * (48_000 / 1024));
  return new RunningProgram("gst-launch-1.0", [
    ...`-q flvmux name=mux streamable=true ! ${sink}`.split(" "),
    `location=${location}`,
    ...`${video} ! x264enc key-int-max=25 tune=zerolatency speed-preset=ultrafast bitrate=300 ! queue ! mux.`.split(
      " ",
    ),
    ...`audiotestsrc num-buffers=${audioCount} samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! ${PACED} ! avenc_aac ! queue ! mux.`.split(
      " ",
    ),
  ]);
}

/** FFmpeg 8, which speaks Enhanced RTMP, publishes a file as it is and in real time. */
export function publishWithModernFfmpeg(url: string, file: string): RunningProgram {
  return new RunningProgram(process.execPath, [MODERN_PUBLISHER, file, url, "realtime"]);
}

/** Writes a file with ffmpeg: a publisher's source, made before it is needed. */
export async function encodeFile(file: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await new RunningProgram("ffmpeg", [...QUIET, "-y", ...args, file]).ended;
  if (code !== 0) throw new Error(`ffmpeg could not write ${file}: ${stderr}`);
  return file;
}

/** The FLV tags that ffmpeg makes of a source, to be sent with whatever timestamps a test wants. */
export async function encodeTags(options: SourceOptions & { readonly seconds: number }): Promise<FlvTag[]> {
  return readFlvTags(await ffmpegOutput(...sourceArguments(options), "-f", "flv", "-"));
}

/** Publishes tags over one RTMP session, as fast as the server takes them, and unpublishes. */
export async function publishTags(stream: TestStream, tags: Iterable<FlvTag>): Promise<void> {
  const publisher = await startPublishing(stream);
  await sendTags(publisher, tags);
  await publisher.close();
}

/** A session that may send tags. Throws RtmpRefusal when the server says no. */
export function startPublishing(stream: TestStream): Promise<RtmpPublisher> {
  const { hostname, port } = new URL(stream.publishUrl);
  return RtmpPublisher.publish({ host: hostname, port: Number(port), streamName: stream.key });
}

export async function sendTags(publisher: RtmpPublisher, tags: Iterable<FlvTag>): Promise<void> {
  for (const tag of tags) if (!publisher.send(tag)) await publisher.drained();
}
