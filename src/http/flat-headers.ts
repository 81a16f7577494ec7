import type { HttpResponse } from "./http-exchange.ts";

/** Response headers as one flat list of name and value by turns: what `writeHead` takes without copying. */
export type FlatHeaders = readonly string[];

/** Writes the head of a response. Nothing may have been set on it before: node:http then takes the list as it is. */
export function writeHead(res: HttpResponse, status: number, headers: FlatHeaders): void {
  // node:http only reads the list; its type merely lacks `readonly`.
  res.writeHead(status, headers as string[]);
}
