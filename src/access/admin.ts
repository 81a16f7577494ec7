import { createHash, createHmac, randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { BruteForceGuard } from "./brute-force.ts";
import { sameSecret } from "./stream-keys.ts";

const DAY_MS = 86_400_000;
const MAX_LOGIN_TOKENS = 16;
const MAX_ENDED_SESSIONS = 10_000;
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

export interface AdminAccessOptions {
  readonly adminToken: string;
  readonly cookieSecret: Uint8Array;
  /** As people reach us, when it is configured: `https` makes the cookie Secure, and its origin may write. */
  readonly publicUrl?: string | undefined;
  readonly clock: Clock;
  /** Counts wrong tokens; a right session cookie is never blocked. */
  readonly guard: BruteForceGuard;
  readonly sessionLifetimeMs?: number;
  readonly loginTokenLifetimeMs?: number;
}

/** What a request shows of who sends it; header values as they came. */
export interface Credentials {
  readonly method: string;
  readonly address: string;
  readonly authorization?: string | undefined;
  /** Value of the session cookie. */
  readonly sessionCookie?: string | undefined;
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly secFetchSite?: string | undefined;
}

/** A proven right to administer. */
export interface AdminSession {
  readonly via: "bearer" | "cookie";
  /** Undefined for a bearer token, which does not expire. */
  readonly expiresAtMs: number | undefined;
}

export interface SessionCookie {
  readonly name: string;
  readonly value: string;
  readonly isSecure: boolean;
  readonly expiresAtMs: number;
}

/**
 * Who may administer: the bearer of the admin token, or a browser with a session cookie that a one-time link or the
 * admin token itself bought. Sessions are signed, not stored; another admin token ends them all.
 */
export class AdminAccess {
  readonly #adminToken: string;
  readonly #cookieKey: Uint8Array;
  readonly #clock: Clock;
  readonly #guard: BruteForceGuard;
  readonly #sessionLifetimeMs: number;
  readonly #loginTokenLifetimeMs: number;
  readonly #publicOrigin: string | undefined;
  /** SHA-256 of each login token that is still good -> when it stops to be, monotonic. */
  readonly #loginTokens = new Map<string, number>();
  /** Ids of sessions that were logged out before they expired -> their expiry. */
  readonly #endedSessions = new Map<string, number>();
  readonly cookieName: string;
  readonly isCookieSecure: boolean;

  constructor(options: AdminAccessOptions) {
    this.#adminToken = options.adminToken;
    this.#cookieKey = createHmac("sha256", options.cookieSecret).update(options.adminToken).digest();
    this.#clock = options.clock;
    this.#guard = options.guard;
    this.#sessionLifetimeMs = options.sessionLifetimeMs ?? 30 * DAY_MS;
    this.#loginTokenLifetimeMs = options.loginTokenLifetimeMs ?? DAY_MS;
    this.#publicOrigin = options.publicUrl ? new URL(options.publicUrl).origin : undefined;
    this.isCookieSecure = this.#publicOrigin?.startsWith("https:") ?? false;
    // The prefix makes browsers refuse a cookie of this name from another host or over plain HTTP.
    this.cookieName = this.isCookieSecure ? "__Host-headwater" : "headwater";
  }

  /** A token that logs one browser in, once, within a day: for the link that the start prints. */
  issueLoginToken(): string {
    const token = randomBytes(32).toString("base64url");
    this.#loginTokens.set(digest(token), this.#clock.monotonicMs() + this.#loginTokenLifetimeMs);
    keepNewest(this.#loginTokens, MAX_LOGIN_TOKENS);
    return token;
  }

  /**
   * Turns a login token (which is then spent) or the admin token into a session cookie. Throws DomainError
   * UNAUTHENTICATED, or ADDRESS_BLOCKED after too many wrong ones.
   */
  login(token: string, address: string): SessionCookie {
    this.#refuseBlocked(address);
    if (!this.#spendLoginToken(token) && !sameSecret(token, this.#adminToken)) {
      this.#guard.recordFailure(address);
      throw new DomainError("UNAUTHENTICATED", "The token is wrong, spent or too old");
    }
    const expiresAtMs = Math.floor(this.#clock.nowMs() + this.#sessionLifetimeMs);
    const claims = `v1.${expiresAtMs.toString(36)}.${randomBytes(16).toString("base64url")}`;
    return {
      name: this.cookieName,
      value: `${claims}.${this.#sign(claims)}`,
      isSecure: this.isCookieSecure,
      expiresAtMs,
    };
  }

  /** Ends a session before its time: its cookie opens nothing any more until this process ends. */
  logout(sessionCookie: string | undefined): void {
    const session = sessionCookie === undefined ? undefined : this.#readSession(sessionCookie);
    if (!session) return;
    this.#endedSessions.set(session.id, session.expiresAtMs);
    keepNewest(this.#endedSessions, MAX_ENDED_SESSIONS);
  }

  /**
   * The admin session that the credentials prove. A bearer token is looked at before a cookie. Throws DomainError
   * UNAUTHENTICATED (nothing proven), ADDRESS_BLOCKED (too many wrong tokens), CROSS_SITE_REQUEST (a cookie, but
   * the write was started by another site).
   */
  authenticate(credentials: Credentials): AdminSession {
    if (credentials.authorization !== undefined)
      return this.#checkBearer(credentials.authorization, credentials.address);
    const cookie = credentials.sessionCookie;
    const session = cookie === undefined ? undefined : this.#readSession(cookie);
    if (!session) throw new DomainError("UNAUTHENTICATED", "Send the admin token as a bearer token, or log in");
    if (!SAFE_METHODS.has(credentials.method) && !this.#isSameOrigin(credentials)) {
      throw new DomainError("CROSS_SITE_REQUEST", "A session cookie writes only from pages of this server");
    }
    return { via: "cookie", expiresAtMs: session.expiresAtMs };
  }

  #checkBearer(authorization: string, address: string): AdminSession {
    this.#refuseBlocked(address);
    const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token === undefined) throw new DomainError("UNAUTHENTICATED", "Authorization must be: Bearer <admin token>");
    if (!sameSecret(token, this.#adminToken)) {
      this.#guard.recordFailure(address);
      throw new DomainError("UNAUTHENTICATED", "The admin token is wrong");
    }
    return { via: "bearer", expiresAtMs: undefined };
  }

  #refuseBlocked(address: string): void {
    const blockedForMs = this.#guard.blockedForMs(address);
    if (blockedForMs === 0) return;
    throw new DomainError("ADDRESS_BLOCKED", undefined, { details: { retry_after_s: Math.ceil(blockedForMs / 1000) } });
  }

  #spendLoginToken(token: string): boolean {
    const key = digest(token);
    const expiresMs = this.#loginTokens.get(key);
    this.#loginTokens.delete(key);
    return expiresMs !== undefined && this.#clock.monotonicMs() < expiresMs;
  }

  #readSession(cookie: string): { id: string; expiresAtMs: number } | undefined {
    const parts = /^(v1\.([0-9a-z]{1,11})\.([\w-]{22}))\.([\w-]{43})$/.exec(cookie);
    if (!parts) return undefined;
    const [, claims = "", expires = "", id = "", signature = ""] = parts;
    if (!sameSecret(signature, this.#sign(claims))) return undefined;
    const expiresAtMs = Number.parseInt(expires, 36);
    if (this.#clock.nowMs() >= expiresAtMs || this.#endedSessions.has(id)) return undefined;
    return { id, expiresAtMs };
  }

  #sign(claims: string): string {
    return createHmac("sha256", this.#cookieKey).update(claims).digest("base64url");
  }

  /**
   * Browsers say whose page sent a write: by Sec-Fetch-Site, and where that is not sent (plain HTTP to another
   * machine) by Origin. A write that says neither is refused.
   */
  #isSameOrigin({ secFetchSite, origin, host }: Credentials): boolean {
    if (secFetchSite !== undefined) return secFetchSite === "same-origin";
    if (origin === undefined || !URL.canParse(origin)) return false;
    const url = new URL(origin);
    return url.origin === this.#publicOrigin || (host !== undefined && url.host === withoutDefaultPort(host, url));
  }
}

/** `Host` as a URL of the same scheme would write it, so that `example.org:80` is `example.org`. */
function withoutDefaultPort(host: string, like: URL): string | undefined {
  const text = `${like.protocol}//${host}`;
  return URL.canParse(text) ? new URL(text).host : undefined;
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function keepNewest(entries: Map<string, number>, maxCount: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= maxCount) return;
    entries.delete(key);
  }
}
