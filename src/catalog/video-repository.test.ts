import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type DatabasePlace, servedPostgres, testOnEach } from "../../test/support/databases.ts";
import { ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { newStreamId, newVideoId, type VideoId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { Catalog } from "./catalog.ts";
import type { NewChunk, NewRendition, NewVideo } from "./video-repository.ts";

const onEach = testOnEach(servedPostgres());

async function openVideos(t: TestContext, { dataDir, url }: DatabasePlace) {
  const clock = new ManualClock();
  const catalog = await Catalog.open({ dataDir, databaseUrl: url, log: silentLogger, clock });
  t.after(() => catalog.close());
  return { videos: catalog.videos, streams: catalog.streams, clock };
}

function newVideo(rest: Partial<NewVideo> = {}): NewVideo {
  const source = { key: "uploads/1", fileName: 'a "film".mp4', sizeBytes: 6_000_000_000 };
  return { videoId: newVideoId(), title: null, description: null, source, ...rest };
}

function newRendition(renditionId: string, rest: Partial<NewRendition> = {}): NewRendition {
  const basics = { kind: "video", origin: "rung", epoch: "e1", position: 0 } as const;
  return { renditionId, ...basics, spec: { height: 720 }, chunkCount: 2, ...rest };
}

function newChunk(videoId: VideoId, index: number, rest: Partial<NewChunk> = {}): NewChunk {
  const keyPrefix = `videos/${videoId}/720p/e1/a${index}/`;
  const segments = [{ start: index * 360_000, duration: 360_000 }];
  return {
    videoId,
    renditionId: "720p",
    epoch: "e1",
    index,
    keyPrefix,
    segments,
    init: { codec: "avc1", size: [1, 2] },
    ...rest,
  };
}

const planOf = (videoId: VideoId, renditions: readonly NewRendition[]) => ({
  videoId,
  metadata: { container: "mp4" },
  plan: { isRepackaged: true },
  durationMs: 12_345.6,
  renditions,
});

async function planned(t: TestContext, place: DatabasePlace, renditions = [newRendition("720p")]) {
  const opened = await openVideos(t, place);
  const { videoId } = await opened.videos.create(newVideo());
  await opened.videos.setPlan(planOf(videoId, renditions));
  return { ...opened, videoId, revision: async () => (await opened.videos.get(videoId))?.revision ?? Number.NaN };
}

const statusOf = (record: { status: string } | undefined) => record?.status;

onEach("publishes a chunk of each rendition as one, again and again", async (t, place) => {
  const renditions = [newRendition("720p"), newRendition("aac", { kind: "audio", position: 1 })];
  const { videos, videoId, revision } = await planned(t, place, renditions);
  const prefix = (id: string) => `videos/${videoId}/${id}/e1/a/0/`;
  const both = [
    newChunk(videoId, 0, { keyPrefix: prefix("720p") }),
    newChunk(videoId, 0, { renditionId: "aac", keyPrefix: prefix("aac"), init: { codec: "mp4a" } }),
  ];
  const before = await revision();
  assert.deepEqual(await videos.commitChunks(videoId, both), ["committed", "committed"]);
  assert.equal(await revision(), before + 1, "readers see one change");
  assert.deepEqual(
    await videos.commitChunks(videoId, both),
    ["committed", "committed"],
    "who lost the answer asks again",
  );
  const mixed = [newChunk(videoId, 0, { keyPrefix: "other/" }), newChunk(videoId, 1, { renditionId: "gone" })];
  assert.deepEqual(await videos.commitChunks(videoId, mixed), ["taken", "gone"]);
  assert.deepEqual(await videos.commitChunks(newVideoId(), both), ["gone", "gone"]);
  await videos.commitChunk(newChunk(videoId, 1));
  const later = await videos.chunks(videoId, { renditionId: "720p", fromIndex: 1 });
  assert.deepEqual(
    later.map(({ index }) => index),
    [1],
  );
});

onEach("keeps a video as it was created", async (t, place) => {
  const { videos, clock } = await openVideos(t, place);
  const video = newVideo({ title: "Ünïcode 🎬", description: '{"admin":true}' });
  const created = await videos.create(video);
  const nowMs = clock.nowMs();
  assert.deepEqual(created, {
    ...video,
    status: "preparing",
    metadata: null,
    plan: null,
    durationMs: null,
    error: null,
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    playableAtMs: null,
    readyAtMs: null,
  });
  assert.deepEqual(await videos.get(video.videoId), created);
  assert.equal(await videos.get(newVideoId()), undefined);
  const recording = await videos.create(newVideo({ source: null }));
  assert.equal(recording.source, null);
  await assert.rejects(
    videos.create(video),
    (problem) => problem instanceof DomainError && problem.code === "VIDEO_CONFLICT",
  );
});

onEach("changes title and description alone, and raises the revision", async (t, place) => {
  const { videos, clock } = await openVideos(t, place);
  const { videoId } = await videos.create(newVideo({ title: "a", description: "b" }));
  clock.advance(5);
  const changed = await videos.describe(videoId, { title: "c" });
  assert.deepEqual(
    [changed?.title, changed?.description, changed?.revision, changed?.updatedAtMs],
    ["c", "b", 2, clock.nowMs()],
  );
  assert.equal((await videos.describe(videoId, { description: null }))?.description, null);
  assert.equal(await videos.describe(newVideoId(), { title: "c" }), undefined);
});

onEach("pages newest first, by status too, and refuses cursors of others", async (t, place) => {
  const { videos, clock } = await openVideos(t, place);
  const ids: VideoId[] = [];
  for (let n = 0; n < 6; n++) {
    if (n % 2 === 0) clock.advance(1);
    ids.unshift((await videos.create(newVideo())).videoId);
  }
  // Two share each millisecond: the id decides between them.
  const expected = [0, 2, 4].flatMap((n) =>
    ids
      .slice(n, n + 2)
      .sort()
      .reverse(),
  );
  const first = await videos.list({ limit: 3 });
  const removed = expected[2];
  assert.ok(removed);
  await videos.remove(removed);
  const second = await videos.list({ limit: 3, cursor: first.nextCursor ?? "" });
  assert.deepEqual(
    [...first.videos, ...second.videos].map((video) => video.videoId),
    expected,
  );
  assert.equal(second.nextCursor, undefined);
  const [some] = expected;
  assert.ok(some);
  await videos.setStatus(some, { status: "playable" });
  const playable = await videos.list({ limit: 3, status: "playable" });
  assert.deepEqual(
    playable.videos.map((video) => video.videoId),
    [some],
  );
  for (const cursor of ["", "?", Buffer.from("1.x").toString("base64url")]) {
    await assert.rejects(videos.list({ limit: 1, cursor }), /cursor/);
  }
});

onEach("gives all ids, or those of videos that are not finished", async (t, place) => {
  const { videos } = await openVideos(t, place);
  const ids = [];
  for (let n = 0; n < 4; n++) ids.push((await videos.create(newVideo())).videoId);
  const [waiting, playable, ready, errored] = ids;
  assert.ok(waiting && playable && ready && errored);
  await videos.setStatus(playable, { status: "playable" });
  await videos.setStatus(ready, { status: "ready" });
  await videos.setStatus(errored, { status: "errored", error: { code: "NOT_MEDIA", message: "no" } });
  assert.deepEqual(await Array.fromAsync(videos.ids()), ids.sort());
  assert.deepEqual(await Array.fromAsync(videos.ids({ isUnfinished: true })), [waiting, playable].sort());
});

onEach("keeps a plan with its renditions, and lets it grow without touching what is there", async (t, place) => {
  const { videos, videoId, clock } = await planned(t, place);
  const [planning] = await videos.renditions(videoId);
  assert.deepEqual(planning, {
    ...newRendition("720p"),
    videoId,
    status: "waiting",
    init: null,
    error: null,
    begunAtMs: clock.nowMs(),
  });
  assert.equal(await videos.commitChunk(newChunk(videoId, 0)), "committed");
  const audio = newRendition("audio", { kind: "audio", origin: "source", position: 9, chunkCount: null });
  const grown = planOf(videoId, [newRendition("720p", { epoch: "e2" }), audio, newRendition("360p", { position: 1 })]);
  const record = await videos.setPlan({ ...grown, plan: { isRepackaged: false } });
  assert.deepEqual(
    [record?.metadata, record?.plan, record?.durationMs],
    [grown.metadata, { isRepackaged: false }, 12_346],
  );
  assert.deepEqual(
    (await videos.renditions(videoId)).map(({ renditionId, epoch, status }) => [renditionId, epoch, status]),
    [
      ["720p", "e1", "working"],
      ["360p", "e1", "waiting"],
      ["audio", "e1", "waiting"],
    ],
  );
  assert.equal(await videos.setPlan({ ...grown, videoId: newVideoId() }), undefined);
});

onEach("publishes a chunk once, however many attempts commit it", async (t, place) => {
  const { videos, videoId, revision } = await planned(t, place);
  const before = await revision();
  const attempts = Array.from({ length: 8 }, (_, n) => newChunk(videoId, 0, { keyPrefix: `attempt-${n}/` }));
  const outcomes = await Promise.all(attempts.map((attempt) => videos.commitChunk(attempt)));
  assert.deepEqual([...outcomes].sort(), ["committed", ...Array.from({ length: 7 }, () => "taken")]);
  assert.ok((await revision()) > before);
  const winner = attempts[outcomes.indexOf("committed")];
  assert.ok(winner);
  const { init, ...kept } = winner;
  assert.deepEqual(await videos.chunks(videoId), [kept]);
  const [rendition] = await videos.renditions(videoId);
  assert.deepEqual([rendition?.init, rendition?.status], [init, "working"]);
  assert.equal(await videos.commitChunk(winner), "committed", "who lost the answer asks again");
});

onEach("refuses chunks of another init segment, another epoch and another video", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  assert.equal(await videos.commitChunk(newChunk(videoId, 0)), "committed");
  assert.equal(await videos.commitChunk(newChunk(videoId, 1, { init: { codec: "hvc1" } })), "mismatch");
  assert.equal(await videos.commitChunk(newChunk(videoId, 1, { init: { size: [1, 2], codec: "avc1" } })), "committed");
  assert.equal(await videos.commitChunk(newChunk(videoId, 2, { epoch: "e0" })), "gone");
  assert.equal(await videos.commitChunk(newChunk(videoId, 2, { renditionId: "1080p" })), "gone");
  assert.equal(await videos.commitChunk(newChunk(newVideoId(), 0)), "gone");
  assert.deepEqual(
    (await videos.chunks(videoId)).map((chunk) => chunk.index),
    [0, 1],
  );
});

onEach("lets one init segment win when two first chunks come at once", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  const outcomes = await Promise.all(
    [0, 1, 2, 3].map((index) => videos.commitChunk(newChunk(videoId, index, { init: { number: index } }))),
  );
  assert.deepEqual([...outcomes].sort(), ["committed", "mismatch", "mismatch", "mismatch"]);
  const [rendition] = await videos.renditions(videoId);
  assert.deepEqual(rendition?.init, { number: outcomes.indexOf("committed") });
});

onEach("gives chunks of one rendition, or of all in their order", async (t, place) => {
  const { videos, videoId } = await planned(t, place, [newRendition("720p"), newRendition("360p")]);
  for (const renditionId of ["720p", "360p"])
    for (const index of [10, 9, 0]) await videos.commitChunk(newChunk(videoId, index, { renditionId }));
  const all = (await videos.chunks(videoId)).map((chunk) => `${chunk.renditionId} ${chunk.index}`);
  assert.deepEqual(all, ["360p 0", "360p 9", "360p 10", "720p 0", "720p 9", "720p 10"]);
  const some = await videos.chunks(videoId, { renditionId: "360p" });
  assert.deepEqual(
    some.map((chunk) => chunk.index),
    [0, 9, 10],
  );
  const [first] = some;
  assert.deepEqual(await videos.chunks(videoId, { renditionId: "360p", epoch: first?.epoch ?? "", limit: 1 }), [first]);
  assert.deepEqual(await videos.chunks(videoId, { renditionId: "360p", epoch: "another" }), []);
});

onEach("finishes a rendition when all its chunks are there", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  const rendition = { videoId, renditionId: "720p", epoch: "e1" };
  await videos.commitChunk(newChunk(videoId, 1));
  assert.equal(await videos.finishRendition(rendition), "incomplete");
  assert.equal(await videos.finishRendition({ ...rendition, chunkCount: 1 }), "incomplete");
  assert.equal(await videos.finishRendition({ ...rendition, epoch: "e0" }), "gone");
  await videos.commitChunk(newChunk(videoId, 0));
  assert.equal(await videos.finishRendition(rendition), "finished");
  assert.equal(await videos.failRendition({ ...rendition, error: "too late" }), false);
  const [finished] = await videos.renditions(videoId);
  assert.deepEqual([finished?.status, finished?.chunkCount, finished?.error], ["ready", 2, null]);
});

onEach("counts the chunks of a rendition that is made in one go at its end", async (t, place) => {
  const { videos, videoId } = await planned(t, place, [newRendition("720p", { chunkCount: null })]);
  const rendition = { videoId, renditionId: "720p", epoch: "e1" };
  for (const index of [0, 1, 2]) await videos.commitChunk(newChunk(videoId, index));
  assert.equal(await videos.finishRendition(rendition), "incomplete", "nobody has said how many there are");
  assert.equal(await videos.finishRendition({ ...rendition, chunkCount: 3 }), "finished");
  assert.equal((await videos.renditions(videoId))[0]?.chunkCount, 3);
});

onEach("makes a failed rendition anew under an epoch of its own", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  const old = { videoId, renditionId: "720p", epoch: "e1" };
  await videos.commitChunk(newChunk(videoId, 0));
  await videos.setStatus(videoId, { status: "playable" });
  assert.equal(await videos.failRendition({ ...old, error: "the encoder said no" }), true);
  await videos.setStatus(videoId, { status: "errored", error: { code: "MEDIA_DAMAGED", message: "no" } });
  assert.equal((await videos.renditions(videoId))[0]?.error, "the encoder said no");
  assert.equal(await videos.renewRendition({ ...old, epoch: "e0", nextEpoch: "e2" }), undefined);
  assert.equal(statusOf(await videos.get(videoId)), "errored");
  const renewed = await videos.renewRendition({ ...old, nextEpoch: "e2" });
  assert.deepEqual(renewed?.keyPrefixes, [newChunk(videoId, 0).keyPrefix]);
  const { epoch, status, init, error } = renewed.rendition;
  assert.deepEqual({ epoch, status, init, error }, { epoch: "e2", status: "waiting", init: null, error: null });
  assert.deepEqual(await videos.chunks(videoId), []);
  const video = await videos.get(videoId);
  assert.deepEqual([video?.status, video?.error], ["preparing", null]);
  assert.equal(await videos.commitChunk(newChunk(videoId, 1)), "gone", "the old attempt is too late");
  const chunk = newChunk(videoId, 0, { epoch: "e2", init: { codec: "hvc1" } });
  assert.equal(await videos.commitChunk(chunk), "committed", "the new one may have another init segment");
});

onEach("makes something else in the place of a rendition", async (t, place) => {
  const { videos, videoId, clock } = await planned(t, place);
  clock.advance(5_000);
  const spec = { height: 480 };
  const renewed = await videos.renewRendition({ videoId, renditionId: "720p", epoch: "e1", nextEpoch: "e2", spec });
  assert.deepEqual([renewed?.rendition.spec, renewed?.rendition.chunkCount], [spec, null]);
  assert.equal(renewed?.rendition.begunAtMs, clock.nowMs());
});

onEach("takes a chunk without segments beside any init, and counts it", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  const empty = newChunk(videoId, 1, { segments: [], init: null });
  assert.equal(await videos.commitChunk(empty), "committed");
  assert.equal((await videos.renditions(videoId))[0]?.init, null);
  assert.equal(await videos.commitChunk(newChunk(videoId, 0)), "committed");
  assert.deepEqual((await videos.renditions(videoId))[0]?.init, newChunk(videoId, 0).init);
  assert.deepEqual(await videos.committedChunks(videoId), [
    { renditionId: "720p", epoch: "e1", index: 0 },
    { renditionId: "720p", epoch: "e1", index: 1 },
  ]);
});

onEach("stays playable while one of its renditions is made anew", async (t, place) => {
  const { videos, videoId } = await planned(t, place, [newRendition("720p"), newRendition("360p")]);
  for (const renditionId of ["720p", "360p"]) await videos.commitChunk(newChunk(videoId, 0, { renditionId }));
  const ready = await videos.setStatus(videoId, { status: "ready" });
  assert.ok(ready?.readyAtMs);
  await videos.renewRendition({ videoId, renditionId: "360p", epoch: "e1", nextEpoch: "e2" });
  const again = await videos.get(videoId);
  assert.deepEqual([again?.status, again?.readyAtMs, again?.playableAtMs], ["playable", null, ready.playableAtMs]);
});

onEach("moves forward through its states, and back only when it is reopened", async (t, place) => {
  const { videos, videoId, clock } = await planned(t, place);
  const playable = await videos.setStatus(videoId, { status: "playable" });
  clock.advance(10);
  const ready = await videos.setStatus(videoId, { status: "ready" });
  assert.deepEqual(
    [playable?.status, ready?.status, ready?.playableAtMs, ready?.readyAtMs],
    ["playable", "ready", clock.nowMs() - 10, clock.nowMs()],
  );
  assert.equal(statusOf(await videos.setStatus(videoId, { status: "playable" })), "ready");
  const error = { code: "MEDIA_DAMAGED", message: "cut short" };
  assert.equal(statusOf(await videos.setStatus(videoId, { status: "errored", error })), "ready");
  assert.equal((await videos.get(videoId))?.revision, ready?.revision, "what does nothing raises nothing");
  assert.equal(statusOf(await videos.reopen(videoId)), "preparing");
  const errored = await videos.setStatus(videoId, { status: "errored", error });
  assert.deepEqual([errored?.status, errored?.error], ["errored", error]);
  assert.equal(statusOf(await videos.setStatus(videoId, { status: "ready" })), "errored");
  assert.equal(await videos.setStatus(newVideoId(), { status: "ready" }), undefined);
});

onEach("is playable again when a plan adds to what was ready", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  for (const index of [0, 1]) await videos.commitChunk(newChunk(videoId, index));
  await videos.finishRendition({ videoId, renditionId: "720p", epoch: "e1" });
  await videos.setStatus(videoId, { status: "ready" });
  assert.equal(statusOf(await videos.setPlan(planOf(videoId, [newRendition("720p")]))), "ready");
  const grown = planOf(videoId, [newRendition("720p"), newRendition("360p")]);
  assert.equal(statusOf(await videos.setPlan(grown)), "playable");
});

onEach("keeps one artifact of each name, and adds those that belong together or none", async (t, place) => {
  const { videos, videoId, revision } = await planned(t, place);
  const poster = { name: "poster.jpg", key: "k1", contentType: "image/jpeg", sizeBytes: 10, details: { width: 1 } };
  const clip = { ...poster, name: "clip.mp4", key: "k2", contentType: "video/mp4", details: null };
  const before = await revision();
  assert.equal(await videos.addArtifacts(videoId, [poster]), true);
  assert.equal(await videos.addArtifacts(videoId, [clip, { ...poster, key: "k3" }]), false);
  assert.deepEqual(await videos.artifacts(videoId), [{ videoId, ...poster }]);
  assert.equal(await videos.addArtifacts(videoId, [clip, { ...clip, name: "a", key: "k4" }]), true);
  assert.equal(await revision(), before + 2);
  assert.deepEqual(
    (await videos.artifacts(videoId)).map(({ name, key }) => [name, key]),
    [
      ["a", "k4"],
      ["clip.mp4", "k2"],
      ["poster.jpg", "k1"],
    ],
  );
  assert.equal(await videos.removeArtifact(videoId, "clip.mp4"), "k2");
  assert.equal(await videos.removeArtifact(videoId, "clip.mp4"), undefined);
  assert.equal((await videos.artifacts(videoId)).length, 2);
  assert.equal(await videos.addArtifacts(newVideoId(), [poster]), false);
});

onEach("lets one of two add an artifact", async (t, place) => {
  const { videos, videoId } = await planned(t, place);
  const clip = { name: "clip.mp4", contentType: "video/mp4", sizeBytes: 10, details: null };
  const added = await Promise.all(["k1", "k2"].map((key) => videos.addArtifacts(videoId, [{ ...clip, key }])));
  assert.deepEqual(added.toSorted(), [false, true]);
  assert.equal((await videos.artifacts(videoId))[0]?.key, added[0] ? "k1" : "k2");
});

onEach("removes all records of a video, and says what objects they named", async (t, place) => {
  const { videos, videoId, streams } = await planned(t, place);
  const other = await videos.create(newVideo());
  await videos.commitChunk(newChunk(videoId, 0, { keyPrefix: "p1/" }));
  await videos.commitChunk(newChunk(videoId, 1, { keyPrefix: "p1/" }));
  await videos.commitChunk(newChunk(videoId, 2, { keyPrefix: "p2/" }));
  assert.deepEqual((await videos.keyPrefixes(videoId)).toSorted(), ["p1/", "p2/"]);
  await videos.addArtifacts(videoId, [{ name: "a", key: "k", contentType: "x", sizeBytes: 1, details: null }]);
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  const stream = {
    streamId: newStreamId(),
    name: null,
    ingestType: "rtmp" as const,
    keyHash: "h",
    keyHint: "h",
    settings,
  };
  await streams.create(stream);
  assert.equal((await streams.setVideo(stream.streamId, videoId))?.videoId, videoId);
  await assert.rejects(streams.setVideo(stream.streamId, newVideoId()), /no video with the id/);
  const removed = await videos.remove(videoId);
  assert.deepEqual([removed?.sourceKey, removed?.artifactKeys], ["uploads/1", ["k"]]);
  assert.deepEqual(removed?.keyPrefixes.toSorted(), ["p1/", "p2/"]);
  assert.equal(await videos.remove(videoId), undefined);
  assert.deepEqual(await videos.keyPrefixes(videoId), []);
  assert.deepEqual(
    [
      await videos.get(videoId),
      await videos.renditions(videoId),
      await videos.chunks(videoId),
      await videos.artifacts(videoId),
    ],
    [undefined, [], [], []],
  );
  assert.equal((await streams.get(stream.streamId))?.videoId, null, "the stream stays");
  assert.deepEqual(await Array.fromAsync(videos.ids()), [other.videoId]);
});

onEach("never lets a chunk outlive its video, whatever comes first", async (t, place) => {
  const { videos } = await openVideos(t, place);
  for (let round = 0; round < 5; round++) {
    const { videoId } = await videos.create(newVideo());
    await videos.setPlan(planOf(videoId, [newRendition("720p")]));
    const commits = [0, 1, 2, 3].map((index) => videos.commitChunk(newChunk(videoId, index)));
    const [removed, ...outcomes] = await Promise.all([videos.remove(videoId), ...commits]);
    const committed = outcomes.flatMap((outcome, index) =>
      outcome === "committed" ? [newChunk(videoId, index).keyPrefix] : [],
    );
    assert.deepEqual(removed?.keyPrefixes.toSorted(), committed);
    assert.deepEqual(await videos.chunks(videoId), []);
  }
});
