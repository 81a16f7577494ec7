/**
 * Takes `name` for this page among all of this browser: resolves with what lets it go again, or with undefined while another has
 * it. A page that ends lets go. Where browsers know no locks (they do over HTTPS alone), nobody is kept from anything.
 */
export function holdAlone(name: string): Promise<(() => void) | undefined> {
  if (!("locks" in navigator)) return Promise.resolve(() => undefined);
  return new Promise((resolve, reject) => {
    const hold = (lock: Lock | null) => {
      if (!lock) return resolve(undefined);
      const held = Promise.withResolvers<void>();
      resolve(held.resolve);
      return held.promise;
    };
    navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject);
  });
}
