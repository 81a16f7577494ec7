import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { parse as parseToml } from "smol-toml";
import { DomainError } from "../core/errors.ts";
import { type Config, NAMED_SETTINGS, type NamedSetting } from "./settings.ts";

/** Where a configuration comes from. */
export interface ConfigSources {
  /** Arguments behind the script's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `headwater.toml` and `.env` are looked for, and what a relative data directory starts from. */
  readonly directory: string;
}

interface Written {
  readonly raw: unknown;
  /** What a person would open to change it. */
  readonly origin: string;
}

/** Values by the path of their setting, as one source has them. */
type Layer = ReadonlyMap<string, Written>;

const FILE_NAME = "headwater.toml";
const FILE_FLAG = "--config";

/**
 * Reads all layers: defaults, headwater.toml (another one by `--config`), .env, variables, flags; the later wins.
 * Throws INVALID_CONFIG with one line that says which setting, which value, what is valid and where it was written.
 */
export async function loadConfig({ argv, env, directory }: ConfigSources): Promise<Config> {
  const flags = readFlags(argv);
  const file = flags.get(FILE_FLAG);
  const layers = [
    await readTomlFile(directory, file === undefined ? undefined : String(file.raw)),
    await readEnvFile(directory),
    readVariables(env, undefined),
    flags,
  ];
  const written = new Map(layers.flatMap((layer) => [...layer]));
  const config = assemble((named) => effectiveValue(named, written.get(named.path)));
  checkTogether(config);
  return deepFreeze({ ...config, server: { ...config.server, dataDir: resolve(directory, config.server.dataDir) } });
}

/** The configuration as it may be logged: by path, secrets hidden. */
export function describeConfig(config: Config): Record<string, unknown> {
  const groups: Record<string, Record<string, unknown>> = config;
  return Object.fromEntries(
    NAMED_SETTINGS.map(({ setting, group, key, path }) => {
      const value = groups[group]?.[key];
      return [path, setting.isSecret && value !== undefined ? "(hidden)" : value];
    }),
  );
}

function assemble(valueFor: (named: NamedSetting) => unknown): Config {
  const groups: Record<string, Record<string, unknown>> = {};
  for (const named of NAMED_SETTINGS) {
    const group = groups[named.group] ?? {};
    group[named.key] = valueFor(named);
    groups[named.group] = group;
  }
  // The table that made the names also made the type; each value passed its own schema.
  return groups as unknown as Config;
}

function effectiveValue({ setting, path }: NamedSetting, written: Written | undefined): unknown {
  if (!written) return setting.fallback;
  const parsed = setting.schema.safeParse(written.raw);
  if (parsed.success) return parsed.data;
  const shown = setting.isSecret ? "(hidden)" : JSON.stringify(written.raw);
  throw invalid(`${path} = ${shown} from ${written.origin}: must be ${setting.range}`);
}

function checkTogether({ packaging }: Config): void {
  if (packaging.partDurationMs > packaging.segmentDurationMs) {
    const { partDurationMs, segmentDurationMs } = packaging;
    throw invalid(
      `packaging.part_duration = ${partDurationMs}ms: must not be above packaging.segment_duration (${segmentDurationMs}ms)`,
    );
  }
}

async function readTomlFile(directory: string, chosen: string | undefined): Promise<Layer> {
  const name = chosen ?? FILE_NAME;
  const text = await readText(resolve(directory, name), chosen !== undefined);
  return text === undefined ? new Map() : readToml(text, name);
}

function readToml(text: string, file: string): Layer {
  const layer = new Map<string, Written>();
  for (const [group, table] of Object.entries(parseTomlText(text, file))) {
    if (!NAMED_SETTINGS.some((named) => named.group === group)) throw unknownSetting(group, file);
    if (!isTable(table)) throw invalid(`${group} in ${file}: must be a table, written as [${group}]`);
    for (const [key, raw] of Object.entries(table)) {
      const path = `${group}.${key}`;
      if (!NAMED_SETTINGS.some((named) => named.path === path)) throw unknownSetting(path, file);
      layer.set(path, { raw, origin: file });
    }
  }
  return layer;
}

function parseTomlText(text: string, file: string): Record<string, unknown> {
  try {
    return parseToml(text);
  } catch (problem) {
    const [sentence] = String(problem instanceof Error ? problem.message : problem).split("\n");
    throw invalid(`${file}: ${sentence}`, problem);
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readEnvFile(directory: string): Promise<Layer> {
  const text = await readText(join(directory, ".env"), false);
  return text === undefined ? new Map() : readVariables(parseEnv(text), ".env");
}

// Kubernetes sets HEADWATER_SERVICE_HOST, HEADWATER_PORT_8080_TCP and so on in every pod beside a service "headwater".
const SET_BY_KUBERNETES = /^HEADWATER_(SERVICE_(HOST|PORT)|PORT$|PORT_\d+_(TCP|UDP))/;

function readVariables(variables: Readonly<Record<string, string | undefined>>, file: string | undefined): Layer {
  const layer = new Map<string, Written>();
  for (const [variable, raw] of Object.entries(variables)) {
    // A variable set to nothing is how Compose files pass on what is not set.
    if (!variable.startsWith("HEADWATER_") || SET_BY_KUBERNETES.test(variable) || !raw) continue;
    const named = NAMED_SETTINGS.find((each) => each.variable === variable);
    if (!named) throw unknownSetting(variable, file ?? "the environment");
    layer.set(named.path, { raw, origin: file === undefined ? variable : `${variable} in ${file}` });
  }
  return layer;
}

/** `--name value`, `--name=value`, and `--name` alone for a switch. */
function readFlags(argv: readonly string[]): Layer {
  const layer = new Map<string, Written>();
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [flag = "", ...inline] = argument.split("=");
    const named = NAMED_SETTINGS.find((each) => each.flag === flag);
    if (!named && flag !== FILE_FLAG) throw unknownSetting(flag, "the command line");
    const isAlone = inline.length === 0 && (rest[0]?.startsWith("--") ?? true);
    if (isAlone && !named?.setting.isSwitch) throw invalid(`${flag}: needs a value`);
    const raw = isAlone ? "true" : inline.length > 0 ? inline.join("=") : rest.shift();
    layer.set(named?.path ?? FILE_FLAG, { raw, origin: flag });
  }
  return layer;
}

async function readText(path: string, isRequired: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (problem) {
    const code = problem instanceof Error && "code" in problem ? problem.code : undefined;
    if (code === "ENOENT" && !isRequired) return undefined;
    throw invalid(`${path}: cannot be read (${String(code)})`, problem);
  }
}

function unknownSetting(path: string, origin: string): DomainError {
  return invalid(`${path} in ${origin}: there is no such setting; docs/config.md lists them`);
}

function invalid(message: string, cause?: unknown): DomainError {
  return new DomainError("INVALID_CONFIG", message, { cause });
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
