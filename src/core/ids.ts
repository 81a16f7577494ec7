import { randomBytes, randomUUID } from "node:crypto";

declare const brand: unique symbol;
/** Names a stream: a UUID that we made, or the `stream_id` that its creator chose. Safe in a path as it stands. */
export type StreamId = string & { readonly [brand]: "StreamId" };
/** Names a stored video; a UUID that we made. */
export type VideoId = string & { readonly [brand]: "VideoId" };

const STREAM_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The id as a `StreamId`, or undefined when it could not stand in a path (1-64 of `A-Z a-z 0-9 _ -`, no leading mark). */
export function parseStreamId(text: string): StreamId | undefined {
  return STREAM_ID.test(text) ? (text as StreamId) : undefined;
}

export function newStreamId(): StreamId {
  return randomUUID() as StreamId;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The id as a `VideoId`, or undefined when no video can have it. */
export function parseVideoId(text: string): VideoId | undefined {
  return UUID.test(text) ? (text as VideoId) : undefined;
}

export function newVideoId(): VideoId {
  return randomUUID() as VideoId;
}

/** A fresh stream key with 160 bits of chance, as `sk_` and base64url. Shown once, stored only as a hash. */
export function newStreamKey(): string {
  return `sk_${randomBytes(20).toString("base64url")}`;
}

/** A short id that stands in every object name of one presentation, so that no name is ever used for other bytes. */
export function newEpoch(): string {
  return randomBytes(5).toString("hex");
}
