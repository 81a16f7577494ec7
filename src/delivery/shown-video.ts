import { CONTENT_TYPES } from "../http/content-types.ts";
import { renderMpd } from "../packaging/dash/mpd.ts";
import { renderIframePlaylist } from "../packaging/hls/iframe-playlist.ts";
import { renderImagePlaylist } from "../packaging/hls/image-playlist.ts";
import { renderMediaPlaylist } from "../packaging/hls/media-playlist.ts";
import { renderMultivariantPlaylist } from "../packaging/hls/multivariant-playlist.ts";
import type { PlaylistForm } from "../packaging/hls/playlist-form.ts";
import { renderTextPlaylist } from "../packaging/hls/subtitles.ts";
import { StoredPresentation } from "../packaging/stored-presentation.ts";
import type { StoredVideo } from "../packaging/stored-rendition.ts";
import type { StoredTrack } from "../packaging/stored-track.ts";
import type { DeliveryKind } from "./delivery-metrics.ts";
import { TextBody } from "./text-body.ts";

const RENDER = { segments: renderMediaPlaylist, iframes: renderIframePlaylist } as const;

interface Rendered {
  /** Of what it was rendered from. */
  readonly state: string | number;
  readonly body: TextBody;
}

/** A stored video that is being watched: its playlists, each rendered when it is first asked for after a change. */
export class ShownVideo {
  readonly presentation: StoredPresentation;
  readonly #onRender: (kind: DeliveryKind) => void;
  readonly #rendered = new Map<string, Rendered>();
  #video: StoredVideo;

  constructor(video: StoredVideo, onRender: (kind: DeliveryKind) => void) {
    this.#video = video;
    this.#onRender = onRender;
    this.presentation = new StoredPresentation(video);
  }

  get video(): StoredVideo {
    return this.#video;
  }

  update(video: StoredVideo): void {
    this.#video = video;
    this.presentation.update(video);
    for (const name of this.#rendered.keys()) if (!this.#isNamed(name)) this.#rendered.delete(name);
  }

  /** `base`: where its media are, when not beside the playlist. */
  multivariant(base: string | undefined): TextBody {
    return this.#text("multivariant", `hls ${base ?? ""}`, this.#video.revision, CONTENT_TYPES.m3u8, () =>
      renderMultivariantPlaylist(this.presentation, base === undefined ? {} : { base }),
    );
  }

  mpd(base: string | undefined): TextBody {
    const { revision, updatedAtMs } = this.#video;
    return this.#text("mpd", `dash ${base ?? ""}`, revision, CONTENT_TYPES.mpd, () =>
      renderMpd(this.presentation, { timeUrl: "", publishTimeMs: updatedAtMs, base }),
    );
  }

  /** Of a rendition or a text; undefined when there is none. */
  playlist(renditionId: string, form: PlaylistForm): TextBody | undefined {
    const track = this.presentation.track(renditionId);
    if (track) return track.kind === "audio" && form === "iframes" ? undefined : this.#mediaPlaylist(track, form);
    const text = form === "segments" && this.#video.texts.find(({ id }) => id === renditionId);
    if (!text) return undefined;
    return this.#text("playlist", `${form} ${renditionId}`, text.epoch, CONTENT_TYPES.m3u8, () =>
      renderTextPlaylist(text, this.#video.durationMs),
    );
  }

  images(): TextBody | undefined {
    const { storyboard, revision, durationMs } = this.#video;
    if (!storyboard) return undefined;
    return this.#text("playlist", "images", revision, CONTENT_TYPES.m3u8, () =>
      renderImagePlaylist(storyboard, durationMs),
    );
  }

  #mediaPlaylist(track: StoredTrack, form: PlaylistForm): TextBody | undefined {
    if (track.segments.length === 0) return undefined;
    const { epoch, isComplete } = track.stored;
    const state = `${epoch} ${track.segments.length} ${isComplete}`;
    return this.#text("playlist", `${form} ${track.id}`, state, CONTENT_TYPES.m3u8, () =>
      RENDER[form](this.presentation, track),
    );
  }

  #text(kind: DeliveryKind, name: string, state: string | number, contentType: string, render: () => string): TextBody {
    const known = this.#rendered.get(name);
    if (known?.state === state) return known.body;
    this.#onRender(kind);
    const text = render();
    // Many revisions change nothing here: the compressed forms and their tags stay.
    const body = known?.body.text === text ? known.body : new TextBody(text, contentType);
    this.#rendered.set(name, { state, body });
    return body;
  }

  /** Whether what was rendered under this name can be asked for again. */
  #isNamed(name: string): boolean {
    const renditionId = /^(?:segments|iframes) (.*)$/.exec(name)?.[1];
    if (renditionId === undefined) return true;
    return this.presentation.track(renditionId) !== undefined || this.#video.texts.some(({ id }) => id === renditionId);
  }
}
