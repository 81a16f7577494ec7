/** How the media comes: `native` is HLS by the browser itself. */
export type Format = "hls" | "dash" | "native";

export interface Quality {
  readonly id: string;
  /** `1080p60`, `720p`; two may share it and differ in bit rate. */
  readonly label: string;
  readonly bitrateBps: number;
}

export interface PlayerError {
  /** What the player library calls it: `networkError levelLoadError 503`. */
  readonly text: string;
  readonly isFatal: boolean;
  readonly atMs: number;
}

/** Why a player goes on no more: its media do not come, or cannot be shown. */
export type GiveUpCause = "loading" | "media";

/** What a player tells while it runs. */
export interface PlayerListener {
  /** What can be chosen, or what is chosen, is another now. */
  readonly onQualities: () => void;
  readonly onError: (error: PlayerError) => void;
  /** The player recovers no more by itself. */
  readonly onGiveUp: (cause: GiveUpCause) => void;
}

/** Seconds from the encoder's clock to what is seen, and what the player aims at. */
export interface Delay {
  readonly latencyS: number | undefined;
  readonly targetS: number | undefined;
}

export interface AudioTrack {
  readonly id: string;
  /** `English`, `Director's commentary`. */
  readonly label: string;
  readonly isChosen: boolean;
}

/** One playing of one address in a media element, by whatever library. Opened by `openPlayer`, ends with `close`. */
export interface Player {
  readonly format: Format;
  /** The library's own object, for tools. */
  readonly library: unknown;
  /** Highest first. */
  readonly qualities: readonly Quality[];
  /** Id of the chosen quality, or `auto`. */
  readonly choice: string;
  /** Id of the quality that is played now. */
  readonly current: string | undefined;
  /** What can be heard, as the presentation lists it; one or none leaves nothing to choose. */
  readonly audioTracks: readonly AudioTrack[];
  readonly bandwidthBps: number | undefined;
  readonly recoveryCount: number;
  /** Another number whenever more bytes of media have come. */
  readonly loadMark: number;
  choose(id: string): void;
  chooseAudio(id: string): void;
  delay(): Delay;
  seekToLive(): void;
  close(): void;
}

export interface PlayerOptions {
  readonly video: HTMLVideoElement;
  readonly url: string;
  /** A stored video has no live edge, waits for its viewer before it plays, and goes on where `positionS` says. */
  readonly isLive: boolean;
  /** Asked whenever the source of a stored video is attached anew. */
  readonly positionS: () => number;
  readonly isLowLatency: boolean;
  /** Server clock minus ours. */
  readonly clockSkewMs: number;
  readonly listener: PlayerListener;
}

/** `720p`, `1080p50`: what a rendition is called by the lines that it has and its frames per second, when unusual. */
export function qualityLabel(width: number, height: number, frameRate: number | undefined, bitrateBps: number): string {
  if (!(height > 0)) return `${Math.round(bitrateBps / 1000)} kbit/s`;
  const lines = Math.min(width || height, height);
  const rate = frameRate && Math.round(frameRate) > 30 ? Math.round(frameRate) : "";
  return `${lines}p${rate}`;
}

/** As a viewer chooses: the best first. */
export function highestFirst(qualities: readonly Quality[]): Quality[] {
  return qualities.toSorted((a, b) => b.bitrateBps - a.bitrateBps);
}
