import { DomainError } from "../../core/errors.ts";
import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { AudioEncodeSpec } from "../plan/video-plan.ts";
import { cmafPipeArguments, readCmafPipe } from "./cmaf-pipe.ts";
import type { AudioOutcome, MakeAudio } from "./contract.ts";
import { type OutputReader, runFfmpeg } from "./ffmpeg-run.ts";
import { RenditionTrack } from "./rendition-track.ts";
import { sourceArguments } from "./source-arguments.ts";
import { Unpackageable } from "./unpackageable.ts";

/** Sound that is off its time by more is moved there: silence is put in, or what is too much is left out. */
const HARD_COMPENSATION_S = 0.02;

/**
 * What an AAC encoder puts before the first sample (1024 samples of priming) comes with times before zero and is left out,
 * so that the unit at 0 holds sample 0 and no player needs an edit list.
 */
export const makeAudio: MakeAudio = async (tools, request) => {
  const { source, audio, targets, grid, onChunk, signal } = request;
  const { store, logger } = tools;
  const renditions = targets.map(
    // The filters have taken the source's clock off.
    (target) => {
      const { leadTicks } = source;
      return new RenditionTrack({ store, logger, target, grid, onChunk, signal, zeroTicks: 0, leadTicks });
    },
  );
  try {
    await runFfmpeg(tools, {
      access: source.access,
      arguments: [
        ...sourceArguments(source),
        ...targets.flatMap(({ spec }, index) => encodeArguments(audio.index, spec, source.zeroTicks, index + 3)),
      ],
      readers: renditions.map(
        (rendition): OutputReader =>
          (pieces) =>
            readRendition(pieces, rendition),
      ),
      signal,
      onProgress: request.onProgress,
    });
    const outcomes: AudioOutcome[] = [];
    for (const [index, rendition] of renditions.entries()) {
      outcomes.push({ renditionId: targets[index]?.renditionId ?? "", ...(await rendition.finish()) });
    }
    return outcomes;
  } catch (error) {
    await Promise.all(renditions.map((rendition) => rendition.discard()));
    if (!(error instanceof Unpackageable)) throw error;
    throw new DomainError("MEDIA_DAMAGED", `the sound cannot be encoded: ${error.message}`, { cause: error });
  }
};

function readRendition(pieces: AsyncIterable<Uint8Array>, rendition: RenditionTrack): Promise<void> {
  return readCmafPipe(pieces, {
    onTrack: (track) => rendition.onTrack(track),
    onSample: (pts, { data }) => rendition.onSample(pts, data),
  });
}

function encodeArguments(streamIndex: number, spec: AudioEncodeSpec, zeroTicks: number, pipe: number) {
  const filters = [
    `asetpts=PTS-(${zeroTicks}/${VIDEO_TIMESCALE})/TB`,
    `aresample=osr=${spec.sampleRateHz}:async=1:first_pts=0:min_hard_comp=${HARD_COMPENSATION_S}`,
  ];
  return [
    ...["-map", `0:${streamIndex}`, "-af", filters.join(","), "-c:a", "aac", "-b:a", `${spec.bitrateBps}`],
    ...["-ar", `${spec.sampleRateHz}`, "-ac", `${spec.channelCount}`],
    ...cmafPipeArguments(pipe, "encoded"),
  ];
}
