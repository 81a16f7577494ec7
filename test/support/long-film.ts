import { Catalog } from "../../src/catalog/catalog.ts";
import { newVideoId, type VideoId } from "../../src/core/ids.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { Database } from "../../src/database/database.ts";
import { renditionInit } from "../../src/library/make/rendition-init.ts";
import { planVideo } from "../../src/library/plan/planner.ts";
import { chunkIndexAt, type VideoPlan } from "../../src/library/plan/video-plan.ts";
import type { SourceMedia } from "../../src/library/probe/source-media.ts";
import { renditionInitJson, segmentsJson } from "../../src/library/rendition-json.ts";
import { newRendition } from "../../src/library/video-preparation.ts";
import type { StoredSegment } from "../../src/packaging/stored-rendition.ts";
import { AAC, H264 } from "./presentation.ts";

const SEGMENT_MS = 4_000;
const SEGMENT_BYTES = 1_000_000;
const PICTURE = { width: 1920, height: 1080 };
const RATE = { numerator: 25, denominator: 1 };

function mediaOf(durationMs: number): SourceMedia {
  const times = { startMs: 0, durationMs, bitrateBps: 4_000_000 };
  const colour = { primaries: null, transfer: null, matrix: null, isFullRange: false };
  return {
    ...{ container: "avi", sizeBytes: 5_000_000_000, ...times, text: [], pictures: [], notes: [] },
    video: [
      {
        ...{ index: 0, codec: "mpeg4", profile: null, level: null, ...PICTURE, ...times, colour, bitDepth: 8 },
        ...{ shownWidth: PICTURE.width, shownHeight: PICTURE.height, sampleAspect: { width: 1, height: 1 } },
        ...{ rotationDegrees: 0, isMirrored: false, frameRate: RATE, realFrameRate: RATE, isVariableFrameRate: false },
        ...{ pixelFormat: "yuv420p", hdr: null, isInterlaced: false, fieldOrder: null, reorderCount: 0 },
        ...{ frameCount: null, isDefault: true },
      },
    ],
    audio: [
      {
        ...{ index: 1, codec: "mp3", profile: null, channelCount: 2, channelLayout: "stereo", sampleRateHz: 48_000 },
        ...{ ...times, language: null, title: null, isDefault: true },
      },
    ],
  };
}

/** Segments of 4 s as chunks, whose bytes are nowhere: playlists ask for none. */
function chunksOf(plan: VideoPlan, keyPrefix: string, timescale: number): StoredSegment[][] {
  const chunks: StoredSegment[][] = [];
  for (let startMs = 0; startMs < plan.durationMs; startMs += SEGMENT_MS) {
    const index = chunkIndexAt(plan, startMs);
    const start = (startMs * timescale) / 1000;
    const own = chunks[index] ?? [];
    chunks[index] = own;
    const keyFrames = [{ start, offset: 32, length: 60_000 }];
    const duration = (SEGMENT_MS * timescale) / 1000;
    const key = `${keyPrefix}${index}/${own.length + 1}.m4s`;
    own.push({ start, duration, byteLength: SEGMENT_BYTES, frameCount: 100, keyFrames, key });
  }
  return chunks;
}

/** Writes the records of a film that is ready into the catalog of a data directory; gives its id. */
export async function writeLongFilm(dataDir: string, durationMs: number): Promise<VideoId> {
  const database = await Database.open({ dataDir, url: undefined, log: silentLogger });
  try {
    const { videos } = await Catalog.on(database);
    const videoId = newVideoId();
    const media = mediaOf(durationMs);
    const plan = planVideo(media, {
      ...{ profiles: ["1080p", "720p", "480p", "360p", "240p"], isAskedFor: false, zeroTicks: 0 },
      ...{ copiesVideo: false, copiesAudio: false, audioCodecs: ["mp3"] },
      ...{ segmentTargetMs: SEGMENT_MS, chunkTargetMs: 5 * SEGMENT_MS },
    });
    await videos.create({ videoId, title: "A long film", description: null, source: null });
    const renditions = plan.renditions.map((spec, place) => newRendition(spec, place, null));
    await videos.setPlan({ videoId, metadata: media, plan, durationMs, renditions });
    for (const { renditionId, epoch, kind } of renditions) {
      const made = renditionInit(kind === "video" ? H264 : AAC, plan.leadTicks);
      const init = renditionInitJson(made);
      const keyPrefix = `videos/${videoId}/${renditionId}/${epoch}/a/`;
      const chunks = chunksOf(plan, keyPrefix, made.timescale);
      await Promise.all(
        chunks.map((segments, index) =>
          videos.commitChunk({
            ...{ videoId, renditionId, epoch, index, init },
            ...{ keyPrefix: `${keyPrefix}${index}/`, segments: segmentsJson(segments) },
          }),
        ),
      );
      await videos.finishRendition({ videoId, renditionId, epoch, chunkCount: chunks.length });
    }
    await videos.setStatus(videoId, { status: "ready" });
    return videoId;
  } finally {
    await database.close();
  }
}
