/** `4.2 Mbit/s`, `640 kbit/s`; an em dash when nothing is measured. */
export function bitrateText(bps: number | null | undefined): string {
  if (bps === null || bps === undefined || !Number.isFinite(bps) || bps <= 0) return "—";
  if (bps < 1_000_000) return `${Math.round(bps / 1000)} kbit/s`;
  const mbps = bps / 1_000_000;
  return `${mbps < 10 ? mbps.toFixed(1) : Math.round(mbps)} Mbit/s`;
}

/** `1.8 s`, `240 ms`; an em dash when it is not known. */
export function delayText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "—";
  return Math.abs(seconds) < 0.9995 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/** A length of time as `42 s`, `12 min`, `3 h 05 min`, `2 d 4 h`. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `940 kB`, `1.4 GB`: powers of ten, as browsers and file managers count. */
export function bytesText(bytes: number): string {
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : Number(amount.toFixed(1))} ${BYTE_UNITS[power]}`;
}

/** The length of a film as players show it: `0:42`, `12:05`, `1:03:20`. */
export function lengthText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = String(seconds % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** `1 viewer`, `2 viewers`. */
export function countText(count: number, one: string, many: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** `1280×720`, `30 fps` joined with what is known of a picture or sound. */
export function formatText(format: {
  width?: number | null | undefined;
  height?: number | null | undefined;
  frameRate?: number | null | undefined;
  sampleRateHz?: number | null | undefined;
  channelCount?: number | null | undefined;
}): string {
  const facts: string[] = [];
  if (format.width && format.height) facts.push(`${format.width}×${format.height}`);
  if (format.frameRate) facts.push(`${Number(format.frameRate.toFixed(2))} fps`);
  if (format.sampleRateHz) facts.push(`${Number((format.sampleRateHz / 1000).toFixed(2))} kHz`);
  if (format.channelCount) facts.push(channelText(format.channelCount));
  return facts.join(" · ");
}

function channelText(count: number): string {
  if (count === 1) return "mono";
  return count === 2 ? "stereo" : `${count} channels`;
}

const CODEC_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^(avc1|avc3|h264)/i, "H.264"],
  [/^(hvc1|hev1|hevc|h265)/i, "HEVC"],
  [/^av0?1/i, "AV1"],
  [/^(vp09|vp9)/i, "VP9"],
  [/^(mp4a\.40\.34|mp3)/i, "MP3"],
  [/^(mp4a|aac)/i, "AAC"],
  [/^opus/i, "Opus"],
  [/^flac/i, "FLAC"],
  [/^(ec-3|eac3)/i, "E-AC-3"],
  [/^(ac-3|ac3)/i, "AC-3"],
];

/** What people call the codec of an RFC 6381 string or of our own codec name. */
export function codecText(codec: string): string {
  return CODEC_NAMES.find(([pattern]) => pattern.test(codec))?.[1] ?? codec;
}
