import { availableParallelism } from "node:os";
import type { EncodeCores } from "../library/encode-cores.ts";
import type { Config } from "./settings.ts";

/** What a worker here has to encode with, as it is configured: one encode for each core by default. */
export function encodeCores({ jobs }: Pick<Config, "jobs">): EncodeCores {
  const coreCount = availableParallelism();
  return { coreCount, encodesAtOnce: jobs.concurrency || coreCount };
}
