import type { Clock } from "../core/clock.ts";
import type { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { CONTENT_TYPES } from "../http/content-types.ts";
import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import { type FlatHeaders, writeHead } from "../http/flat-headers.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import type { LivePresentation } from "../packaging/presentation.ts";
import { answerAbsent, answerElsewhere, answerOtherMethod } from "./answers.ts";
import type { DeliveryKind, DeliveryMetrics } from "./delivery-metrics.ts";
import { HoldBudget } from "./held-requests.ts";
import type { LivePresentations, ManifestFormat } from "./live-presentations.ts";
import { type MediaRoute, parseMediaPath } from "./media-route.ts";
import { PresentationDelivery } from "./presentation-delivery.ts";
import { Viewers } from "./viewers.ts";

/** Bounds of what viewers may make the server keep. */
export interface DeliveryLimits {
  /** Requests that wait for a part or playlist: in all, and of one stream. */
  readonly maxHeldCount: number;
  readonly maxHeldPerStreamCount: number;
  /** How far an open segment may grow while one of its readers takes nothing, before that one is cut. */
  readonly maxBacklogBytes: number;
  readonly maxCountedViewersPerStream: number;
}

const DEFAULT_DELIVERY_LIMITS: DeliveryLimits = {
  maxHeldCount: 20_000,
  maxHeldPerStreamCount: 10_000,
  maxBacklogBytes: 4 * 1024 * 1024,
  maxCountedViewersPerStream: 100_000,
};

export interface LiveDeliveryOptions {
  readonly presentations: LivePresentations;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: DeliveryMetrics;
  readonly limits?: Partial<DeliveryLimits>;
  /** How viewers reach this server, without a trailing slash; from the Host header when undefined. */
  readonly publicUrl?: string | undefined;
  /** Who asks, for the count of viewers; the peer of the connection unless a trusted proxy says otherwise. */
  readonly addressOf?: (req: HttpRequest) => string;
  /** The id of the stored video that is played in place of a stream that is not live; undefined when there is none. */
  readonly videoInPlaceOf?: (streamId: string) => Promise<string | undefined>;
}

type PresentationRoute = Exclude<MediaRoute, { kind: "time" }>;

const TIME_HEADERS: FlatHeaders = [
  ...["Content-Type", CONTENT_TYPES.text, "Cache-Control", "no-store"],
  ...PUBLIC_CORS_HEADERS,
];
const HOST = /^[A-Za-z0-9.:[\]_-]{1,255}$/;

/** Serves live presentations on the bare HTTP server: playlists, MPDs, parts, segments and the time. */
export class LiveDelivery {
  readonly viewers: Viewers;
  readonly #presentations: LivePresentations;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: DeliveryMetrics;
  readonly #limits: DeliveryLimits;
  readonly #publicUrl: string | undefined;
  readonly #addressOf: (req: HttpRequest) => string;
  readonly #videoInPlaceOf: NonNullable<LiveDeliveryOptions["videoInPlaceOf"]>;
  /** Questions for a video that are not answered yet: however many viewers come at once, each stream is looked up once. */
  readonly #asked = new Map<string, Promise<string | undefined>>();
  readonly #budget: HoldBudget;
  readonly #deliveries = new WeakMap<LivePresentation, PresentationDelivery>();

  constructor(options: LiveDeliveryOptions) {
    this.#presentations = options.presentations;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#limits = { ...DEFAULT_DELIVERY_LIMITS, ...options.limits };
    this.#publicUrl = options.publicUrl;
    this.#addressOf = options.addressOf ?? peerAddress;
    this.#videoInPlaceOf = options.videoInPlaceOf ?? (async () => undefined);
    this.#budget = new HoldBudget(this.#limits.maxHeldCount);
    this.viewers = new Viewers({ clock: this.#clock, maxPerStreamCount: this.#limits.maxCountedViewersPerStream });
  }

  /** Requests that wait for media now. */
  get heldCount(): number {
    return this.#budget.heldCount;
  }

  /** Answers a request, now or when its media is there; false when its path is not ours. */
  handle(req: HttpRequest, res: HttpResponse): boolean {
    const url = req.url ?? "";
    const queryAt = url.indexOf("?");
    const route = parseMediaPath(queryAt < 0 ? url : url.slice(0, queryAt));
    if (!route) return false;
    if (req.method !== "GET" && req.method !== "HEAD")
      this.#metrics.served("preflight", answerOtherMethod(req, res), 0);
    else if (route.kind === "time") this.#answerTime(req, res);
    else this.#answerStream(req, res, route, queryAt < 0 ? "" : url.slice(queryAt + 1));
    return true;
  }

  #answerStream(req: HttpRequest, res: HttpResponse, route: PresentationRoute, query: string): void {
    const { streamId } = route;
    const format = formatOf(route);
    const presentation = this.#presentations.find(streamId, format);
    if (!presentation) {
      const absence = this.#presentations.explainAbsence(streamId, format);
      const isWhole = route.kind === "multivariant" || route.kind === "mpd";
      if (isWhole && absence.code === "STREAM_NOT_LIVE") void this.#answerInPlace(req, res, route, absence);
      else this.#answerAbsent(req, res, route, absence);
      return;
    }
    const delivery = this.#deliveryOf(presentation);
    if (route.kind !== "object") this.viewers.note(streamId, this.#addressOf(req), req.headers["user-agent"] ?? "");
    if (route.kind === "object") delivery.object(req, res, route.renditionId, route.name);
    else if (route.kind === "playlist") delivery.playlist(req, res, route, query);
    else if (route.kind === "mpd") delivery.mpd(req, res, this.#timeUrl(req));
    else delivery.multivariant(req, res);
  }

  /** Sends whoever opens a stream that is not live to its video; its playlists stand there, and are not written anew for here. */
  async #answerInPlace(
    req: HttpRequest,
    res: HttpResponse,
    route: PresentationRoute,
    absence: DomainError,
  ): Promise<void> {
    let videoId: string | undefined;
    try {
      videoId = await this.#askForVideo(route.streamId);
    } catch (error) {
      this.#log.warn({ streamId: route.streamId, err: error }, "the video of a stream could not be looked up");
    }
    if (videoId === undefined) return this.#answerAbsent(req, res, route, absence);
    const name = route.kind === "mpd" ? "manifest.mpd" : "master.m3u8";
    this.#metrics.served(kindOf(route), answerElsewhere(res, `../../videos/${videoId}/${name}`)?.status ?? 307, 0);
  }

  #askForVideo(streamId: string): Promise<string | undefined> {
    const asked = this.#asked.get(streamId);
    if (asked) return asked;
    const asking = this.#videoInPlaceOf(streamId).finally(() => this.#asked.delete(streamId));
    this.#asked.set(streamId, asking);
    return asking;
  }

  #answerAbsent(req: HttpRequest, res: HttpResponse, route: PresentationRoute, absence: DomainError): void {
    const answer = answerAbsent(req, res, absence);
    this.#metrics.served(kindOf(route), answer?.status ?? 404, 0);
  }

  #deliveryOf(presentation: LivePresentation): PresentationDelivery {
    let delivery = this.#deliveries.get(presentation);
    if (!delivery) {
      delivery = new PresentationDelivery({
        presentation,
        clock: this.#clock,
        log: this.#log,
        metrics: this.#metrics,
        budget: this.#budget,
        maxHeldCount: this.#limits.maxHeldPerStreamCount,
        maxBacklogBytes: this.#limits.maxBacklogBytes,
      });
      this.#deliveries.set(presentation, delivery);
    }
    return delivery;
  }

  #answerTime(req: HttpRequest, res: HttpResponse): void {
    const body = new Date(this.#clock.nowMs()).toISOString();
    writeHead(res, 200, ["Content-Length", String(body.length), ...TIME_HEADERS]);
    const isHead = req.method === "HEAD";
    res.end(isHead ? undefined : body);
    this.#metrics.served("time", 200, isHead ? 0 : body.length);
  }

  /** Absolute, because dash.js takes a relative one from the page it runs in. */
  #timeUrl(req: HttpRequest): string {
    if (this.#publicUrl !== undefined) return `${this.#publicUrl}/time`;
    const { host } = req.headers;
    if (host === undefined || !HOST.test(host)) return "/time";
    return `${req.headers["x-forwarded-proto"] === "https" ? "https" : "http"}://${host}/time`;
  }
}

function peerAddress(req: HttpRequest): string {
  return req.socket.remoteAddress ?? "";
}

function formatOf(route: MediaRoute): ManifestFormat | undefined {
  if (route.kind === "object" || route.kind === "time") return undefined;
  return route.kind === "mpd" ? "dash" : "hls";
}

function kindOf(route: MediaRoute): DeliveryKind {
  return route.kind === "object" ? "segment" : route.kind;
}
