import { once } from "node:events";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { Emitter } from "../../src/core/emitter.ts";
import { DomainError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { DeliveryKind, DeliveryMetrics } from "../../src/delivery/delivery-metrics.ts";
import { type DeliveryLimits, LiveDelivery } from "../../src/delivery/live-delivery.ts";
import type { HttpRequest, HttpResponse } from "../../src/http/http-exchange.ts";
import { createHttpServer } from "../../src/http/server.ts";
import type { LivePresentation, MediaObject, PresentationEvents } from "../../src/packaging/presentation.ts";
import { AAC, H264, type PartScript, type PresentationScript, ScriptedPresentation } from "./presentation.ts";

/** A scripted presentation that tells of its changes, as delivery sees a running stream. */
export class ServedPresentation extends ScriptedPresentation implements LivePresentation {
  readonly events = new Emitter<PresentationEvents>();

  object(renditionId: string, name: string): MediaObject | undefined {
    const rendition = this.renditions.find(({ id }) => id === renditionId);
    if (!rendition) return undefined;
    const init = rendition.inits.find((candidate) => candidate.name === name);
    if (init) return { kind: "init", init };
    for (const segment of rendition.all) {
      if (segment.name === name) return { kind: "segment", segment };
      const part = segment.parts.find((candidate) => candidate.name === name);
      if (part) return { kind: "part", part };
    }
    const { nextPart } = rendition;
    return nextPart.name === name ? { kind: "hinted", msn: nextPart.msn, index: nextPart.index } : undefined;
  }

  /** Adds a part and tells of it. */
  advance(id = "source", part: PartScript = { durationMs: 500 }): void {
    this.addPart(id, part);
    this.events.emit("advance", this.rendition(id));
  }

  /** Completes the open segment and tells of it. */
  complete(id = "source"): void {
    this.endSegment(id);
    this.events.emit("advance", this.rendition(id));
  }

  /** Takes a rendition away, as when its encoder is given up. */
  drop(id: string): void {
    const renditions = this.renditions as ServedPresentation["renditions"][number][];
    renditions.splice(renditions.indexOf(this.rendition(id)), 1);
    this.events.emit("renditions", this);
  }

  finish(): void {
    this.end();
    this.events.emit("ended", this);
  }
}

/** Bytes that name their part, so that a test sees which ones it got. */
export function namedPartBytes({ name }: { name: string }): Uint8Array {
  return Buffer.from(`<${name}>`.padEnd(100, "."));
}

export function servedPresentation(script: Partial<PresentationScript> = {}): ServedPresentation {
  const renditions = [
    { id: "source", format: H264, audioRenditionId: "audio_source" },
    { id: "audio_source", format: AAC },
  ];
  const presentation = new ServedPresentation({ renditions, partBytes: namedPartBytes, ...script });
  for (let i = 0; i < 3; i++) presentation.addSegment();
  return presentation;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** Serves `presentation` as stream `cam` on a free port, with a clock that stands still. */
export async function serve(t: TestContext, presentation: ServedPresentation, limits: Partial<DeliveryLimits> = {}) {
  const clock = new ManualClock();
  const counts = new Counts();
  const delivery = new LiveDelivery({
    presentations: {
      find: (id) => (id === "cam" ? presentation : undefined),
      explainAbsence: (id) => new DomainError(["idle", "over"].includes(id) ? "STREAM_NOT_LIVE" : "STREAM_NOT_FOUND"),
    },
    videoInPlaceOf: async (id) => (id === "over" ? "its-video" : undefined),
    clock,
    log: silentLogger,
    metrics: counts,
    limits,
  });
  const answer = (req: HttpRequest, res: HttpResponse) => {
    const isTaken = delivery.handle(req, res);
    if (isTaken) res.on("close", () => counts.step("closed"));
    if (isTaken) counts.step("handled");
    return isTaken;
  };
  const server = createHttpServer({
    host: "127.0.0.1",
    port: 0,
    log: silentLogger,
    direct: answer,
    fast: answer,
    limits: { closeGraceMs: 1 },
  });
  const { port } = await server.start();
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
    return server.close();
  });
  return {
    clock,
    counts,
    delivery,
    port,
    /** As players do: on connections that are kept. */
    ask: (path: string, options?: AskOptions) => ask(agent, port, path, options),
    /** On a connection of its own: `Connection: close`, so that node:http answers. */
    askOnce: (path: string, options?: AskOptions) => ask(false, port, path, options),
  };
}

async function ask(
  agent: Agent | false,
  port: AddressInfo["port"],
  path: string,
  { method, headers, signal }: AskOptions = {},
) {
  const req = request({ port, path, host: "127.0.0.1", agent, ...defined({ method, headers, signal }) });
  req.end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  return { status: res.statusCode ?? 0, headers: res.headers, body: await buffer(res) } satisfies HttpAnswer;
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** What delivery counted, and a way to wait until it has dealt with so many requests. */
export class Counts implements DeliveryMetrics {
  readonly answers: { kind: DeliveryKind; status: number; bodyBytes: number }[] = [];
  readonly rendered: (kind: DeliveryKind) => void = (kind) => this.renderedKinds.push(kind);
  readonly renderedKinds: DeliveryKind[] = [];
  cutCount = 0;
  readonly #steps = { handled: 0, closed: 0 };
  readonly #events = new Emitter<{ handled: number; closed: number }>();

  served(kind: DeliveryKind, status: number, bodyBytes: number): void {
    this.answers.push({ kind, status, bodyBytes });
  }

  cutSlowReader(): void {
    this.cutCount += 1;
    this.#events.emit("closed", this.#steps.closed);
  }

  step(name: "handled" | "closed"): void {
    this.#events.emit(name, ++this.#steps[name]);
  }

  /** Resolves once `count` requests were seen by delivery, or closed. */
  async until(name: "handled" | "closed", count: number): Promise<void> {
    if (this.#steps[name] < count) await this.#events.next(name, (steps) => steps >= count);
  }
}
