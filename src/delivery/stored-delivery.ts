import { hash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { CONTENT_TYPES, mp4ContentType } from "../http/content-types.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import type { InitSegment } from "../packaging/presentation.ts";
import { parseSegmentName, textObjectName } from "../packaging/stored-names.ts";
import type { StoredTrack } from "../packaging/stored-track.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { type Answer, answerAbsent, answerFault, answerMedia, answerOtherMethod, answerText } from "./answers.ts";
import type { DeliveryKind, DeliveryMetrics } from "./delivery-metrics.ts";
import { createMediaBody, IMMUTABLE, type MediaBody } from "./media-body.ts";
import type { SharedManifests, ShownVideo } from "./shown-video.ts";
import { type StoredObject, StoredObjects } from "./stored-objects.ts";
import { parseStoredPath, type StoredRoute } from "./stored-route.ts";
import type { StoredVideos } from "./stored-videos.ts";
import { type ShelfLimits, VideoShelf } from "./video-shelf.ts";

/** Of what only its owner will change now (SI's value), and of what is still being made. */
const FINAL_CACHE = "public, max-age=86400";
const GROWING_CACHE = "public, max-age=1";

/** Bounds of what viewers may make the server keep. */
export interface StoredDeliveryLimits extends ShelfLimits {
  /** Objects that are read at the same time. */
  readonly maxReadCount: number;
  /** A reader that takes nothing for so long is cut. */
  readonly stallMs: number;
}

const DEFAULT_READ_LIMITS = { maxReadCount: 2_000, stallMs: 30_000 };

export interface StoredDeliveryOptions {
  readonly videos: StoredVideos;
  readonly store: Pick<ObjectStore, "get">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: DeliveryMetrics;
  /** Where servers of one site share what they have rendered of final videos. */
  readonly manifests?: SharedManifests | undefined;
  readonly limits?: Partial<StoredDeliveryLimits>;
}

const REPORT_INTERVAL_MS = 1_000;

/** Serves stored videos on the bare HTTP server: playlists, MPDs, media and what else was made of them. */
export class StoredDelivery {
  readonly #shelf: VideoShelf;
  readonly #objects: StoredObjects;
  readonly #log: Logger;
  readonly #metrics: DeliveryMetrics;
  readonly #clock: Clock;
  readonly #inits = new WeakMap<InitSegment, MediaBody>();
  #faultCount = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ videos, store, clock, log, metrics, manifests, limits = {} }: StoredDeliveryOptions) {
    const { maxReadCount, stallMs } = { ...DEFAULT_READ_LIMITS, ...limits };
    this.#clock = clock;
    this.#log = log;
    this.#metrics = metrics;
    this.#shelf = new VideoShelf({
      ...{ videos, clock, log, manifests, limits },
      onRender: (kind) => metrics.rendered(kind),
    });
    this.#objects = new StoredObjects({
      store,
      clock,
      maxReadCount,
      stallMs,
      onDamage: (key) => this.#report({ key }, "an object of a stored video is not as it was stored"),
      onSlowReader: () => metrics.cutSlowReader(),
    });
  }

  /** Answers a request, now or when its bytes are there; false when its path is not ours. */
  handle(req: HttpRequest, res: HttpResponse): boolean {
    const url = req.url ?? "";
    const queryAt = url.indexOf("?");
    const route = parseStoredPath(queryAt < 0 ? url : url.slice(0, queryAt));
    if (!route) return false;
    if (req.method !== "GET" && req.method !== "HEAD")
      this.#metrics.served("preflight", answerOtherMethod(req, res), 0);
    else if (route === "absent") this.#answerNothing(req, res);
    else this.#answerRoute(req, res, route);
    return true;
  }

  #answerNothing(req: HttpRequest, res: HttpResponse): void {
    const answer = answerAbsent(req, res, new DomainError("VIDEO_NOT_FOUND"));
    if (answer) this.#metrics.served("file", answer.status, answer.bodyBytes);
  }

  #answerRoute(req: HttpRequest, res: HttpResponse, route: StoredRoute): void {
    const kind = kindOf(route);
    const count = (answer: Answer) => {
      if (answer) this.#metrics.served(kind, answer.status, answer.bodyBytes);
    };
    const found = this.#find(route);
    const answer =
      found instanceof Promise
        ? found.then((shown) => this.#answer(req, res, route, shown))
        : this.#answer(req, res, route, found);
    if (!(answer instanceof Promise)) {
      count(answer);
      return;
    }
    answer.then(count, (error: unknown) => {
      this.#report({ videoId: route.videoId, kind, err: error }, "a request for a stored video failed");
      count(answerFault(req, res, error));
    });
  }

  #find(route: StoredRoute): ShownVideo | Promise<ShownVideo | undefined> {
    const found = this.#shelf.find(route.videoId);
    const isKnown = found instanceof Promise || !lacks(found, route);
    return isKnown ? found : this.#shelf.findNewest(route.videoId);
  }

  /** Once a second at most: when a store is gone, every request fails. */
  #report(fault: Record<string, unknown>, message: string): void {
    this.#faultCount += 1;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#reportedAtMs < REPORT_INTERVAL_MS) return;
    this.#reportedAtMs = nowMs;
    this.#log.warn({ ...fault, faultCount: this.#faultCount }, message);
  }

  #answer(
    req: HttpRequest,
    res: HttpResponse,
    route: StoredRoute,
    shown: ShownVideo | undefined,
  ): Answer | Promise<Answer> {
    if (!shown) return answerAbsent(req, res, new DomainError("VIDEO_NOT_FOUND"));
    const cacheControl = shown.video.isFinal ? FINAL_CACHE : GROWING_CACHE;
    if (route.kind === "file") return this.#answerFile(req, res, shown, route.name, cacheControl);
    if (route.kind === "object") return this.#answerObject(req, res, shown, route, cacheControl);
    if (!shown.video.isPlayable) {
      return answerAbsent(req, res, new DomainError("NOT_FOUND", `Video ${route.videoId} cannot be played yet`));
    }
    const text = textOf(shown, route);
    if (text instanceof Promise) return text.then((body) => answerText(req, res, body, cacheControl));
    return text ? answerText(req, res, text, cacheControl) : answerAbsent(req, res);
  }

  #answerFile(req: HttpRequest, res: HttpResponse, { video }: ShownVideo, name: string, cacheControl: string) {
    const file = video.files.get(name);
    if (!file) return answerAbsent(req, res);
    const { key, contentType, sizeBytes, downloadName } = file;
    const etag = `"${hash("sha1", key, "base64url").slice(0, 20)}"`;
    return this.#objects.answer(req, res, {
      key,
      contentType,
      lengthBytes: sizeBytes,
      etag,
      cacheControl,
      downloadName,
    });
  }

  #answerObject(
    req: HttpRequest,
    res: HttpResponse,
    shown: ShownVideo,
    { renditionId, name }: { readonly renditionId: string; readonly name: string },
    cacheControl: string,
  ): Answer | Promise<Answer> {
    const path = `${renditionId}/${name}`;
    if (shown.video.files.has(path)) return this.#answerFile(req, res, shown, path, cacheControl);
    const track = shown.presentation.track(renditionId);
    const init = track?.init(name);
    if (init) return answerMedia(req, res, this.#initBody(init));
    const object = track ? segmentObject(track, name) : textObject(shown, renditionId, name);
    return object ? this.#objects.answer(req, res, object) : answerAbsent(req, res);
  }

  #initBody(init: InitSegment): MediaBody {
    let body = this.#inits.get(init);
    if (!body) {
      body = createMediaBody(init.name, mp4ContentType(init.format.kind), [init.bytes]);
      this.#inits.set(init, body);
    }
    return body;
  }
}

/** Whether a file is asked for that is not known of the video. */
function lacks({ video, presentation }: ShownVideo, route: StoredRoute): boolean {
  if (route.kind === "file") return !video.files.has(route.name);
  if (route.kind !== "object") return false;
  const { renditionId, name } = route;
  const isRendition = presentation.track(renditionId) !== undefined || video.texts.some(({ id }) => id === renditionId);
  return !isRendition && !video.files.has(`${renditionId}/${name}`);
}

function textOf(shown: ShownVideo, route: Exclude<StoredRoute, { kind: "object" | "file" }>) {
  if (route.kind === "multivariant") return shown.multivariant(route.base);
  if (route.kind === "mpd") return shown.mpd(route.base);
  return route.kind === "images" ? shown.images() : shown.playlist(route.renditionId, route.form);
}

function segmentObject(track: StoredTrack, name: string): StoredObject | undefined {
  const parsed = parseSegmentName(name);
  const segment = parsed && track.segments[parsed.msn - 1];
  if (!segment?.stored || segment.isGap || segment.name !== name) return undefined;
  return {
    key: segment.stored.key,
    lengthBytes: segment.byteLength,
    contentType: mp4ContentType(track.kind),
    etag: `"${name}"`,
    cacheControl: IMMUTABLE,
  };
}

function textObject({ video }: ShownVideo, textId: string, name: string): StoredObject | undefined {
  const text = video.texts.find(({ id, epoch }) => id === textId && textObjectName(epoch) === name);
  if (!text) return undefined;
  const { key, sizeBytes } = text;
  return { key, lengthBytes: sizeBytes, contentType: CONTENT_TYPES.vtt, etag: `"${name}"`, cacheControl: IMMUTABLE };
}

function kindOf(route: StoredRoute): DeliveryKind {
  if (route.kind === "images") return "playlist";
  if (route.kind !== "object") return route.kind;
  return route.name.endsWith(".m4s") ? "segment" : route.name.endsWith(".init.mp4") ? "init" : "file";
}
