/** Typed events: `Events` maps a name to its payload. Listeners run at once, in the order they subscribed. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(payload: never) => void>>();

  /** Subscribes `listener`; returns the function that unsubscribes it. */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Resolves with the next payload of `name` that `accept` takes; rejects when `signal` aborts. */
  next<Name extends keyof Events>(
    name: Name,
    accept: (payload: Events[Name]) => boolean = () => true,
    signal?: AbortSignal,
  ): Promise<Events[Name]> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        off();
        reject(signal?.reason);
      };
      const off = this.on(name, (payload) => {
        if (!accept(payload)) return;
        off();
        signal?.removeEventListener("abort", stop);
        resolve(payload);
      });
      signal?.addEventListener("abort", stop, { once: true });
      if (signal?.aborted) stop();
    });
  }

  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as (payload: Events[Name]) => void)(payload);
  }
}
