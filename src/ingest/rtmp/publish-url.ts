/** The one application that takes publishers: `rtmp://host/live/<key>`. */
export const PUBLISH_APP = "live";

/** Where a key may stand in a query, best first. `user` names the stream for people; `pass` is what counts. */
const KEY_PARAMETERS = ["key", "pass", "password", "token", "streamkey"] as const;
/** No key is longer; more is somebody's mistake. */
const MAX_KEY_LENGTH = 256;

/** What an encoder says about where it publishes, as it said it. */
export interface PublishAddress {
  readonly app: string;
  readonly tcUrl: string;
  readonly streamName: string;
}

/** The application that a `connect` names: in `app`, or in `tcUrl` when `app` is missing. */
export function appName(app: string, tcUrl: string): string {
  return parsePath(app || pathOf(tcUrl)).segments[0] ?? "";
}

/**
 * The stream key of a publisher, or undefined when there is none: in a query behind the stream name, the app or the
 * URL; else the last part of the stream name; else what follows the application name.
 */
export function findStreamKey({ app, tcUrl, streamName }: PublishAddress): string | undefined {
  const name = parsePath(streamName);
  const application = parsePath(app || pathOf(tcUrl));
  const url = parsePath(pathOf(tcUrl));
  const key =
    keyOfQuery(name.query) ??
    keyOfQuery(application.query) ??
    keyOfQuery(url.query) ??
    name.segments.at(-1) ??
    application.segments.slice(1).at(-1) ??
    url.segments.slice(1).at(-1);
  return key !== undefined && key.length <= MAX_KEY_LENGTH ? key : undefined;
}

function keyOfQuery(query: URLSearchParams): string | undefined {
  for (const name of KEY_PARAMETERS) {
    const value = query.get(name);
    if (value) return value;
  }
  return undefined;
}

function parsePath(text: string): { segments: string[]; query: URLSearchParams } {
  const [path = "", ...queries] = unquote(text).split("?");
  const segments = path
    .split("/")
    .map((segment) => unquote(segment))
    .filter((segment) => segment !== "");
  return { segments, query: new URLSearchParams(queries.join("&")) };
}

/** Path and query of `rtmp://host:port/app/...`; the whole text when it is not a URL. */
function pathOf(tcUrl: string): string {
  return unquote(tcUrl).replace(/^[a-z0-9+]+:\/\/[^/?]*/i, "");
}

/** Without the quotes, spaces and NULs that Neko and hand-written GStreamer pipelines leave at the ends. */
function unquote(text: string): string {
  return text.replace(/^[\s"'\0]+|[\s"'\0]+$/g, "");
}
