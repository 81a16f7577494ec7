import type { Answer } from "./origin-client.ts";
import type { Violation } from "./violations.ts";

export type Expected = "playlist" | "mpd" | "init" | "segment" | "part" | "error";

const TYPES: Readonly<Record<Expected, RegExp>> = {
  playlist: /^(application\/vnd\.apple\.mpegurl|audio\/mpegurl)(;|$)/,
  mpd: /^application\/dash\+xml(;|$)/,
  init: /^(video|audio)\/mp4(;|$)/,
  segment: /^(video\/iso\.segment|(video|audio)\/mp4)(;|$)/,
  part: /^(video\/iso\.segment|(video|audio)\/mp4)(;|$)/,
  error: /^application\/problem\+json(;|$)/,
};
const TYPE_RULES: Readonly<Record<Expected, string>> = {
  playlist: "H2",
  mpd: "H2",
  init: "H3",
  segment: "H3",
  part: "H3",
  error: "N14",
};
const EXPOSED = ["content-length", "date", "age", "etag"];

/** What the headers of an answer must be. `isGrowing`: a segment that is still being made. */
export function checkAnswer(answer: Answer, expected: Expected, isGrowing = false): Violation[] {
  const found: Violation[] = [];
  const path = new URL(answer.url).pathname;
  const add = (rule: string, message: string) => found.push({ rule, message: `${path}: ${message}` });
  const { headers, status } = answer;
  const type = headers["content-type"] ?? "";
  if (!TYPES[expected].test(type)) add(TYPE_RULES[expected], `Content-Type ${type}`);
  if (headers["access-control-allow-origin"] !== "*") add("N14", `${status} without Access-Control-Allow-Origin`);
  if (headers.age !== undefined) add("L38", `Age ${headers.age} from the origin`);
  if (expected !== "error") checkExposed(headers["access-control-expose-headers"] ?? "", add);
  if (expected === "playlist" || expected === "mpd") checkFreshness(headers["cache-control"], add);
  else if (expected === "error") checkErrorFreshness(headers["cache-control"], add);
  else if (!isGrowing) checkFixed(answer, add);
  return found;
}

type Add = (rule: string, message: string) => void;

function checkExposed(exposed: string, add: Add): void {
  const names = exposed.toLowerCase().split(/\s*,\s*/);
  const missing = EXPOSED.filter((name) => !names.includes(name));
  if (missing.length > 0) add("N13", `not exposed: ${missing}`);
}

export function maxAgeS(cacheControl: string | undefined): number | undefined {
  if (cacheControl === undefined) return undefined;
  if (/\bno-(store|cache)\b/.test(cacheControl)) return 0;
  const match = /\bmax-age=(\d+)/.exec(cacheControl);
  return match ? Number(match[1]) : undefined;
}

function checkFreshness(cacheControl: string | undefined, add: Add): void {
  if (maxAgeS(cacheControl) === undefined) add("L36", `Cache-Control ${cacheControl}`);
}

function checkErrorFreshness(cacheControl: string | undefined, add: Add): void {
  const seconds = maxAgeS(cacheControl);
  if (seconds === undefined || seconds > 1) add("N12", `error with Cache-Control ${cacheControl}`);
}

function checkFixed({ headers, body }: Answer, add: Add): void {
  const cacheControl = headers["cache-control"] ?? "";
  if (!/\bimmutable\b/.test(cacheControl) || maxAgeS(cacheControl) !== 31_536_000) {
    add("N9", `Cache-Control ${cacheControl}`);
  }
  if (Number(headers["content-length"]) !== body.length) {
    add("H32", `Content-Length ${headers["content-length"]} of ${body.length} bytes`);
  }
  if (headers.etag === undefined) add("N5", "no ETag");
  if (headers["accept-ranges"] !== "bytes") add("N7", `Accept-Ranges ${headers["accept-ranges"]}`);
}
