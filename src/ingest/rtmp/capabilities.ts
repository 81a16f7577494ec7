import type { AmfValue } from "../../media/amf.ts";
import { SUPPORTED_FOURCCS } from "../../media/flv.ts";
import { propertyOf } from "./wire/messages.ts";

/** FourCcInfoMask of Enhanced RTMP v2: we decode (for the ladder) and forward; we encode nothing for RTMP. */
const CAN_DECODE = 1;
const CAN_FORWARD = 4;
const FOUR_CC_INFO = CAN_DECODE | CAN_FORWARD;

/** CapsExMask of Enhanced RTMP v2. */
const CAPS_EX = { reconnect: 1, multitrack: 2, modEx: 4, timestampNanoOffset: 8 } as const;
const OUR_CAPS_EX = CAPS_EX.reconnect | CAPS_EX.multitrack | CAPS_EX.modEx | CAPS_EX.timestampNanoOffset;

/** Whether this client of Enhanced RTMP can be asked to reconnect. */
export function canReconnect(connectObject: AmfValue): boolean {
  const capsEx = propertyOf(connectObject, "capsEx");
  return typeof capsEx === "number" && (capsEx & CAPS_EX.reconnect) !== 0;
}

/**
 * What the reply to `connect` says we can take, in the forms of Enhanced RTMP v1 and v2. Empty for a client that speaks
 * neither: some old ones trip over properties that they do not know.
 */
export function enhancedCapabilities(connectObject: AmfValue): Record<string, AmfValue> {
  const names = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"];
  if (names.every((name) => propertyOf(connectObject, name) === undefined)) return {};
  return {
    fourCcList: [...SUPPORTED_FOURCCS.video, ...SUPPORTED_FOURCCS.audio],
    videoFourCcInfoMap: infoMap(SUPPORTED_FOURCCS.video),
    audioFourCcInfoMap: infoMap(SUPPORTED_FOURCCS.audio),
    capsEx: OUR_CAPS_EX,
  };
}

function infoMap(fourCcs: readonly string[]): Record<string, number> {
  return Object.fromEntries(fourCcs.map((fourCc) => [fourCc, FOUR_CC_INFO]));
}
