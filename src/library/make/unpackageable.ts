import type { NotRepackageableReason } from "./contract.ts";

/** Units that no segment can be made of as they stand. */
export class Unpackageable extends Error {
  readonly reason: NotRepackageableReason;

  constructor(reason: NotRepackageableReason, message: string) {
    super(message);
    this.name = "Unpackageable";
    this.reason = reason;
  }
}
