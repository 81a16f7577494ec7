import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { newStreamId, newVideoId, type VideoId } from "../core/ids.ts";
import { startApi } from "./api-harness.ts";

type Api = Awaited<ReturnType<typeof startApi>>;

const NOBODY = newVideoId();
const WITHOUT_TOKEN = {};

/** A video whose original was taken in, as an upload leaves it. */
async function addVideo({ catalog }: Api, fileName = "holiday.mp4"): Promise<VideoId> {
  const videoId = newVideoId();
  const source = { key: `videos/${videoId}/original`, fileName, sizeBytes: 1234 };
  await catalog.videos.create({ videoId, title: null, description: null, source });
  return videoId;
}

/** The same, found out to be damaged. */
async function addFailed(api: Api): Promise<VideoId> {
  const videoId = await addVideo(api);
  const error = { code: "MEDIA_DAMAGED", message: "The picture is damaged." };
  await api.catalog.videos.setStatus(videoId, { status: "errored", error });
  return videoId;
}

async function start(t: TestContext): Promise<Api> {
  return startApi(t, { publicUrl: "https://media.example" });
}

test("tells all that is known of a video, by the name of its file until it has a title", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  const { status, body } = await api.call("GET", `/api/v1/videos/${videoId}`);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    video_id: videoId,
    title: "holiday.mp4",
    description: null,
    is_recording: false,
    recording: null,
    status: "preparing",
    progress: 0,
    remaining_ms: null,
    duration_ms: null,
    created_at: "2026-01-01T00:00:00.000Z",
    playable_at: null,
    ready_at: null,
    error: null,
    source: { file_name: "holiday.mp4", size_bytes: 1234 },
    renditions: [],
    poster_url: null,
    preview_image_url: null,
    hls_url: `https://media.example/videos/${videoId}/master.m3u8`,
    dash_url: `https://media.example/videos/${videoId}/manifest.mpd`,
    watch_url: `https://media.example/watch/${videoId}`,
    thumbnails: [],
    storyboard_url: null,
    downloads: [],
    preview_url: null,
  });
});

test("lists videos page by page, newest first, and by state", async (t) => {
  const api = await start(t);
  const ids: VideoId[] = [];
  for (let count = 0; count < 3; count++) {
    ids.push(await addVideo(api, `${count}.mp4`));
    api.clock.advance(1_000);
  }
  const first = await api.call("GET", "/api/v1/videos?limit=2");
  assert.deepEqual(
    first.body.videos.map(({ video_id }: { video_id: string }) => video_id),
    [ids[2], ids[1]],
  );
  assert.match(first.headers.get("link") ?? "", /rel="next"/);
  const second = await api.call("GET", `/api/v1/videos?limit=2&cursor=${first.body.next_cursor}`);
  assert.deepEqual([second.body.videos.length, second.body.videos[0].video_id], [1, ids[0]]);
  assert.equal(second.body.next_cursor, null);
  assert.deepEqual((await api.call("GET", "/api/v1/videos?status=ready")).body.videos, []);
  assert.equal((await api.call("GET", "/api/v1/videos?cursor=nonsense")).status, 400);
  assert.equal((await api.call("GET", "/api/v1/videos?status=gone")).status, 400);
});

test("names what went wrong, in a code and a sentence", async (t) => {
  const api = await start(t);
  const { body } = await api.call("GET", `/api/v1/videos/${await addFailed(api)}`);
  assert.deepEqual(body.error, { code: "MEDIA_DAMAGED", message: "The picture is damaged." });
});

test("changes title and description, which may have several lines", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  const path = `/api/v1/videos/${videoId}`;
  const changed = await api.call("PATCH", path, { title: "Holiday", description: "By the sea.\nAnd back." });
  assert.deepEqual(
    [changed.status, changed.body.title, changed.body.description],
    [200, "Holiday", "By the sea.\nAnd back."],
  );
  assert.equal((await api.call("PATCH", path, { title: null })).body.title, "holiday.mp4");
  const refused = await api.call("PATCH", path, { title: "a\u0007b" });
  assert.deepEqual([refused.status, refused.body.code], [422, "INVALID_REQUEST"]);
  assert.match(refused.body.detail, /title/);
  assert.equal((await api.call("PATCH", path, { titel: "x" })).status, 422);
});

test("starts to make what is asked for, at both addresses, and gives a job to follow", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  for (const path of [`/api/videos/${videoId}/transcode`, `/api/v1/videos/${videoId}/transcode`]) {
    const { status, headers, body } = await api.call("POST", path, {
      profiles: ["720p", "360p"],
      generateHLS: true,
      generateDASH: false,
    });
    assert.deepEqual([status, body.videoId], [202, videoId]);
    assert.equal(headers.get("location"), `/api/jobs/${body.jobId}`);
    const job = await api.call("GET", `/api/jobs/${body.jobId}`);
    assert.deepEqual([job.body.kind, job.body.state, job.body.video_id], ["video.prepare", "waiting", videoId]);
    assert.deepEqual((await api.call("GET", `/api/v1/jobs/${body.jobId}`)).body, job.body);
  }
  const path = `/api/videos/${videoId}/transcode`;
  const neither = await api.call("POST", path, { generateHLS: false, generateDASH: false });
  assert.equal(neither.status, 422);
  assert.match(neither.body.detail, /generateDASH/);
  assert.equal((await api.call("POST", path, { profiles: ["5000p"] })).status, 422);
});

test("stops the making of a video once, and says so", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  const stopped = await api.call("POST", `/api/v1/videos/${videoId}/cancel`);
  assert.deepEqual([stopped.status, stopped.body.error.code], [200, "VIDEO_CANCELLED"]);
  const again = await api.call("POST", `/api/v1/videos/${videoId}/cancel`);
  assert.deepEqual([again.status, again.body.code], [409, "VIDEO_CONFLICT"]);
});

test("deletes a video in any state, and its objects by a job", async (t) => {
  const api = await start(t);
  for (const videoId of [await addVideo(api), await addFailed(api)]) {
    await api.store.put(`videos/${videoId}/original`, Buffer.from("film"));
    assert.equal((await api.call("DELETE", `/api/v1/videos/${videoId}`)).status, 204);
    assert.equal((await api.call("GET", `/api/v1/videos/${videoId}`)).status, 404);
    const { body } = await api.call("GET", "/api/v1/jobs?state=waiting");
    assert.ok(body.jobs.some(({ kind }: { kind: string }) => kind === "video.delete"));
  }
});

test("makes a download of what is whole alone, and names what there is none of", async (t) => {
  const api = await start(t);
  const path = `/api/v1/videos/${await addVideo(api)}/downloads`;
  const refusals = [
    await api.call("POST", path, {}),
    await api.call("POST", path, { rendition: "720p" }),
    await api.call("POST", path, { rendition: 7 }),
    await api.call("POST", `/api/v1/videos/${NOBODY}/downloads`, {}),
    await api.call("DELETE", `${path}/720p`),
  ];
  assert.deepEqual(
    refusals.map(({ status, body }) => [status, body.code]),
    [
      [409, "VIDEO_CONFLICT"],
      [404, "NOT_FOUND"],
      [422, "INVALID_REQUEST"],
      [404, "VIDEO_NOT_FOUND"],
      [404, "NOT_FOUND"],
    ],
  );
});

test("says of an id that no video has that there is none, wherever it stands", async (t) => {
  const api = await start(t);
  for (const id of [NOBODY, "nonsense", "no%20video"]) {
    for (const [method, path, body] of [
      ["GET", `/api/v1/videos/${id}`],
      ["PATCH", `/api/v1/videos/${id}`, { title: "x" }],
      ["DELETE", `/api/v1/videos/${id}`],
      ["POST", `/api/videos/${id}/transcode`, {}],
      ["POST", `/api/v1/videos/${id}/cancel`],
      ["POST", `/api/v1/videos/${id}/renditions/720p/retry`],
      ["GET", `/api/v1/videos/${id}/playback`],
    ] as const) {
      const answer = await api.call(method, path, body);
      assert.deepEqual([answer.status, answer.body.code], [404, "VIDEO_NOT_FOUND"], `${method} ${path}`);
    }
  }
  const job = await api.call("GET", "/api/jobs/nonsense");
  assert.deepEqual([job.status, job.body.code], [404, "JOB_NOT_FOUND"]);
});

test("tells players from anywhere what they need, and nothing to others", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  const playback = await api.call("GET", `/api/v1/videos/${videoId}/playback`, undefined, WITHOUT_TOKEN);
  assert.equal(playback.status, 200);
  assert.equal(playback.headers.get("access-control-allow-origin"), "*");
  assert.deepEqual(playback.body, {
    video_id: videoId,
    title: "holiday.mp4",
    state: "preparing",
    is_playable: false,
    duration_ms: null,
    hls_url: `/videos/${videoId}/master.m3u8`,
    dash_url: `/videos/${videoId}/manifest.mpd`,
    poster_url: null,
    storyboard_url: null,
  });
  for (const path of ["/api/v1/videos", `/api/v1/videos/${videoId}`, "/api/v1/jobs"]) {
    assert.equal((await api.call("GET", path, undefined, WITHOUT_TOKEN)).status, 401, path);
  }
});

test("says of what was stopped or failed late that what is there of it can be played", async (t) => {
  const api = await start(t);
  const { videos } = api.catalog;
  const videoId = newVideoId();
  await videos.create({ videoId, title: "Evening", description: null, source: null });
  const [epoch, plan] = ["e1", { road: "record", streamId: newStreamId(), startedAtMs: 0, gaps: [] }];
  const rendition = { renditionId: "source", kind: "audio", origin: "source", epoch, position: 0 } as const;
  await videos.setPlan({
    videoId,
    metadata: null,
    plan: { ...plan, segmentTargetMs: 2000, targetDurationS: 2 },
    durationMs: 2000,
    renditions: [
      {
        ...rendition,
        spec: { kind: "audio", method: "record", id: "source", language: null, label: "Sound" },
        chunkCount: null,
      },
    ],
  });
  const isPlayable = async () => {
    const { body } = await api.call("GET", `/api/v1/videos/${videoId}/playback`, undefined, WITHOUT_TOKEN);
    return [body.state, body.is_playable];
  };
  await videos.commitChunk({
    videoId,
    renditionId: "source",
    epoch,
    index: 1,
    keyPrefix: "b/",
    segments: [],
    init: {},
  });
  assert.deepEqual(await isPlayable(), ["preparing", false]);
  await videos.commitChunk({
    videoId,
    renditionId: "source",
    epoch,
    index: 0,
    keyPrefix: "a/",
    segments: [],
    init: {},
  });
  assert.deepEqual(await isPlayable(), ["preparing", true]);
  await videos.setStatus(videoId, { status: "errored", error: { code: "INTERNAL", message: "It broke." } });
  assert.deepEqual(await isPlayable(), ["errored", true]);
});

test("ends a job that waits, once", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  const { jobId } = (await api.call("POST", `/api/videos/${videoId}/transcode`, {})).body;
  const ended = await api.call("POST", `/api/v1/jobs/${jobId}/cancel`);
  assert.deepEqual([ended.status, ended.body.state], [200, "cancelled"]);
  assert.equal((await api.call("POST", `/api/v1/jobs/${jobId}/cancel`)).status, 409);
});

test("reads a video once for all of its jobs, and not at all for what is no part of its making", async (t) => {
  const api = await start(t);
  const videoId = await addVideo(api);
  for (const [index, kind] of ["video.encode", "video.encode", "video.audio", "video.import"].entries()) {
    await api.jobs.add({ kind, data: { videoId, index } });
  }
  const artifacts = t.mock.method(api.catalog.videos, "artifacts");
  const { body } = await api.call("GET", "/api/v1/jobs");
  const told = body.jobs.map((job: { kind: string; video_id: string }) => [job.kind, job.video_id]);
  const kinds = ["video.import", "video.audio", "video.encode", "video.encode"];
  assert.deepEqual(
    told,
    kinds.map((kind) => [kind, videoId]),
  );
  assert.equal(artifacts.mock.callCount(), 1);
  await api.call("GET", "/api/v1/jobs?kind=video.import");
  assert.equal(artifacts.mock.callCount(), 1);
});
