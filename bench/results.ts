import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Aim, Scenario, ScenarioResult, Table } from "./scenario.ts";

const RESULTS = join(import.meta.dirname, "RESULTS.md");
const PREAMBLE = `# Results

Written by \`npm run bench\`: each run replaces the section of its scenario. Figures of different sections need not come
from the same day; those of one section come from one run, peers included.
`;

export interface FinishedScenario {
  readonly scenario: Scenario;
  readonly result: ScenarioResult;
  readonly command: string;
  readonly machine: string;
  readonly date: Date;
}

/** The result as text that can be read on a terminal and in a Markdown file. */
export function printResult({ scenario, result, command, machine, date }: FinishedScenario): string {
  const parts = [
    `## ${scenario.name}: ${scenario.title}`,
    `${date.toISOString().slice(0, 10)}, \`${command}\`\n${machine}`,
    ...result.aims.map(printAim),
    ...result.tables.map(printTable),
    ...(result.notes.length > 0 ? [result.notes.map((note) => `- ${note}`).join("\n")] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** Puts the result in the place of the scenario's section of bench/RESULTS.md. */
export async function saveResult(finished: FinishedScenario): Promise<void> {
  const text = await readFile(RESULTS, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return PREAMBLE;
    throw error;
  });
  await writeFile(RESULTS, replaceSection(text, finished.scenario.name, printResult(finished)));
}

function replaceSection(text: string, name: string, section: string): string {
  const [preamble = PREAMBLE, ...sections] = text.split(/^(?=## )/m);
  const at = sections.findIndex((other) => other.startsWith(`## ${name}:`));
  if (at < 0) sections.push(section);
  else sections[at] = section;
  return [preamble, ...sections]
    .map((part) => part.trimEnd())
    .join("\n\n")
    .concat("\n");
}

function printAim({ aim, measured, isMet }: Aim): string {
  return `**Aim: ${aim}. ${isMet ? "Met" : "Missed"}: ${measured}.**`;
}

function printTable({ caption, head, rows }: Table): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => pad(cells[at] ?? "", width, at)).join(" | ")} |`;
  const rule = `|${widths.map((width, at) => (at === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [...(caption ? [`${caption}\n`] : []), line(head), rule, ...rows.map(line)].join("\n");
}

/** Names stand left, figures right. */
function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
