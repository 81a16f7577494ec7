import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
  /** Functions that the page's scripts find on `window`. They are there before the page's first script runs. */
  readonly expose?: Readonly<Record<string, (value: never) => void>>;
}

/** A page in a profile of its own: no cookie or cache is shared with another. */
export interface OpenPage {
  readonly page: Page;
  /** What the page threw and did not catch, and what it wrote to the console as an error. Grows. */
  readonly errors: readonly string[];
}

/** The system's Chromium, headless, with a fresh profile. `await using` closes it and all its pages. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Throws when no Chromium is installed. */
  static async launch(): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: await findChromium(), args: FLAGS }));
  }

  /** Resolves when the page's load event came. */
  async openPage(url: string, options: PageOptions = {}): Promise<OpenPage> {
    const { width = 1280, height = 800, colorScheme = "light", reducedMotion = "no-preference" } = options;
    const context = await this.#browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    for (const [name, receive] of Object.entries(options.expose ?? {})) await page.exposeFunction(name, receive);
    await page.goto(url);
    return { page, errors };
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function findChromium(): Promise<string> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const program of PROGRAMS) {
    for (const folder of folders) {
      const path = join(folder, program);
      if (await isExecutable(path)) return path;
    }
  }
  throw new Error(`no Chromium on the PATH (looked for ${PROGRAMS.join(", ")})`);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
