import type { Clock } from "../core/clock.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import {
  type DeliveryDirectives,
  decide,
  endsWait,
  holdLimitMs,
  parseDeliveryDirectives,
} from "../packaging/hls/delivery-directives.ts";
import type { PlaylistForm } from "../packaging/hls/playlist-form.ts";
import type { LivePresentation, Rendition } from "../packaging/presentation.ts";
import { type Answer, answerAbsent, answerText, answerUnavailable, refuse } from "./answers.ts";
import { HeldRequests, type HoldBudget } from "./held-requests.ts";
import type { PlaylistCache } from "./playlist-cache.ts";

/** A plain playlist: a shared cache asks again after a second, whatever the target duration. */
export const MANIFEST_CACHE = "public, max-age=1";

export interface BlockingReloadOptions {
  readonly presentation: LivePresentation;
  readonly rendition: Rendition;
  readonly form: PlaylistForm;
  readonly playlists: PlaylistCache;
  readonly clock: Clock;
  readonly budget: HoldBudget;
  /** Told of each answer to a request that was held. */
  readonly onAnswer: (answer: Answer) => void;
  /** Writes the answer of a held request by `write`, and deals with what it throws. */
  readonly guard: (req: HttpRequest, res: HttpResponse, write: () => Answer) => Answer;
}

/** One media playlist of one rendition: at once, or when it lists what the query asks for (HLS §6.2.5.2). */
export class BlockingReload {
  readonly #presentation: LivePresentation;
  readonly #rendition: Rendition;
  readonly #form: PlaylistForm;
  readonly #playlists: PlaylistCache;
  readonly #held: HeldRequests<DeliveryDirectives>;
  readonly #blockingCache: string;
  #lastQuery = "";
  #lastDirectives = parseDeliveryDirectives("");

  constructor(options: BlockingReloadOptions) {
    const { presentation, rendition, form, playlists, clock, budget, onAnswer, guard } = options;
    this.#presentation = presentation;
    this.#rendition = rendition;
    this.#form = form;
    this.#playlists = playlists;
    this.#blockingCache = `public, max-age=${6 * presentation.targetDurationS}`;
    this.#held = new HeldRequests({
      clock,
      holdMs: holdLimitMs(presentation),
      budget,
      answer: (req, res) => onAnswer(guard(req, res, () => this.#answerHeld(req, res))),
      expire: (req, res) => onAnswer(answerUnavailable(req, res, "the stream does not advance")),
    });
  }

  request(req: HttpRequest, res: HttpResponse, query: string): Answer {
    const directives = this.#directives(query);
    const decision = decide(this.#presentation, this.#rendition, directives, this.#form);
    if (decision.kind === "now") return this.#answer(req, res, directives);
    if (decision.kind === "bad-request") return refuse(req, res, decision.problem, 400);
    const { msn, part } = directives;
    if (this.#held.hold(`${msn}.${part}`, directives, req, res)) return undefined;
    return answerUnavailable(req, res, "too many requests wait for this stream");
  }

  /** Answers whoever waited for what the rendition has now. */
  advance(): void {
    const isListed = this.#isListed;
    this.#held.settle(
      (directives) => !isListed || endsWait(this.#presentation, this.#rendition, directives, this.#form),
    );
  }

  get #isListed(): boolean {
    return this.#presentation.renditions.includes(this.#rendition);
  }

  #answerHeld(req: HttpRequest, res: HttpResponse): Answer {
    if (!this.#isListed) return answerAbsent(req, res);
    const { url = "" } = req;
    return this.#answer(req, res, this.#directives(url.slice(url.indexOf("?") + 1)));
  }

  #answer(req: HttpRequest, res: HttpResponse, { msn, skip }: DeliveryDirectives): Answer {
    // After the end the same address may show another broadcast soon: not even a blocking answer is kept then.
    const isBlocking = msn !== undefined && !this.#presentation.isEnded;
    const body = this.#playlists.media(this.#rendition, this.#form, skip);
    return answerText(req, res, body, isBlocking ? this.#blockingCache : MANIFEST_CACHE);
  }

  /** Thousands of players send the same query within the same part. */
  #directives(query: string): DeliveryDirectives {
    if (query !== this.#lastQuery) {
      this.#lastDirectives = parseDeliveryDirectives(query);
      this.#lastQuery = query;
    }
    return this.#lastDirectives;
  }
}
