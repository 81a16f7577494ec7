import type {
  AnyPlayback,
  CreatedStream,
  CreateStream,
  ImportStarted,
  Job,
  JobPage,
  KeyGrant,
  RequestedDownload,
  ServerFacts,
  Session,
  StreamDetails,
  StreamPage,
  TranscodeStarted,
  VideoDetails,
  VideoPage,
  VideoPlayback,
} from "./model.ts";
import { ApiProblem, problemOf } from "./problem.ts";

interface Call {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal | undefined;
}

async function send(path: string, { method = "GET", body, signal }: Call): Promise<Response> {
  const init: RequestInit = { method, headers: { accept: "application/json" }, credentials: "same-origin" };
  if (signal !== undefined) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { accept: "application/json", "content-type": "application/json" };
  }
  try {
    return await fetch(path, init);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiProblem(0, "No answer", "The server does not answer. It may be restarting.", { cause });
  }
}

async function call<Answer>(path: string, options: Call = {}): Promise<Answer> {
  const response = await send(path, options);
  const text = await response.text();
  const body = text === "" ? undefined : parsed(text);
  if (!response.ok) throw problemOf(response.status, body);
  return body as Answer;
}

/** The JSON value, or undefined when a proxy in between answered with something else. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const streamPath = (id: string): string => `/api/v1/streams/${encodeURIComponent(id)}`;

const videoPath = (id: string): string => `/api/v1/videos/${encodeURIComponent(id)}`;

/** Every call throws `ApiProblem`, or the abort reason when its signal aborted. */
export const api = {
  /** Exchanges the admin token for a session cookie. */
  logIn: (token: string) => call<Session>("/api/v1/login", { method: "POST", body: { token } }),
  logOut: () => call<unknown>("/api/v1/logout", { method: "POST" }),
  /** Succeeds when the session cookie is good; 401 otherwise. */
  session: () => call<Session>("/api/v1/session"),
  server: (signal?: AbortSignal) => call<ServerFacts>("/api/v1/server", { signal }),
  streams: (signal?: AbortSignal, cursor?: string) =>
    call<StreamPage>(`/api/v1/streams?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { signal }),
  stream: (id: string, signal?: AbortSignal) => call<StreamDetails>(streamPath(id), { signal }),
  create: (stream: CreateStream) => call<CreatedStream>("/api/v1/streams", { method: "POST", body: stream }),
  remove: (id: string) => call<unknown>(streamPath(id), { method: "DELETE" }),
  rotateKey: (id: string) => call<KeyGrant>(`${streamPath(id)}/key`, { method: "POST" }),
  /** Of a stream or of a video. */
  playback: (id: string, signal?: AbortSignal) =>
    call<AnyPlayback>(`/api/v1/playback/${encodeURIComponent(id)}`, { signal }),
  videos: (signal?: AbortSignal, cursor?: string) =>
    call<VideoPage>(`/api/v1/videos?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { signal }),
  video: (id: string, signal?: AbortSignal) => call<VideoDetails>(videoPath(id), { signal }),
  changeVideo: (id: string, change: { title?: string | null; description?: string | null }) =>
    call<VideoDetails>(videoPath(id), { method: "PATCH", body: change }),
  removeVideo: (id: string) => call<unknown>(videoPath(id), { method: "DELETE" }),
  cancelVideo: (id: string) => call<VideoDetails>(`${videoPath(id)}/cancel`, { method: "POST" }),
  transcode: (id: string) => call<TranscodeStarted>(`${videoPath(id)}/transcode`, { method: "POST", body: {} }),
  retryRendition: (id: string, rendition: string) =>
    call<VideoDetails>(`${videoPath(id)}/renditions/${encodeURIComponent(rendition)}/retry`, { method: "POST" }),
  importVideo: (url: string, title: string) =>
    call<ImportStarted>("/api/v1/videos/import", { method: "POST", body: { url, ...(title !== "" && { title }) } }),
  imports: (signal?: AbortSignal) => call<JobPage>("/api/v1/jobs?kind=video.import&limit=20", { signal }),
  job: (id: string, signal?: AbortSignal) => call<Job>(`/api/v1/jobs/${encodeURIComponent(id)}`, { signal }),
  cancelJob: (id: string) => call<unknown>(`/api/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" }),
  requestDownload: (id: string, rendition: string) =>
    call<RequestedDownload>(`${videoPath(id)}/downloads`, { method: "POST", body: { rendition } }),
  videoPlayback: (id: string, signal?: AbortSignal) => call<VideoPlayback>(`${videoPath(id)}/playback`, { signal }),
};

/** Address of the newest still of a stream; `turn` makes it a fresh one. */
export function thumbnailUrl(id: string, turn: number): string {
  return `${streamPath(id)}/thumbnail.jpg?t=${turn}`;
}
