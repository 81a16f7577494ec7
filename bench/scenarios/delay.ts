import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import type { Page } from "playwright-core";
import { Players } from "../../test/support/players/players.ts";
import { Headwater } from "../headwater.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, quantile, show } from "../statistics.ts";

const DEFAULT_AIM_MS = 2000;
const SHORT_PARTS_AIM_MS = 1000;
/** Until a player has found its distance from the edge. */
const SETTLE_MS = 15_000;
const PLAYING_LIMIT_MS = 30_000;
const CLOCK_SOURCE = new URL("../../src/ingest/pattern/clock-strip.ts", import.meta.url);

interface Viewing {
  readonly player: string;
  readonly streamId: string;
  /** `320`: the rung of that height; undefined: the source. */
  readonly height?: number;
  readonly open: (players: Players, server: Headwater) => Promise<Page>;
}

interface Measured {
  readonly player: string;
  readonly partMs: number;
  readonly picture: string;
  readonly delaysMs: readonly number[];
}

/** How old the picture is that a viewer sees, read from the clock in it. */
export const delay: Scenario = {
  name: "delay",
  title: "encoder to eye, read from the clock in the picture in Chromium",
  seconds: 20,
  counts: [500, 200],
  async run(context): Promise<ScenarioResult> {
    const { workplace, counts, say } = context;
    const server = await Headwater.start({ workplace });
    await using players = await Players.open();
    const clock = await readClockScript();
    const measured: Measured[] = [];
    for (const partMs of counts) {
      for (const isLadder of [false, true]) {
        const settings = { ingest_type: "pattern", transcode: isLadder, part_duration_ms: partMs };
        const { streamId } = await server.createStream(settings);
        await server.playableUrl(streamId, workplace.signal);
        for (const viewing of isLadder ? viewingsOfLadder(streamId) : viewingsOfSource(streamId)) {
          const page = await viewing.open(players, server);
          workplace.signal.addEventListener("abort", () => void page.context().close(), { once: true });
          const delaysMs = await watch(page, clock, context, viewing.height);
          await page.context().close();
          const picture = isLadder ? "rung of the ladder" : "source as it came";
          measured.push({ player: viewing.player, partMs, picture, delaysMs });
          say(
            `${viewing.player}, ${partMs} ms, ${picture}: ${show(median(delaysMs))} ms (${delaysMs.length} pictures)`,
          );
        }
        await server.ask("DELETE", `/api/v1/streams/${streamId}`);
      }
    }
    await server.end();
    return describe(measured, context);
  },
};

function hlsJs(streamId: string): Viewing {
  return {
    player: "hls.js, its defaults",
    streamId,
    open: async (players, { origin }) => (await players.playHls(`${origin}/streams/${streamId}/master.m3u8`)).page,
  };
}

function viewingsOfSource(streamId: string): Viewing[] {
  return [
    hlsJs(streamId),
    {
      player: "watch page",
      streamId,
      open: async (players, { origin }) => (await players.browser.openPage(`${origin}/watch/${streamId}`)).page,
    },
    {
      player: "dash.js, its defaults",
      streamId,
      open: async (players, { origin }) => (await players.playDash(`${origin}/streams/${streamId}/manifest.mpd`)).page,
    },
  ];
}

function viewingsOfLadder(streamId: string): Viewing[] {
  return [{ ...hlsJs(streamId), height: 480 }];
}

/** The reader of the clock as a script that any page runs, whatever its content policy. */
async function readClockScript(): Promise<string> {
  const text = stripTypeScriptTypes(await readFile(CLOCK_SOURCE, "utf8"));
  return `(() => { ${text.replace(/^export /gm, "")}; window.readClockOfPicture = readClockOfPicture; })()`;
}

/** Delays of the pictures shown during the measurement. Throws when none plays, or its clock cannot be read. */
async function watch(
  page: Page,
  clock: string,
  { workplace, seconds }: ScenarioContext,
  height?: number,
): Promise<number[]> {
  await page.evaluate(clock);
  if (!(await page.evaluate(PLAYING_SCRIPT))) throw new Error("no picture in time");
  if (height !== undefined) {
    await page.evaluate(`player.currentLevel = player.levels.findIndex((level) => level.height === ${height})`);
  }
  await workplace.wait(SETTLE_MS);
  const delaysMs: number[] = await page.evaluate(SAMPLING_SCRIPT.replaceAll("FOR_MS", `${seconds * 1000}`));
  if (delaysMs.length < seconds) throw new Error(`only ${delaysMs.length} pictures could be read in ${seconds} s`);
  return delaysMs;
}

/** As text, like the other: the policy of our page lets nothing be evaluated later. */
const PLAYING_SCRIPT = `new Promise((resolve) => {
  const endMs = performance.now() + ${PLAYING_LIMIT_MS};
  const look = () => {
    const isPlaying = document.querySelector("video")?.videoWidth > 0;
    if (isPlaying || performance.now() > endMs) resolve(isPlaying);
    else setTimeout(look, 50);
  };
  look();
})`;

/**
 * Reads the clock of about five pictures a second at the moment that each is expected on the screen. More would slow down
 * what is measured.
 */
const SAMPLING_SCRIPT = `new Promise((resolve) => {
  const video = document.querySelector("video");
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const delaysMs = [];
  const startMs = performance.now();
  let nextMs = startMs;
  const look = (nowMs, { expectedDisplayTime }) => {
    if (nowMs > startMs + FOR_MS) return resolve(delaysMs);
    video.requestVideoFrameCallback(look);
    if (nowMs < nextMs) return;
    nextMs = nowMs + 190;
    const { width, height } = canvas;
    context.drawImage(video, 0, 0, width, height);
    const shownMs = performance.timeOrigin + expectedDisplayTime;
    const pixels = context.getImageData(0, 0, width, height).data;
    const drawnMs = readClockOfPicture(pixels, width, height, shownMs);
    if (drawnMs !== undefined) delaysMs.push(shownMs - drawnMs);
  };
  video.requestVideoFrameCallback(look);
  setTimeout(() => resolve(delaysMs), FOR_MS + 2000);
})`;

function describe(measured: readonly Measured[], { seconds }: ScenarioContext): ScenarioResult {
  const worstMedian = (partMs: number, player: string) =>
    Math.max(
      ...measured.filter((one) => one.partMs === partMs && one.player === player).map((one) => median(one.delaysMs)),
    );
  const aimFor = (partMs: number, aimMs: number) => {
    const figures = ["watch page", "hls.js, its defaults"].map(
      (player) => [player, worstMedian(partMs, player)] as const,
    );
    return {
      aim: `at most ${show(aimMs / 1000, 1)} s with parts of ${partMs} ms`,
      measured: figures.map(([player, ms]) => `${show(ms / 1000, 2)} s (${player})`).join(", "),
      isMet: figures.every(([, ms]) => ms <= aimMs),
    };
  };
  const aims = { 500: DEFAULT_AIM_MS, 200: SHORT_PARTS_AIM_MS };
  const tried = new Set(measured.map(({ partMs }) => partMs));
  return {
    aims: Object.entries(aims)
      .filter(([partMs]) => tried.has(Number(partMs)))
      .map(([partMs, aimMs]) => aimFor(Number(partMs), aimMs)),
    tables: [
      {
        head: ["player", "part, ms", "picture", "median, ms", "p95, ms", "pictures read"],
        rows: measured.map(({ player, partMs, picture, delaysMs }) => [
          player,
          `${partMs}`,
          picture,
          show(median(delaysMs)),
          show(quantile(delaysMs, 0.95)),
          `${delaysMs.length}`,
        ]),
      },
    ],
    notes: [
      `From the drawing of the clock into a frame, before it is encoded, to the moment that the browser expects it on the screen; ${seconds} s each, ${SETTLE_MS / 1000} s after the first picture.`,
      "Source: the built-in picture, 1280x720 at 30 frames per second. Rung: 854x480, decoded and encoded again. Server, encoders and browser share the machine.",
      "The least that a player of LL-HLS may keep is PART-HOLD-BACK, three parts: 1.5 s with parts of 500 ms, 0.6 s with parts of 200 ms.",
    ],
    figures: measured.map(({ delaysMs, ...one }) => ({
      ...one,
      medianMs: median(delaysMs),
      p95Ms: quantile(delaysMs, 0.95),
    })),
  };
}
