import type { HlsConfig, LoaderResponse, LoadPolicy, RetryConfig } from "hls.js";

/** How long a publisher or a server may be away before a load counts as failed. */
const PATIENCE_MS = 60_000;
const RETRY_DELAY_MS = 500;
const RETRY_DELAY_MAX_MS = 2000;
const RETRY_COUNT = Math.ceil(PATIENCE_MS / RETRY_DELAY_MAX_MS);
/**
 * Target durations behind the live edge from which a jump leads back. Set on a running hls.js: as a setting it would need
 * `liveSyncDurationCount` beside it, which takes the place of the playlist's own PART-HOLD-BACK.
 */
export const MAX_LATENCY_DURATION_COUNT = 6;
/** A segment that is not there now was listed by a playlist that is old by now; the next one lists what is there. */
const MISSING_SEGMENT_RETRY_COUNT = 3;
/** A rendition that the server gave up is missing for good; the player may turn to another one. */
const MISSING_RENDITION_RETRY_COUNT = 4;

function retryWhen(isWorthIt: (status: number, retryCount: number) => boolean): RetryConfig {
  return {
    maxNumRetry: RETRY_COUNT,
    retryDelayMs: RETRY_DELAY_MS,
    maxRetryDelayMs: RETRY_DELAY_MAX_MS,
    backoff: "exponential",
    shouldRetry: (config, retryCount, isTimeout, response: LoaderResponse | undefined) =>
      retryCount < (config?.maxNumRetry ?? 0) && (isTimeout || isWorthIt(response?.code ?? 0, retryCount)),
  };
}

/** No answer at all, a server that is busy or restarts, and what is not there yet. Not: refused. */
function isPassing(status: number): boolean {
  return status === 0 || status === 404 || status === 408 || status === 425 || status === 429 || status >= 500;
}

const manifestRetry = retryWhen(isPassing);
const segmentRetry = retryWhen(
  (status, count) => isPassing(status) && (status !== 404 || count < MISSING_SEGMENT_RETRY_COUNT),
);

function policy(retry: RetryConfig, maxTimeToFirstByteMs: number, maxLoadTimeMs: number): LoadPolicy {
  return { default: { maxTimeToFirstByteMs, maxLoadTimeMs, timeoutRetry: retry, errorRetry: retry } };
}

function renditionRetry(hasOther: () => boolean): RetryConfig {
  return retryWhen(
    (status, count) => isPassing(status) && (status !== 404 || count < MISSING_RENDITION_RETRY_COUNT || !hasOther()),
  );
}

interface HlsConfigOptions {
  readonly isLive: boolean;
  readonly isLowLatency: boolean;
  /** Where a stored video begins. */
  readonly startPositionS: number;
  /** Whether there is another rendition to turn to. */
  readonly hasOtherRendition: () => boolean;
}

const LIVE: Partial<HlsConfig> = {
  liveDurationInfinity: true,
  backBufferLength: 30,
  maxBufferLength: 20,
  // The player sets the speed itself (catch-up.ts).
  maxLiveSyncPlaybackRate: 1,
};

const STORED: Partial<HlsConfig> = { backBufferLength: 60, maxBufferLength: 40 };
/** One segment of a film as it came may be 20 MB; who cannot have a smaller one waits for it. */
const STORED_LOAD_MAX_MS = 300_000;

/**
 * hls.js for live streams whose publisher may go and come back: what is missing for a minute is asked for again, and a
 * viewer who fell behind catches up by playing a little faster, then by a jump. A stored video has no edge to catch up with.
 */
export function hlsConfig({
  isLive,
  isLowLatency,
  startPositionS,
  hasOtherRendition,
}: HlsConfigOptions): Partial<HlsConfig> {
  return {
    lowLatencyMode: isLowLatency,
    // A video that is still being made looks like a live stream to hls.js, which would begin near its end.
    ...(isLive ? LIVE : { ...STORED, startPosition: startPositionS }),
    // Start as good as most lines are; the first segments correct it within seconds.
    abrEwmaDefaultEstimate: 3_000_000,
    manifestLoadPolicy: policy(manifestRetry, 10_000, 20_000),
    // A blocking reload answers after up to three target durations by itself.
    playlistLoadPolicy: policy(renditionRetry(hasOtherRendition), 20_000, 25_000),
    fragLoadPolicy: policy(segmentRetry, 10_000, isLive ? 60_000 : STORED_LOAD_MAX_MS),
  };
}
