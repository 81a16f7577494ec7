import { fork } from "node:child_process";
import { migrate, moveCatalog } from "./app/catalog-commands.ts";
import { cleanUp } from "./app/clean-up-command.ts";
import type { Command } from "./app/command.ts";
import { loadConfig } from "./app/config.ts";
import { renderHelp } from "./app/config-docs.ts";
import type { Config } from "./app/settings.ts";
import { workerChannel } from "./app/worker-channel.ts";
import type { WorkerMetrics } from "./app/worker-metrics.ts";
import { DomainError } from "./core/errors.ts";
import { openLog } from "./observe/log.ts";
import { nameSourceLines } from "./observe/source-lines.ts";

/** Longest orderly end; after that the process leaves with what is still open. */
const CLOSE_LIMIT_MS = 9_000;
const DRY_RUN = "--dry-run";

/** What is done once, in place of a server, by the first argument. */
const COMMANDS: Readonly<Record<string, Command>> = {
  migrate: { run: migrate },
  "move-catalog": { run: moveCatalog },
  "clean-up": { run: cleanUp, canRunDry: true },
};

nameSourceLines(import.meta.dirname);
try {
  if (process.argv.includes("--help")) {
    process.stdout.write(renderHelp());
    process.exit(0);
  }
  const [, script = "", name = "", ...rest] = process.argv;
  const command = COMMANDS[name];
  if (command) {
    await runCommand(command, rest);
    process.exit(0);
  }
  if (name === "worker") await runWorker(rest);
  else await runServer(script, process.argv.slice(2));
} catch (error) {
  // What went wrong by the hand of who started us is one line; anything else is a bug and keeps its stack.
  const text = error instanceof DomainError ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`headwater: ${text}\n`);
  process.exitCode = 1;
}

async function runServer(script: string, argv: readonly string[]): Promise<void> {
  const stopping = untilStopped();
  const { config, log } = await prepare(argv);
  const { startApp } = await import("./app/app.ts");
  const app = await startApp({
    config,
    log: log.logger,
    searchPath: process.env.PATH ?? "",
    spawnWorker: () => fork(script, ["worker", ...argv], { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
  });
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
}

/** A worker of its own, until it is told to stop; one that a server keeps ends with the server. */
async function runWorker(argv: readonly string[]): Promise<void> {
  const channel = workerChannel(process);
  const stopping = channel ? channel.closed.then(leaveInTime) : untilStopped();
  // Ctrl-C reaches the server's worker, too, which waits for the server's word.
  if (channel) for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => undefined);
  const { config, log } = await prepare(argv);
  const { startWorker } = await import("./app/worker.ts");
  const metrics = channel ? undefined : await countWork(config);
  const worker = await startWorker({
    config,
    log: log.logger.child({ process: "worker" }),
    searchPath: process.env.PATH ?? "",
    isLiveBehind: () => channel?.isLiveBehind() ?? false,
    onJobEnd: (end) => (channel ?? metrics)?.onJobEnd(end),
  });
  // While what it works for is away it may have no connection to anything: this alone keeps it waiting then.
  const waiting = setInterval(() => undefined, 60_000);
  await stopping;
  clearInterval(waiting);
  await worker.close();
  await metrics?.close();
  log.close();
}

/** A worker of its own is asked for its figures itself. */
async function countWork({ server, jobs }: Config): Promise<WorkerMetrics> {
  const { WorkerMetrics } = await import("./app/worker-metrics.ts");
  return WorkerMetrics.open({ host: server.host, port: jobs.metricsPort });
}

async function prepare(argv: readonly string[]) {
  const config = await loadConfig({ argv, env: process.env, directory: process.cwd() });
  return { config, log: openLog({ level: config.observe.logLevel, format: config.observe.logFormat }) };
}

async function runCommand({ run, canRunDry = false }: Command, rest: readonly string[]) {
  const isDryRun = canRunDry && rest.includes(DRY_RUN);
  const argv = rest
    .filter((argument) => !(canRunDry && argument === DRY_RUN))
    // Where to is said by the setting that a server would then be started with.
    .map((argument) => argument.replace(/^--to(?=$|=)/, "--database-url"));
  const config = await loadConfig({ argv, env: process.env, directory: process.cwd() });
  const log = openLog({ level: "warn", format: "text" });
  await run({ config, log: log.logger, isDryRun, say: (line) => process.stdout.write(`${line}\n`) });
  log.close();
}

/** Resolves with the first signal to stop, which may come during the start. From then on a second one ends at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let hasBegun = false;
    const stop = () => {
      if (hasBegun) process.exit(1);
      hasBegun = true;
      leaveInTime();
      resolve();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
  });
}

function leaveInTime(): void {
  setTimeout(() => process.exit(1), CLOSE_LIMIT_MS).unref();
}
