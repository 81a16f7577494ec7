import { DomainError } from "../../core/errors.ts";
import { SNIFFED_BYTES, sniffContainer } from "./container.ts";
import { type ContainerExtent, type RandomAccess, readExtent } from "./container-extent.ts";
import { askFfprobe, askFfprobeForText, type FfprobeOptions, MOST_STREAMS } from "./ffprobe.ts";
import { type ProbeReport, parseProbeReport } from "./probe-report.ts";
import { describeMedia } from "./source-description.ts";
import type { SourceInput } from "./source-input.ts";
import type { Container, SourceMedia } from "./source-media.ts";

export interface ProbedSource {
  /** Where ffprobe reads it. */
  readonly input: SourceInput;
  /** The same bytes for ourselves: what it is and how long it is we read without help. */
  readonly file: RandomAccess;
}

const HEADER_LIMIT_MS = 60_000;
const MOST_HEADER_BYTES = 4 * 1024 * 1024;
/** Reading a file to its end takes as long as its store does. */
const SCAN_LIMIT_MS = 30 * 60_000;

/**
 * What is in a source. Throws DomainError NOT_MEDIA, UNSUPPORTED_CONTAINER or MEDIA_DAMAGED with a sentence for its owner;
 * UNAVAILABLE when it cannot be reached now. Whether we take what is in it, `checkLimits` decides.
 */
export async function probeSource({ input, file }: ProbedSource, options: FfprobeOptions): Promise<SourceMedia> {
  const container = sniffContainer(await file.read(0, SNIFFED_BYTES));
  const extent = await readExtent(container, file);
  const ask = ["-print_format", "json", "-show_format", "-show_streams"];
  const limits = { limitMs: HEADER_LIMIT_MS, mostBytes: MOST_HEADER_BYTES };
  const text = await askFfprobeForText({ input, container, ask, ...limits }, options);
  const report = parseProbeReport(text);
  if (report.streams.length > MOST_STREAMS) {
    throw new DomainError("NOT_MEDIA", `the file has more than ${MOST_STREAMS} streams`);
  }
  const scannedEndMs = needsScan(container, extent, report) ? await scanEndMs(input, container, options) : undefined;
  return describeMedia({ container, sizeBytes: file.sizeBytes, isCut: extent.isCut, report, scannedEndMs });
}

/** A clock of Matroska that begins so late was going when the file was begun. */
const LATE_START_S = 1;

/** Matroska's lengths are counted from zero by some programs (ffmpeg), from the first frame by others (mkvmerge). */
function needsScan(container: Container, { isCut, isOpenEnded }: ContainerExtent, report: ProbeReport): boolean {
  const { format, streams } = report;
  const isAmbiguous =
    (container === "matroska" || container === "webm") && Math.abs(format.start_time ?? 0) > LATE_START_S;
  return streams.length > 0 && (isCut || isOpenEnded || isAmbiguous || !format.duration);
}

const LONGEST_LINE = 1_000;

/** The end of the last packet, on the file's own clock: for a file whose header cannot know it. */
async function scanEndMs(input: SourceInput, container: Container, options: FfprobeOptions): Promise<number> {
  let endS = Number.NEGATIVE_INFINITY;
  let rest = "";
  const take = (bytes: Uint8Array) => {
    const lines = (rest + Buffer.from(bytes).toString("latin1")).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) {
      const [startS, durationS] = line.split(",").map(Number);
      if (startS !== undefined && Number.isFinite(startS)) endS = Math.max(endS, startS + (durationS || 0));
    }
  };
  const ask = ["-show_entries", "packet=pts_time,duration_time", "-print_format", "csv=p=0"];
  await askFfprobe({ input, container, ask, limitMs: SCAN_LIMIT_MS, take }, options);
  return Number.isFinite(endS) ? endS * 1000 : 0;
}
