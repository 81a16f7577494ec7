type Write = (fields: Record<string, unknown>, message: string) => void;

/** Structured logging: the message is a constant, what varies is in the fields. pino satisfies it as it is. */
export interface Logger {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
  child(fields: Record<string, unknown>): Logger;
}

/** Takes everything, writes nothing; for tests and tools. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
