import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import type { PlaylistForm } from "../packaging/hls/playlist-form.ts";
import type { LivePresentation, Rendition } from "../packaging/presentation.ts";
import { type Answer, answerAbsent, answerFault, answerText } from "./answers.ts";
import { BlockingReload, MANIFEST_CACHE } from "./blocking-reload.ts";
import type { DeliveryKind, DeliveryMetrics } from "./delivery-metrics.ts";
import { HoldBudget } from "./held-requests.ts";
import { MediaObjects } from "./media-objects.ts";
import { PlaylistCache } from "./playlist-cache.ts";

export interface PresentationDeliveryOptions {
  readonly presentation: LivePresentation;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: DeliveryMetrics;
  /** The whole server's; this presentation takes at most `maxHeldCount` of it. */
  readonly budget: HoldBudget;
  readonly maxHeldCount: number;
  readonly maxBacklogBytes: number;
}

/** What serves one rendition. */
interface RenditionDelivery {
  /** Audio has no I-frame playlist. */
  readonly playlists: Readonly<Partial<Record<PlaylistForm, BlockingReload>>>;
  readonly objects: MediaObjects;
}

/** Answers everything that is asked of one presentation, and is moved by its events. */
export class PresentationDelivery {
  readonly #options: PresentationDeliveryOptions;
  readonly #presentation: LivePresentation;
  readonly #metrics: DeliveryMetrics;
  readonly #playlists: PlaylistCache;
  readonly #budget: HoldBudget;
  readonly #renditions = new Map<Rendition, RenditionDelivery>();

  constructor(options: PresentationDeliveryOptions) {
    const { presentation } = options;
    this.#options = options;
    this.#presentation = presentation;
    this.#metrics = options.metrics;
    this.#playlists = new PlaylistCache(options);
    this.#budget = new HoldBudget(options.maxHeldCount, options.budget);
    // The presentation holds its emitter, and the emitter us: all go together, so nothing is unsubscribed.
    presentation.events.on("advance", (rendition) => this.#advance(rendition));
    presentation.events.on("renditions", () => this.#changeAll());
    presentation.events.on("ended", () => this.#changeAll());
  }

  multivariant(req: HttpRequest, res: HttpResponse): void {
    this.#count("multivariant", answerText(req, res, this.#playlists.multivariant(), MANIFEST_CACHE));
  }

  mpd(req: HttpRequest, res: HttpResponse, timeUrl: string): void {
    this.#count("mpd", answerText(req, res, this.#playlists.mpd(timeUrl), MANIFEST_CACHE));
  }

  playlist(
    req: HttpRequest,
    res: HttpResponse,
    { renditionId, form }: { readonly renditionId: string; readonly form: PlaylistForm },
    query: string,
  ): void {
    const playlist = this.#rendition(renditionId)?.playlists[form];
    this.#count("playlist", playlist ? playlist.request(req, res, query) : answerAbsent(req, res));
  }

  /** An init segment, a part or a segment. */
  object(req: HttpRequest, res: HttpResponse, renditionId: string, name: string): void {
    const rendition = this.#rendition(renditionId);
    if (rendition) rendition.objects.request(req, res, name);
    else this.#count("segment", answerAbsent(req, res));
  }

  #advance(rendition: Rendition): void {
    this.#playlists.forget(rendition);
    const delivery = this.#renditions.get(rendition);
    if (delivery) this.#serve(delivery);
  }

  #changeAll(): void {
    this.#playlists.forgetAll();
    for (const [rendition, delivery] of this.#renditions) {
      this.#serve(delivery);
      if (!this.#presentation.renditions.includes(rendition)) this.#renditions.delete(rendition);
    }
  }

  /** Serves what has become possible. Runs on the packager's turn, so nothing may be thrown from here. */
  #serve({ playlists, objects }: RenditionDelivery): void {
    try {
      playlists.segments?.advance();
      playlists.iframes?.advance();
      objects.advance();
    } catch (error) {
      this.#options.log.error({ err: error }, "serving an advance failed");
    }
  }

  /** Only listed renditions are served, so that made-up ids leave nothing behind. */
  #rendition(id: string): RenditionDelivery | undefined {
    for (const rendition of this.#presentation.renditions) {
      if (rendition.id === id) return this.#renditions.get(rendition) ?? this.#open(rendition);
    }
    return undefined;
  }

  #open(rendition: Rendition): RenditionDelivery {
    const { presentation, clock, maxBacklogBytes } = this.#options;
    const guard = (req: HttpRequest, res: HttpResponse, write: () => Answer) => this.#guard(req, res, write);
    const shared = { presentation, rendition, clock, budget: this.#budget, guard };
    const playlist = (form: PlaylistForm) =>
      new BlockingReload({
        ...shared,
        form,
        playlists: this.#playlists,
        onAnswer: (answer) => this.#count("playlist", answer),
      });
    const delivery = {
      playlists: {
        segments: playlist("segments"),
        ...(rendition.kind === "video" ? { iframes: playlist("iframes") } : {}),
      },
      objects: new MediaObjects({
        ...shared,
        maxBacklogBytes,
        onAnswer: (kind, answer) => this.#count(kind, answer),
        onSlowReader: () => this.#metrics.cutSlowReader(),
      }),
    };
    this.#renditions.set(rendition, delivery);
    return delivery;
  }

  #guard(req: HttpRequest, res: HttpResponse, write: () => Answer): Answer {
    try {
      return write();
    } catch (error) {
      this.#options.log.error({ err: error }, "held request failed");
      return answerFault(req, res, error);
    }
  }

  #count(kind: DeliveryKind, answer: Answer): void {
    if (answer) this.#metrics.served(kind, answer.status, answer.bodyBytes);
  }
}
