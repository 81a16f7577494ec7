/** The parts of two untyped parsers that the tests read. */
declare module "m3u8-parser" {
  export class Parser {
    push(text: string): void;
    end(): void;
    readonly manifest: {
      readonly mediaSequence: number;
      readonly targetDuration: number;
      readonly discontinuitySequence: number;
      readonly segments: readonly { readonly uri: string; readonly duration: number; readonly timeline: number }[];
    };
  }
}

declare module "mpd-parser" {
  export interface ParsedPlaylist {
    readonly segments: readonly {
      readonly uri: string;
      readonly duration: number;
      readonly map: { readonly uri: string };
    }[];
  }
  export interface ParsedMpd {
    readonly playlists: readonly ParsedPlaylist[];
    readonly mediaGroups: {
      readonly AUDIO: Readonly<
        Record<string, Readonly<Record<string, { readonly playlists: readonly ParsedPlaylist[] }>>>
      >;
    };
  }
  export function parse(
    text: string,
    options: { manifestUri: string; eventHandler?: (event: unknown) => void },
  ): ParsedMpd;
}
