import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { constants } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { connectS3, type S3ConnectionOptions } from "../../src/storage/s3/s3-connection.ts";

/** A server that runs, and how to speak to it. */
export interface S3Server extends S3ConnectionOptions {
  readonly endpoint: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A server that can end as by a crash, and come back with what it had. */
export interface CrashableS3Server extends S3Server {
  crash(): Promise<void>;
  launch(): Promise<void>;
}

const S3RVER = `
  const S3rver = require("@20minutes/s3rver");
  // It normalises paths other than S3 and MinIO do before it compares signatures; it still wants to know the key's name.
  const options = { address: "127.0.0.1", silent: true, allowMismatchedSignatures: true };
  new S3rver({ ...options, directory: process.argv[1], port: Number(process.argv[2]) }).run().then(({ port }) => console.log("port " + port + "."));
`;

/** The server from npm: it is always there, and knows no conditions. */
export async function startS3rver(): Promise<CrashableS3Server> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-s3rver-"));
  let { child, port } = await runS3rver(directory, 0);
  const account = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
  return {
    ...serverAt(port, account, () => stop(child, directory)),
    crash: () => end(child),
    async launch() {
      ({ child, port } = await runS3rver(directory, port));
    },
  };
}

async function runS3rver(directory: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  // It makes the tokens of its lists by DES, which today's OpenSSL has only when asked.
  const child = spawn(process.execPath, ["--openssl-legacy-provider", "-e", S3RVER, directory, `${port}`], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [, taken] = await started(child, directory, /port (\d+)\./);
  return { child, port: Number(taken) };
}

/** Where a MinIO is that can be started; undefined when this machine has none. */
export async function findMinio(): Promise<string | undefined> {
  const places = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), "go", "bin")];
  for (const place of places) {
    const path = join(place, "minio");
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

/** What a test says that is left out without MinIO. */
export const NO_MINIO = "this machine has no MinIO (go install github.com/minio/minio@latest)";

export async function startMinio(program: string): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-minio-"));
  const port = await freePort();
  const account = { accessKeyId: "headwater", secretAccessKey: "a-secret-of-the-tests" };
  const child = spawn(program, ["server", directory, "--address", `127.0.0.1:${port}`], {
    env: { MINIO_ROOT_USER: account.accessKeyId, MINIO_ROOT_PASSWORD: account.secretAccessKey, HOME: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  await started(child, directory, /API: /);
  return serverAt(port, account, () => stop(child, directory));
}

/** A new, empty bucket. */
export async function makeBucket(server: S3Server): Promise<string> {
  const client = connectS3(server);
  const bucket = `headwater-${randomUUID()}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  return bucket;
}

function serverAt(
  port: number,
  credentials: { accessKeyId: string; secretAccessKey: string },
  close: () => Promise<void>,
): S3Server {
  return { endpoint: `http://127.0.0.1:${port}`, port, region: "us-east-1", isPathStyle: true, credentials, close };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves when it says so; ends it when it does not. */
async function started(child: ChildProcess, directory: string, words: RegExp): Promise<RegExpMatchArray> {
  try {
    return await untilItSays(child, words);
  } catch (error) {
    await stop(child, directory);
    throw error;
  }
}

function untilItSays({ stdout, stderr }: ChildProcess, words: RegExp): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    let said = "";
    for (const stream of [stdout, stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-10_000);
        const match = said.match(words);
        if (match) resolve(match);
      });
    }
    stdout?.on("close", () => reject(new Error(`it ended before it said ${words}:\n${said}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  await end(child);
  await rm(directory, { recursive: true, force: true });
}
