import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { Metrics } from "./metrics.ts";

async function linesOf(metrics: Metrics): Promise<string[]> {
  return (await metrics.registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

async function valueIn(metrics: Metrics, series: string): Promise<number> {
  const line = (await linesOf(metrics)).find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? assert.fail(`${series} is not there`));
}

test("names what the documents name, and all else headwater_", async () => {
  const metrics = new Metrics({ version: "1.2.3" });
  metrics.follow({ activeStreams: () => 2, ffmpegProcesses: () => 1 });
  assert.equal(await valueIn(metrics, "streaming_active_streams"), 2);
  assert.equal(await valueIn(metrics, "streaming_ffmpeg_processes"), 1);
  assert.ok((await valueIn(metrics, "streaming_memory_bytes")) > 10_000_000);
  for (const line of await linesOf(metrics)) assert.match(line, /^(headwater_|streaming_)[a-z_]+/);
  assert.ok((await linesOf(metrics)).some((line) => line.startsWith('headwater_build_info{version="1.2.3",')));
});

test("asks what takes time to tell, and goes without what cannot be told", async () => {
  const metrics = new Metrics({ version: "1" });
  metrics.follow({ activeJobs: async () => 3, waitingJobs: () => Promise.reject(new Error("the queue is away")) });
  assert.equal(await valueIn(metrics, "streaming_service_active_transcoding_jobs"), 3);
  assert.equal(await valueIn(metrics, "headwater_jobs_waiting"), Number.NaN);
  assert.ok((await valueIn(metrics, "streaming_memory_bytes")) > 10_000_000);
});

test("counts what delivery serves, however often it is scraped", async () => {
  const metrics = new Metrics({ version: "1" });
  metrics.delivery.served("part", 200, 1000);
  metrics.delivery.served("part", 200, 500);
  metrics.delivery.served("playlist", 404, 90);
  metrics.delivery.rendered("playlist");
  metrics.delivery.cutSlowReader();
  for (let scrape = 0; scrape < 2; scrape++) {
    assert.equal(await valueIn(metrics, 'headwater_delivery_responses_total{kind="part",status="200"}'), 2);
    assert.equal(await valueIn(metrics, 'headwater_delivery_responses_total{kind="playlist",status="404"}'), 1);
    assert.equal(await valueIn(metrics, 'headwater_delivery_bytes_total{kind="part"}'), 1500);
    assert.equal(await valueIn(metrics, "streaming_service_bandwidth_bytes_total"), 1590);
    assert.equal(await valueIn(metrics, 'headwater_delivery_renders_total{kind="playlist"}'), 1);
    assert.equal(await valueIn(metrics, "headwater_delivery_cut_readers_total"), 1);
  }
});

test("gives the processor time since the last scrape in per cent of a core", async () => {
  const clock = new ManualClock();
  const metrics = new Metrics({ version: "1", clock });
  assert.equal(await valueIn(metrics, "streaming_cpu_percent"), 0);
  const before = process.cpuUsage();
  while (process.cpuUsage(before).user < 20_000);
  clock.advance(100);
  const percent = await valueIn(metrics, "streaming_cpu_percent");
  assert.ok(percent >= 20, `${percent} % for 20 ms in 100 ms`);
});

test("keeps two sets of metrics apart", async () => {
  const [one, other] = [new Metrics({ version: "1" }), new Metrics({ version: "1" })];
  one.ingest.publishes.inc({ protocol: "rtmp", outcome: "granted" });
  one.http.requests.inc({ method: "GET", route: "/streams", status: "200" });
  assert.equal(await valueIn(one, 'headwater_ingest_publishes_total{protocol="rtmp",outcome="granted"}'), 1);
  assert.ok(!(await linesOf(other)).some((line) => line.startsWith("headwater_ingest_publishes_total{")));
});
