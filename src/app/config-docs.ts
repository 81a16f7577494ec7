import { NAMED_SETTINGS, type NamedSetting } from "./settings.ts";

const HEAD = `# Configuration

Generated from \`src/app/settings.ts\`; \`npx node src/app/config-docs.ts > docs/config.md\` writes it anew.

A setting can be written in four places; the later wins:

1. \`headwater.toml\` in the directory that Headwater starts in, or the file that \`--config\` names
2. \`.env\` in the same directory
3. variables of the environment
4. flags: \`npm start -- --http-port 9000\`

Durations, sizes and bit rates are written with their unit: \`500ms\`, \`2s\`, \`5min\`; \`64KiB\`, \`10MB\`; \`3500kbps\`, \`20Mbps\`.
An unknown name or a value out of range stops the start with one line that names it. An empty variable counts as not set.

\`\`\`toml
[http]
port = 9000

[packaging]
part_duration = "200ms"

[[transcode.ladder]]
name = "high"
width = 1920
height = 1080
video_bitrate = "3500kbps"
audio_bitrate = "128kbps"
profile = "high"
level = "4.1"
\`\`\`
`;

const HELP_COLUMN = Math.max(...NAMED_SETTINGS.map((named) => named.flag.length)) + 2;

/** The text of docs/config.md. */
export function renderConfigDocs(): string {
  const groups = Map.groupBy(NAMED_SETTINGS, (named) => named.group);
  return [HEAD, ...[...groups].map(([group, settings]) => renderGroup(group, settings))].join("\n");
}

/** What `--help` prints: every flag with its default. */
export function renderHelp(): string {
  const lines = NAMED_SETTINGS.map((named) => `  ${named.flag.padEnd(HELP_COLUMN)}${defaultOf(named) || "(unset)"}`);
  return [
    "Usage: npm start -- [--config file] [--setting value]...",
    "",
    ...lines,
    "",
    "docs/config.md says what each does.",
  ]
    .join("\n")
    .concat("\n");
}

function renderGroup(group: string, settings: readonly NamedSetting[]): string {
  return `## ${group}\n\n${settings.map(renderSetting).join("\n")}`;
}

function renderSetting(named: NamedSetting): string {
  const { setting, path, variable, flag } = named;
  const written = defaultOf(named);
  return [
    `### ${path}`,
    "",
    setting.doc,
    "",
    `- default: ${written === "" ? "unset" : `\`${written}\``}`,
    `- valid: ${setting.range}`,
    `- \`${variable}\`, \`${flag}\``,
    "",
  ].join("\n");
}

function defaultOf({ setting }: NamedSetting): string {
  return setting.fallback === undefined ? "" : setting.write(setting.fallback);
}

if (import.meta.main) process.stdout.write(renderConfigDocs());
