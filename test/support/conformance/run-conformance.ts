import { DashConformance } from "./dash-conformance.ts";
import { HlsConformance } from "./hls-conformance.ts";
import { checkAnswer } from "./http-rules.ts";
import { IframeWatch } from "./iframe-watch.ts";
import { readMediaPlaylist } from "./media-playlist.ts";
import { MpdWatch } from "./mpd-watch.ts";
import {
  audioUrisOf,
  type MultivariantPlaylist,
  mediaPlaylistUris,
  readMultivariantPlaylist,
} from "./multivariant-rules.ts";
import { OriginClient } from "./origin-client.ts";
import { OriginProbes } from "./origin-probes.ts";
import { messageOf, RenditionWatch, type WatchCounts } from "./rendition-watch.ts";
import { Violations } from "./violations.ts";

export interface ConformanceOptions {
  readonly masterUrl: string;
  /** `manifest.mpd` beside the multivariant playlist when not given; null: the stream has none. */
  readonly mpdUrl?: string | null;
  /** The run ends after this time, */
  readonly forMs?: number;
  /** or when every rendition has brought so many new segments, */
  readonly untilSegments?: number;
  /** or when this aborts, or the stream ends. */
  readonly signal?: AbortSignal;
  /** How much later than a rule says things may come: the checker and the server share a machine. */
  readonly slackMs?: number;
}

export interface ConformanceReport {
  readonly violations: Violations;
  /** What was looked at: a run that saw nothing found nothing. */
  readonly seen: WatchCounts & {
    readonly renditions: number;
    readonly pictures: number;
    readonly mpds: number;
    readonly growingSegments: number;
  };
  /** For people: what was seen, then a line for each broken rule. */
  readonly text: string;
}

const DEFAULT_SLACK_MS = 400;
const LAST_LOOK_MS = 10_000;
/** Apple §1.30: a live peak stays below 125 % of what is declared. */
const PEAK_TOLERANCE = 1.25;

/**
 * Watches a live stream over HTTP and judges all of it: playlists, MPD, media, headers. Rejects only when there is no
 * multivariant playlist to begin with.
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { masterUrl, slackMs = DEFAULT_SLACK_MS, mpdUrl = new URL("manifest.mpd", masterUrl).href } = options;
  const violations = new Violations();
  const givenSlack = options.slackMs === undefined ? {} : { slackMs };
  const hls = new HlsConformance({ violations, ...givenSlack });
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal;
  const client = new OriginClient(signal);
  try {
    const master = await client.ask(masterUrl);
    if (master.status !== 200) throw new Error(`${masterUrl} answered ${master.status}`);
    for (const { rule, message } of checkAnswer(master, "playlist")) violations.add(rule, message);
    const multivariant = hls.observeMultivariant(master.body.toString());
    const counter = new SegmentCounter(options.untilSegments ?? Number.POSITIVE_INFINITY, () => stop.abort());
    const watches = mediaPlaylistUris(multivariant).map((uri) => {
      const url = new URL(uri, masterUrl).href;
      return new RenditionWatch({ uri, url, client, hls, violations, slackMs, signal, onSegment: counter.track() });
    });
    const iframes = multivariant.iframeVariants.map(
      ({ uri }) => new IframeWatch({ uri, url: new URL(uri, masterUrl).href, client, hls, violations, signal }),
    );
    const dash = new DashConformance({ violations, ...givenSlack });
    const mpd = mpdUrl === null ? undefined : new MpdWatch({ url: mpdUrl, client, dash, violations, signal });
    const timer = options.forMs === undefined ? undefined : setTimeout(() => stop.abort(), options.forMs);
    const mpdRun = mpd?.run();
    await Promise.all([
      ...[...watches, ...iframes].map((watch) => watch.run()),
      probe(client, options, multivariant, violations, signal),
    ]);
    stop.abort();
    clearTimeout(timer);
    await mpdRun;
    await judgeWhole(masterUrl, watches, iframes, mpd, violations);
    return report(violations, watches, iframes, mpd);
  } finally {
    stop.abort();
    client.close();
  }
}

/** Calls `done` when every rendition has brought so many segments. */
class SegmentCounter {
  readonly #wanted: number;
  readonly #done: () => void;
  readonly #counts: number[] = [];

  constructor(wanted: number, done: () => void) {
    this.#wanted = wanted;
    this.#done = done;
  }

  /** What a rendition calls for each new segment. */
  track(): () => void {
    const index = this.#counts.push(0) - 1;
    return () => {
      this.#counts[index] = (this.#counts[index] ?? 0) + 1;
      if (this.#counts.every((count) => count >= this.#wanted)) this.#done();
    };
  }
}

async function probe(
  client: OriginClient,
  { masterUrl, slackMs }: ConformanceOptions,
  { variants }: MultivariantPlaylist,
  violations: Violations,
  signal: AbortSignal,
): Promise<void> {
  const mediaUrl = new URL(variants[0]?.uri ?? "", masterUrl).href;
  try {
    await new OriginProbes({ client, violations, masterUrl, mediaUrl, slackMs }).run();
  } catch (error) {
    if (!signal.aborted) violations.add("H8", `probes: ${messageOf(error)}`);
  }
}

/** What can only be said at the end: DASH and HLS name the same objects, and the bit rates were what was declared. */
async function judgeWhole(
  masterUrl: string,
  watches: readonly RenditionWatch[],
  iframes: readonly IframeWatch[],
  mpd: MpdWatch | undefined,
  violations: Violations,
): Promise<void> {
  const client = new OriginClient(AbortSignal.timeout(LAST_LOOK_MS));
  try {
    for (const watch of watches) {
      const { status, body } = await client.ask(watch.url);
      if (status === 200) watch.noteSegments(readMediaPlaylist(body.toString()));
    }
    mpd?.compareObjects(new Map(watches.flatMap((watch) => [...watch.segmentUrls])));
    const master = await client.ask(masterUrl);
    if (master.status === 200)
      checkBandwidth(readMultivariantPlaylist(master.body.toString()), watches, iframes, violations);
  } catch (error) {
    violations.add("H8", `last look: ${messageOf(error)}`);
  } finally {
    client.close();
  }
}

function checkBandwidth(
  multivariant: MultivariantPlaylist,
  watches: readonly RenditionWatch[],
  iframes: readonly IframeWatch[],
  violations: Violations,
): void {
  const peakOf = (uri: string) => [...watches, ...iframes].find((watch) => watch.uri === uri)?.peakBps ?? 0;
  for (const variant of [...multivariant.variants, ...multivariant.iframeVariants]) {
    const peak = peakOf(variant.uri) + Math.max(0, ...audioUrisOf(multivariant, variant).map(peakOf));
    const declared = Number(variant.attributes.get("BANDWIDTH"));
    if (peak > PEAK_TOLERANCE * declared) {
      violations.add("H38", `${variant.uri}: measured ${Math.round(peak)} bit/s, BANDWIDTH=${declared}`);
    }
  }
}

function report(
  violations: Violations,
  watches: readonly RenditionWatch[],
  iframes: readonly IframeWatch[],
  mpd: MpdWatch | undefined,
): ConformanceReport {
  const sum = (of: (counts: WatchCounts) => number) => watches.reduce((total, { counts }) => total + of(counts), 0);
  const seen = {
    renditions: watches.length,
    playlists: sum(({ playlists }) => playlists),
    deltas: sum(({ deltas }) => deltas),
    hintedParts: sum(({ hintedParts }) => hintedParts),
    parts: sum(({ parts }) => parts),
    segments: sum(({ segments }) => segments),
    pictures: iframes.reduce((total, { count }) => total + count, 0),
    mpds: mpd?.updateCount ?? 0,
    growingSegments: mpd?.growingCount ?? 0,
  };
  const summary = Object.entries(seen).map(([what, count]) => `${count} ${what}`);
  const verdict = violations.count === 0 ? "no rule broken" : `${violations.rules.length} rules broken`;
  return { violations, seen, text: [`${summary.join(", ")}: ${verdict}`, violations.report()].join("\n").trimEnd() };
}
