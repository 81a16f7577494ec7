import type { AudioFormat, VideoFormat } from "../../media/format.ts";
import { msToTicks } from "../../media/timebase.ts";
import { bitrateOf } from "../hls/bandwidth.ts";
import type { Presentation, Rendition } from "../presentation.ts";
import { type Run, segmentTimeline } from "./segment-timeline.ts";
import { instantText } from "./time-text.ts";
import { type Element, element } from "./xml.ts";

/** A rendition as it is listed in one Period. */
export interface ListedRendition {
  readonly rendition: Rendition;
  readonly run: Run;
}

/** Representation with its part of the SegmentTemplate; the rest of that is in the AdaptationSet. */
export function representation(
  presentation: Presentation,
  { rendition, run }: ListedRendition,
  utcTiming: Element,
): Element {
  const [first] = run;
  const { format, timescale } = first.init;
  const presentationTimeOffset = msToTicks(first.period.startMs, timescale) + (rendition.stored?.leadTicks ?? 0);
  return element(
    "Representation",
    {
      id: rendition.id,
      codecs: format.codecString,
      bandwidth: Math.ceil(bitrateOf(rendition).peakBps),
      ...(format.kind === "video" ? videoAttributes(rendition, format) : audioAttributes(format)),
    },
    [
      format.kind === "audio" ? channelConfiguration(format) : undefined,
      ...(presentation.options.isLowLatency && !presentation.isEnded
        ? [
            producerReferenceTime(presentation, rendition, run, utcTiming),
            // A chunk of video can be parsed but not decoded alone (type 0); each chunk of audio can (type 1).
            element("Resync", {
              type: format.kind === "audio" ? 1 : 0,
              dT: msToTicks(presentation.partTargetMs, timescale),
            }),
          ]
        : []),
      element(
        "SegmentTemplate",
        {
          timescale,
          presentationTimeOffset,
          // Of a stored video each Representation has its own, of a live one they share it.
          media: rendition.stored && `$RepresentationID$/${rendition.stored.epoch}-$Number$.m4s`,
          initialization: `$RepresentationID$/${first.init.name}`,
          startNumber: first.msn,
        },
        [segmentTimeline(presentation, rendition, run)],
      ),
    ],
  );
}

function videoAttributes(rendition: Rendition, format: VideoFormat) {
  const { width, height, sampleAspect } = format;
  return {
    width,
    height,
    sar: `${sampleAspect.width}:${sampleAspect.height}`,
    frameRate: frameRateText(rendition, format),
  };
}

function audioAttributes({ sampleRateHz }: AudioFormat) {
  return { audioSamplingRate: sampleRateHz };
}

/** `30`, `30000/1001`, or thousandths: @frameRate knows no decimals. The codec's own word goes before what is measured. */
function frameRateText({ frameRate }: Rendition, { frameRate: hint }: VideoFormat): string | undefined {
  if (hint) return hint.denominator === 1 ? `${hint.numerator}` : `${hint.numerator}/${hint.denominator}`;
  if (!frameRate) return undefined;
  const whole = Math.round(frameRate);
  const ntsc = Math.round((frameRate * 1001) / 1000);
  if (Math.abs(frameRate - (ntsc * 1000) / 1001) < 0.005) return `${ntsc * 1000}/1001`;
  return Math.abs(frameRate - whole) < 0.005 ? `${whole}` : `${Math.round(frameRate * 1000)}/1000`;
}

/** ISO/IEC 23091-3 ChannelConfiguration: up to six channels the number is the layout, beyond it is not. */
function channelConfiguration({ channelCount }: AudioFormat): Element {
  const layouts: Readonly<Record<number, number>> = { 7: 11, 8: 12 };
  return element("AudioChannelConfiguration", {
    schemeIdUri: "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
    value: layouts[channelCount] ?? channelCount,
  });
}

/** The Period's own mapping of media time to wall clock, the one of PROGRAM-DATE-TIME. `prft` refines it per segment. */
function producerReferenceTime(
  { renditions }: Presentation,
  rendition: Rendition,
  [{ period, init }]: Run,
  utcTiming: Element,
): Element {
  return element(
    "ProducerReferenceTime",
    {
      id: renditions.indexOf(rendition),
      // Only the publisher's own pictures keep the instant at which they came.
      inband: rendition.kind === "video" && rendition.origin === "source",
      type: "encoder",
      wallClockTime: instantText(period.wallZeroMs + period.startMs),
      presentationTime: msToTicks(period.startMs, init.timescale),
    },
    [utcTiming],
  );
}
