import type { Clock } from "../core/clock.ts";
import { mp4ContentType } from "../http/content-types.ts";
import { writeHead } from "../http/flat-headers.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import { LIVE_RANGE_END } from "../http/ranges.ts";
import { holdLimitMs } from "../packaging/hls/delivery-directives.ts";
import type { LivePresentation, MediaObject, Part, Rendition, Segment } from "../packaging/presentation.ts";
import { type Answer, answerAbsent, answerMedia, answerRange, answerUnavailable, endEmpty } from "./answers.ts";
import { HeldRequests, type HoldBudget } from "./held-requests.ts";
import { createMediaBody, type MediaBody } from "./media-body.ts";
import { openSegmentHeaders, planOpenSegment, SegmentStream } from "./open-segment.ts";

type MediaKind = MediaObject["kind"] & ("init" | "part" | "segment");

export interface MediaObjectsOptions {
  readonly presentation: LivePresentation;
  readonly rendition: Rendition;
  readonly clock: Clock;
  readonly budget: HoldBudget;
  readonly maxBacklogBytes: number;
  /** Told of each answer that is complete: at once, after a hold, or at the end of a stream. */
  readonly onAnswer: (kind: MediaKind, answer: Answer) => void;
  readonly onSlowReader: () => void;
  /** Writes the answer of a held request by `write`, and deals with what it throws. */
  readonly guard: (req: HttpRequest, res: HttpResponse, write: () => Answer) => Answer;
}

/** `whole`: a range of an open segment that can only be told once the segment is complete. */
interface Wait {
  readonly name: string;
  readonly isForWhole: boolean;
}

/**
 * Init segments, parts and segments of one rendition. What is announced is held until it is there and sent whole (HLS
 * §6.2.6); an open segment is sent part by part, for DASH.
 */
export class MediaObjects {
  readonly #options: MediaObjectsOptions;
  readonly #presentation: LivePresentation;
  readonly #rendition: Rendition;
  readonly #contentType: string;
  readonly #held: HeldRequests<Wait>;
  readonly #streams = new Map<SegmentStream, string>();
  readonly #bodies = new WeakMap<object, MediaBody>();

  constructor(options: MediaObjectsOptions) {
    const { presentation, clock, budget, guard } = options;
    this.#options = options;
    this.#presentation = presentation;
    this.#rendition = options.rendition;
    this.#contentType = mp4ContentType(options.rendition.kind);
    this.#held = new HeldRequests({
      clock,
      holdMs: holdLimitMs(presentation),
      budget,
      answer: (req, res, { name }) =>
        this.#count(
          name,
          guard(req, res, () => this.#answer(req, res, name)),
        ),
      expire: (req, res) => options.onAnswer("part", answerUnavailable(req, res, "the stream does not advance")),
    });
  }

  request(req: HttpRequest, res: HttpResponse, name: string): void {
    this.#count(name, this.#answer(req, res, name));
  }

  /** Serves whoever waited for what is there now. */
  advance(): void {
    this.#held.settle((wait) => this.#isOver(wait));
    for (const [stream, name] of this.#streams) {
      const found = this.#find(name);
      if (found?.kind === "segment") stream.follow(found.segment);
      // Its reader is slower than the time for which segments are kept.
      else stream.cut();
    }
  }

  #answer(req: HttpRequest, res: HttpResponse, name: string): Answer {
    const found = this.#find(name);
    if (found?.kind === "part") return this.#answerPart(req, res, found.part);
    if (found?.kind === "segment") return this.#answerSegment(req, res, found.segment);
    if (found?.kind === "init") return answerMedia(req, res, this.#body(found.init, [found.init.bytes]));
    const isComing = found?.kind === "hinted" ? !this.#presentation.isEnded : this.#isNextSegment(name);
    return isComing ? this.#hold(req, res, { name, isForWhole: false }) : answerAbsent(req, res);
  }

  #answerPart(req: HttpRequest, res: HttpResponse, part: Part): Answer {
    return part.isGap ? answerAbsent(req, res) : answerMedia(req, res, this.#body(part, [part.bytes]));
  }

  #answerSegment(req: HttpRequest, res: HttpResponse, segment: Segment): Answer {
    const isEmpty = segment.byteLength === 0;
    if (!segment.isComplete) {
      // An answer begins with the first byte: never 200 with nothing in it.
      return isEmpty ? this.#hold(req, res, { name: segment.name, isForWhole: false }) : this.#open(req, res, segment);
    }
    return isEmpty ? answerAbsent(req, res) : answerMedia(req, res, this.#body(segment, chunksOf(segment)));
  }

  #open(req: HttpRequest, res: HttpResponse, segment: Segment): Answer {
    const plan = planOpenSegment(req, segment.byteLength);
    if (plan.kind === "wait") return this.#hold(req, res, { name: segment.name, isForWhole: true });
    if (plan.kind === "bytes") {
      const headers = openSegmentHeaders(this.#contentType, `bytes ${plan.first}-${plan.last}/*`);
      return answerRange(res, chunksOf(segment), plan.first, plan.last, headers);
    }
    const contentRange = plan.isPartial ? `bytes ${plan.firstByte}-${LIVE_RANGE_END}/*` : undefined;
    const status = plan.isPartial ? 206 : 200;
    writeHead(res, status, openSegmentHeaders(this.#contentType, contentRange));
    if (req.method === "HEAD") return endEmpty(res, status);
    this.#stream(res, segment, plan.firstByte, status);
    return undefined;
  }

  #stream(res: HttpResponse, segment: Segment, firstByte: number, status: number): void {
    const stream = new SegmentStream({
      res,
      firstByte,
      maxBacklogBytes: this.#options.maxBacklogBytes,
      onEnd: (bodyBytes, isCut) => {
        this.#streams.delete(stream);
        this.#options.onAnswer("segment", { status, bodyBytes });
        if (isCut) this.#options.onSlowReader();
      },
    });
    this.#streams.set(stream, segment.name);
    stream.follow(segment);
  }

  #hold(req: HttpRequest, res: HttpResponse, wait: Wait): Answer {
    const key = wait.isForWhole ? `whole ${wait.name}` : wait.name;
    if (this.#held.hold(key, wait, req, res)) return undefined;
    return answerUnavailable(req, res, "too many requests wait for this stream");
  }

  #isOver({ name, isForWhole }: Wait): boolean {
    if (this.#presentation.isEnded) return true;
    const found = this.#find(name);
    if (found?.kind === "segment") return found.segment.isComplete || (!isForWhole && found.segment.byteLength > 0);
    return found === undefined ? !this.#isNextSegment(name) : found.kind !== "hinted";
  }

  #find(name: string): MediaObject | undefined {
    return this.#presentation.object(this.#rendition.id, name);
  }

  /** Whether this names the segment that the next part will open: a player of DASH may ask a moment too early. */
  #isNextSegment(name: string): boolean {
    const { epoch, isEnded, renditions } = this.#presentation;
    const { msn, index } = this.#rendition.nextPart;
    if (isEnded || index !== 0 || name !== `${epoch}-${msn}.m4s`) return false;
    return renditions.includes(this.#rendition);
  }

  #body(object: { readonly name: string }, chunks: readonly Uint8Array[]): MediaBody {
    let body = this.#bodies.get(object);
    if (!body) {
      body = createMediaBody(object.name, this.#contentType, chunks);
      this.#bodies.set(object, body);
    }
    return body;
  }

  #count(name: string, answer: Answer): void {
    if (answer) this.#options.onAnswer(kindOf(name), answer);
  }
}

function chunksOf(segment: Segment): Uint8Array[] {
  return segment.parts.filter((part) => !part.isGap).map((part) => part.bytes);
}

/** By the form of the name: `{epoch}-{n}.init.mp4`, `{epoch}-{msn}.m4s`, `{epoch}-{msn}.{index}.m4s`. */
function kindOf(name: string): MediaKind {
  if (name.endsWith(".mp4")) return "init";
  return name.indexOf(".") === name.lastIndexOf(".") ? "segment" : "part";
}
