import { type ListedPeriod, periodId } from "./listed-period.ts";
import type { ListedRendition } from "./representation.ts";
import { type Element, element } from "./xml.ts";

const CONNECTIVITY = "urn:mpeg:dash:period-connectivity:2015";
const CONTINUITY = "urn:mpeg:dash:period-continuity:2015";

/**
 * What tells a player that it can go on in this AdaptationSet as it did in the Period before (ISO/IEC 23009-1 §5.3.2.4):
 * every Representation that both have is under the same init, and, for continuity, under the same clock without a tick
 * between. Undefined when the set is not in the Period before, or would need another set-up.
 */
export function periodLink(members: readonly ListedRendition[], before: ListedPeriod | undefined): Element | undefined {
  const [first] = members;
  if (!first || !before) return undefined;
  const pairs = members.flatMap((now) => {
    const then = before.listed.find(({ rendition }) => rendition === now.rendition);
    return then ? [{ then, now }] : [];
  });
  if (pairs.length === 0 || pairs.some(({ then, now }) => then.run[0].init !== now.run[0].init)) return undefined;
  const isContinuous = before.period.wallZeroMs === first.run[0].period.wallZeroMs && pairs.every(meets);
  return element("SupplementalProperty", {
    schemeIdUri: isContinuous ? CONTINUITY : CONNECTIVITY,
    value: periodId(before),
  });
}

function meets({ then, now }: { readonly then: ListedRendition; readonly now: ListedRendition }): boolean {
  const last = then.run.at(-1) ?? then.run[0];
  const [first] = now.run;
  return last.isComplete && last.msn + 1 === first.msn && last.start + last.duration === first.start;
}
