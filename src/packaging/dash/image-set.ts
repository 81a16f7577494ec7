import type { StoredExtras } from "../presentation.ts";
import { imageDurationMs, storyboardBps } from "../storyboard-layout.ts";
import { type Element, element } from "./xml.ts";

const SET_ID = 300;
const MS_TIMESCALE = 1000;
const NUMBERED = /^(.*?)(\d+)(\.\w+)$/;

/** The AdaptationSet of a storyboard (DASH-IF IOP 6.2.6). Undefined when there is none, or when its images are not numbered. */
export function imageSet({ storyboard, durationMs }: StoredExtras): Element | undefined {
  const media = storyboard && mediaTemplate(storyboard.imageNames);
  if (!storyboard || !media) return undefined;
  const { tileWidth, tileHeight, columnCount, rowCount } = storyboard;
  return element("AdaptationSet", { id: SET_ID, contentType: "image", mimeType: "image/jpeg" }, [
    element("SegmentTemplate", {
      media,
      timescale: MS_TIMESCALE,
      duration: imageDurationMs(storyboard),
      startNumber: 1,
    }),
    element(
      "Representation",
      {
        id: "storyboard",
        bandwidth: storyboardBps(storyboard, durationMs),
        width: tileWidth * columnCount,
        height: tileHeight * rowCount,
      },
      [
        element("EssentialProperty", {
          schemeIdUri: "http://dashif.org/guidelines/thumbnail_tile",
          value: `${columnCount}x${rowCount}`,
        }),
      ],
    ),
  ]);
}

/** `storyboard-$Number$.jpg` of images that count up from 1; the name itself of one that stands alone. */
function mediaTemplate(names: readonly string[]): string | undefined {
  const [first] = names;
  if (first === undefined || names.length === 1) return first;
  const [, head, digits = "", tail] = NUMBERED.exec(first) ?? [];
  const isNumbered = (name: string, index: number) =>
    name === `${head}${String(index + 1).padStart(digits.length, "0")}${tail}`;
  if (!names.every(isNumbered)) return undefined;
  return digits.length > 1 ? `${head}$Number%0${digits.length}d$${tail}` : `${head}$Number$${tail}`;
}
