import { startApp } from "./app/app.ts";
import { loadConfig } from "./app/config.ts";
import { renderHelp } from "./app/config-docs.ts";
import { DomainError } from "./core/errors.ts";
import { openLog } from "./observe/log.ts";

/** Longest orderly end; after that the process leaves with what is still open. */
const CLOSE_LIMIT_MS = 9_000;

try {
  if (process.argv.includes("--help")) {
    process.stdout.write(renderHelp());
    process.exit(0);
  }
  const stopping = untilStopped();
  const config = await loadConfig({ argv: process.argv.slice(2), env: process.env, directory: process.cwd() });
  const log = openLog({ level: config.observe.logLevel, format: config.observe.logFormat });
  const app = await startApp({ config, log: log.logger, searchPath: process.env.PATH ?? "" });
  process.stdout.write(
    [
      "",
      `  Studio  ${app.studioLink()}   (this link logs one browser in, once)`,
      `  RTMP    ${app.rtmpUrl}`,
      `  Data    ${app.dataDir}`,
      "",
      "",
    ].join("\n"),
  );
  await stopping;
  await app.close();
  log.close();
} catch (error) {
  // What went wrong by the hand of who started us is one line; anything else is a bug and keeps its stack.
  const text = error instanceof DomainError ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`headwater: ${text}\n`);
  process.exitCode = 1;
}

/** Resolves with the first signal to stop, which may come during the start. From then on a second one ends at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let hasBegun = false;
    const stop = () => {
      if (hasBegun) process.exit(1);
      hasBegun = true;
      setTimeout(() => process.exit(1), CLOSE_LIMIT_MS).unref();
      resolve();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
  });
}
