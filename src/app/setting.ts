import { z } from "zod";
import type { H264Level, H264Profile, LadderRung } from "../encode/ladder.ts";
import { isNetwork } from "../http/trusted-proxies.ts";
import { BITRATE_UNITS, DURATION_UNITS, formatQuantity, parseQuantity, SIZE_UNITS, type Units } from "./quantity.ts";

/** One setting: what a valid value is, and how it is said to people. */
export interface Setting<Value> {
  /** Takes text (variables, flags) or what TOML holds, gives the value in the units of the code. */
  readonly schema: z.ZodType<Value>;
  readonly fallback: Value;
  /** What is valid, to stand after "must be": `a duration from 200ms to 2s`. */
  readonly range: string;
  readonly doc: string;
  /** A value as one writes it. */
  write(value: Value): string;
  /** Replaces the variable's name that group and key make. */
  readonly variable: string | undefined;
  readonly isSecret: boolean;
  /** A flag without a value means `true`. */
  readonly isSwitch: boolean;
}

interface About {
  readonly doc: string;
  readonly variable?: string;
  readonly isSecret?: boolean;
}

type Kind<Value> = Pick<Setting<Value>, "schema" | "range" | "write"> & { readonly isSwitch?: boolean };

function setting<Value>(kind: Kind<Value>, fallback: Value, about: About): Setting<Value> {
  return { variable: undefined, isSecret: false, isSwitch: false, ...kind, ...about, fallback };
}

/** Written for a list of nothing. */
const NONE = "none";

function readWith<Value>(read: (text: string) => unknown, schema: z.ZodType<Value>): z.ZodType<Value> {
  return z.preprocess((raw) => (typeof raw === "string" ? read(raw) : raw), schema);
}

/** A whole number within bounds, both included. */
export function count(fallback: number, minimum: number, maximum: number, about: About): Setting<number> {
  const schema = readWith((text) => (/^\d+$/.test(text) ? Number(text) : undefined), z.int().min(minimum).max(maximum));
  return setting({ schema, range: `a whole number from ${minimum} to ${maximum}`, write: String }, fallback, about);
}

/** A TCP port; 0 asks the system for a free one. */
export function port(fallback: number, about: About): Setting<number> {
  return { ...count(fallback, 0, 65_535, about), range: "a port from 0 to 65535 (0 takes a free one)" };
}

function quantity(noun: string, units: Units, [fallback, minimum, maximum]: readonly string[], about: About) {
  const read = (text: string | undefined) => parseQuantity(text ?? "", units);
  // Numbers of TOML are refused too, for the reason that parseQuantity gives.
  const schema = z
    .string()
    .transform(read)
    .pipe(
      z
        .number()
        .min(read(minimum) ?? 0)
        .max(read(maximum) ?? 0),
    );
  const write = (value: number) => formatQuantity(value, units);
  return setting({ schema, range: `a ${noun} from ${minimum} to ${maximum}`, write }, read(fallback) ?? 0, about);
}

/** A length of time in ms. All three are written with their unit. */
export function durationMs(fallback: string, minimum: string, maximum: string, about: About): Setting<number> {
  return quantity("duration", DURATION_UNITS, [fallback, minimum, maximum], about);
}

/** A number of bytes, written with its unit. */
export function sizeBytes(fallback: string, minimum: string, maximum: string, about: About): Setting<number> {
  return quantity("size", SIZE_UNITS, [fallback, minimum, maximum], about);
}

/** Bits per second, written with its unit. */
export function bitrateBps(fallback: string, minimum: string, maximum: string, about: About): Setting<number> {
  return quantity("bit rate", BITRATE_UNITS, [fallback, minimum, maximum], about);
}

/** `true` or `false`; also `1`, `0`, `yes`, `no`, `on`, `off`. */
export function toggle(fallback: boolean, about: About): Setting<boolean> {
  const schema = z.union([
    z.boolean(),
    z.stringbool({ truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off"] }),
  ]);
  return setting({ schema, range: "true or false", write: String, isSwitch: true }, fallback, about);
}

/** One word out of `words`. */
export function choice<const Word extends string>(fallback: Word, words: readonly Word[], about: About): Setting<Word> {
  return setting(
    { schema: z.enum(words), range: `one of ${words.join(", ")}`, write: (word) => word },
    fallback,
    about,
  );
}

/** A line of text that is not empty. */
export function text(fallback: string, about: About): Setting<string> {
  return setting(
    { schema: z.string().min(1), range: "a text that is not empty", write: (line) => line },
    fallback,
    about,
  );
}

/** Texts; written with commas between them where there is no list. */
export function texts(fallback: readonly string[], about: About): Setting<readonly string[]> {
  const schema = readWith(splitAtCommas, z.array(z.string().min(1)).min(1).readonly());
  return setting(
    { schema, range: "texts with commas between them", write: (items) => items.join(",") },
    fallback,
    about,
  );
}

/** IP addresses and CIDR blocks; written with commas between them where there is no list. None until set. */
export function networks(about: About): Setting<readonly string[]> {
  const schema = readWith(
    (line) => (line === "" ? [] : splitAtCommas(line)),
    z.array(z.string().refine(isNetwork)).readonly(),
  );
  const range = "addresses and CIDR blocks with commas between them, such as 127.0.0.1,10.0.0.0/8";
  return setting({ schema, range, write: (items) => items.join(",") }, [], about);
}

/** Words out of `words`, at least one; written with commas between them where there is no list. */
export function choices<const Word extends string>(
  fallback: readonly Word[],
  words: readonly Word[],
  about: About,
): Setting<readonly Word[]> {
  const schema = z.array(z.enum(words)).min(1).readonly();
  const range = `of ${words.join(", ")}, with commas between them`;
  return setting(
    { schema: readWith(splitAtCommas, schema), range, write: (items) => items.join(",") },
    fallback,
    about,
  );
}

/** Any number of `words`, with commas between them, or `none`. */
export function choicesOrNone<const Word extends string>(
  fallback: readonly Word[],
  words: readonly Word[],
  about: About,
): Setting<readonly Word[]> {
  const schema = readWith(
    (line) => (line.trim() === NONE ? [] : splitAtCommas(line)),
    z.array(z.enum(words)).readonly(),
  );
  const range = `\`${NONE}\`, or of ${words.join(", ")}, with commas between them`;
  return setting({ schema, range, write: (items) => items.join(",") || NONE }, fallback, about);
}

function splitAtCommas(line: string): readonly string[] {
  return line.split(",").map((item) => item.trim());
}

/** An http or https URL without a slash at its end, query or fragment; undefined until set. */
export function webUrl(about: About): Setting<string | undefined> {
  const schema = z
    .url({ protocol: /^https?$/ })
    .refine((url) => !/[?#]/.test(url))
    .transform((url) => url.replace(/\/+$/, ""));
  return setting(
    { schema, range: "an http:// or https:// URL without query", write: (url) => url ?? "" },
    undefined,
    about,
  );
}

/** The URL of a PostgreSQL database; undefined until set. Never shown: a password stands in it. */
export function postgresUrl(about: About): Setting<string | undefined> {
  const schema = z.url({ protocol: /^postgres(ql)?$/ });
  const range = "a URL such as postgres://user:password@host:5432/database";
  return setting({ schema, range, write: () => "(hidden)" }, undefined, { ...about, isSecret: true });
}

/** Where a Redis server is, often with its password; undefined until set. Never shown. */
export function redisUrl(about: About): Setting<string | undefined> {
  const schema = z.url({ protocol: /^rediss?$/ });
  const range = "a URL such as redis://user:password@host:6379/0 (rediss:// for TLS)";
  return setting({ schema, range, write: () => "(hidden)" }, undefined, { ...about, isSecret: true });
}

/** A line of text; undefined until set. */
export function optionalText(about: About): Setting<string | undefined> {
  const schema = z.string().min(1);
  return setting({ schema, range: "a text that is not empty", write: (line) => line ?? "" }, undefined, about);
}

/** What another service gave out to be kept to oneself; undefined until set. Never shown. */
export function password(about: About): Setting<string | undefined> {
  return { ...optionalText(about), write: () => "(hidden)", isSecret: true };
}

/** What a bearer token may hold (RFC 6750 §2.1); undefined until set. Never shown. */
export function secret(about: About): Setting<string | undefined> {
  const schema = z.string().regex(/^[A-Za-z0-9._~+/-]+=*$/);
  const range = "letters, digits and ._~+/- without spaces";
  return setting({ schema, range, write: () => "(hidden)" }, undefined, { ...about, isSecret: true });
}

const bps = z
  .string()
  .transform((written) => parseQuantity(written, BITRATE_UNITS))
  .pipe(z.number().min(8_000).max(200_000_000));
const LEVELS = ["2.1", "3.0", "3.1", "3.2", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2"] satisfies H264Level[];
const evenPixels = z.int().min(16).max(8192).multipleOf(2);
const rung = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/),
    width: evenPixels,
    height: evenPixels,
    video_bitrate: bps,
    audio_bitrate: bps,
    profile: z.enum(["main", "high"] satisfies H264Profile[]),
    level: z.enum(LEVELS),
  })
  .transform(({ name: id, video_bitrate: videoBps, audio_bitrate: audioBps, ...rest }) => {
    return { id, ...rest, videoBps, audioBps } satisfies LadderRung;
  });

/** The rungs, highest first. TOML writes them as `[[transcode.ladder]]`, a variable or flag as JSON. */
export function ladder(fallback: readonly LadderRung[], about: About): Setting<readonly LadderRung[]> {
  const isDescending = (rungs: readonly LadderRung[]) =>
    rungs.every((each, index) => each.height < (rungs[index - 1]?.height ?? Number.POSITIVE_INFINITY));
  const hasOwnNames = (rungs: readonly LadderRung[]) => new Set(rungs.map((each) => each.id)).size === rungs.length;
  const schema = readWith(parseJson, z.array(rung).min(1).max(8).refine(isDescending).refine(hasOwnNames).readonly());
  const range =
    "1 to 8 rungs, highest first, each { name, width, height, video_bitrate, audio_bitrate, profile, level } with even pixels and a name of its own";
  return setting({ schema, range, write: writeLadder }, fallback, about);
}

function parseJson(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return undefined; // which the schema refuses, naming the setting
  }
}

function writeLadder(rungs: readonly LadderRung[]): string {
  const rate = (value: number) => formatQuantity(value, BITRATE_UNITS);
  return rungs
    .map((r) => `${r.id} ${r.width}x${r.height} ${rate(r.videoBps)} + ${rate(r.audioBps)} ${r.profile}@${r.level}`)
    .join("; ");
}
