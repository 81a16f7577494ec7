import { join } from "node:path";
import { LOAD_CORE, type RunningProgram, type Workplace } from "../workplace.ts";

type Reply = { readonly id: number; readonly result?: unknown; readonly error?: string };

/** Load that is made in a process of its own, so that it takes no time from what measures and from what is measured. */
export class LoadProcess {
  readonly program: RunningProgram;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #requestCount = 0;

  /** `name`: a file of this directory that calls `serveLoad`. */
  constructor(workplace: Workplace, name: string) {
    this.program = workplace.run([process.execPath, join(import.meta.dirname, name)], {
      core: LOAD_CORE,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.program.child.on("message", (reply: Reply) => this.#receive(reply));
    this.program.child.on("exit", () => this.#fail(new Error(`${name} ended:\n${this.program.output()}`)));
  }

  /** Calls a function of the process; what goes either way is JSON. */
  ask(what: string, argument?: unknown): Promise<unknown> {
    this.#requestCount += 1;
    const id = this.#requestCount;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.program.child.send({ id, what, argument });
    });
  }

  end(): Promise<void> {
    return this.program.end();
  }

  #receive({ id, result, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** The other end: answers by these functions what the parent asks, and ends with it. */
export function serveLoad(functions: Readonly<Record<string, (argument: never) => unknown>>): void {
  process.on("message", async ({ id, what, argument }: { id: number; what: string; argument: never }) => {
    try {
      process.send?.({ id, result: await functions[what]?.(argument) });
    } catch (error) {
      process.send?.({ id, error: String(error instanceof Error ? error.stack : error) });
    }
  });
  process.on("disconnect", () => process.exit());
}
