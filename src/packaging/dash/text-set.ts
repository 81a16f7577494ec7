import type { StoredExtras } from "../presentation.ts";
import { textObjectName } from "../stored-names.ts";
import type { StoredText } from "../stored-rendition.ts";
import { type Element, element } from "./xml.ts";

/** Above the ids of sets of audio and video. */
const FIRST_SET_ID = 200;
const MIN_BPS = 1;

/** An AdaptationSet for each text of a stored video: one WebVTT file, which is there from the first moment. */
export function textSets({ texts, durationMs }: StoredExtras): Element[] {
  return texts.map((text, index) => textSet(text, FIRST_SET_ID + index, durationMs));
}

function textSet({ id, epoch, language, label, isForced, sizeBytes }: StoredText, setId: number, durationMs: number) {
  const bandwidth = Math.max(MIN_BPS, Math.ceil((sizeBytes * 8000) / durationMs));
  return element("AdaptationSet", { id: setId, contentType: "text", mimeType: "text/vtt", lang: language }, [
    element("Label", {}, label),
    element("Role", {
      schemeIdUri: "urn:mpeg:dash:role:2011",
      value: isForced ? "forced-subtitle" : "subtitle",
    }),
    element("Representation", { id, bandwidth }, [element("BaseURL", {}, `${id}/${textObjectName(epoch)}`)]),
  ]);
}
