import type { Clock } from "../core/clock.ts";
import { CONTENT_TYPES } from "../http/content-types.ts";
import { renderMpd } from "../packaging/dash/mpd.ts";
import { renderIframePlaylist } from "../packaging/hls/iframe-playlist.ts";
import { renderMediaPlaylist } from "../packaging/hls/media-playlist.ts";
import { renderMultivariantPlaylist } from "../packaging/hls/multivariant-playlist.ts";
import type { PlaylistForm } from "../packaging/hls/playlist-form.ts";
import type { LivePresentation, Rendition } from "../packaging/presentation.ts";
import type { DeliveryMetrics } from "./delivery-metrics.ts";
import { TextBody } from "./text-body.ts";

/** Time addresses, one for each name under which the server is asked, that an MPD is kept for. */
const MAX_MPD_COUNT = 8;
const RENDER = { segments: renderMediaPlaylist, iframes: renderIframePlaylist } as const;

/** What was rendered of one form of playlist: by rendition, in full and as a delta. */
class FormCache {
  readonly full = new Map<Rendition, TextBody>();
  readonly delta = new Map<Rendition, TextBody>();
}

export interface PlaylistCacheOptions {
  readonly presentation: LivePresentation;
  readonly clock: Clock;
  readonly metrics: DeliveryMetrics;
}

/**
 * The playlists and MPDs of one presentation as they stand: each is rendered when it is first asked for after a change,
 * never twice for one change, and all requests share what was rendered.
 */
export class PlaylistCache {
  readonly #presentation: LivePresentation;
  readonly #clock: Clock;
  readonly #metrics: DeliveryMetrics;
  readonly #media: Readonly<Record<PlaylistForm, FormCache>> = { segments: new FormCache(), iframes: new FormCache() };
  /** By time address. */
  readonly #mpds = new Map<string, TextBody>();
  /** The MPD without what varies though nothing has changed. */
  #mpdContent = "";
  #mpdPublishTimeMs = 0;
  #isMpdCurrent = false;
  #multivariant: TextBody | undefined;
  #isMultivariantCurrent = false;

  constructor({ presentation, clock, metrics }: PlaylistCacheOptions) {
    this.#presentation = presentation;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** This rendition has advanced: its playlists are others, and so are bit rates and timelines. */
  forget(rendition: Rendition): void {
    for (const { full, delta } of Object.values(this.#media)) {
      full.delete(rendition);
      delta.delete(rendition);
    }
    this.#forgetShared();
  }

  forgetAll(): void {
    for (const { full, delta } of Object.values(this.#media)) {
      full.clear();
      delta.clear();
    }
    this.#forgetShared();
  }

  media(rendition: Rendition, form: PlaylistForm, skip: boolean): TextBody {
    const cached = this.#media[form][skip ? "delta" : "full"];
    let body = cached.get(rendition);
    if (!body) {
      this.#metrics.rendered("playlist");
      body = new TextBody(RENDER[form](this.#presentation, rendition, { skip }), CONTENT_TYPES.m3u8);
      cached.set(rendition, body);
    }
    return body;
  }

  multivariant(): TextBody {
    if (this.#multivariant && this.#isMultivariantCurrent) return this.#multivariant;
    this.#metrics.rendered("multivariant");
    const text = renderMultivariantPlaylist(this.#presentation);
    // Most advances change nothing here: the compressed forms and their tags stay.
    if (this.#multivariant?.text !== text) this.#multivariant = new TextBody(text, CONTENT_TYPES.m3u8);
    this.#isMultivariantCurrent = true;
    return this.#multivariant;
  }

  /** The MPD that tells its readers to take the time from `timeUrl`. Its publishTime moves only when it says more. */
  mpd(timeUrl: string): TextBody {
    if (!this.#isMpdCurrent) this.#reviewMpd();
    let body = this.#mpds.get(timeUrl);
    if (!body) {
      this.#metrics.rendered("mpd");
      if (this.#mpds.size >= MAX_MPD_COUNT) this.#mpds.clear();
      const options = { timeUrl, publishTimeMs: this.#mpdPublishTimeMs };
      body = new TextBody(renderMpd(this.#presentation, options), CONTENT_TYPES.mpd);
      this.#mpds.set(timeUrl, body);
    }
    return body;
  }

  #reviewMpd(): void {
    this.#isMpdCurrent = true;
    const content = renderMpd(this.#presentation, { timeUrl: "", publishTimeMs: 0 });
    if (content === this.#mpdContent) return;
    this.#mpdContent = content;
    this.#mpdPublishTimeMs = Math.floor(this.#clock.nowMs());
    this.#mpds.clear();
  }

  #forgetShared(): void {
    this.#isMultivariantCurrent = false;
    this.#isMpdCurrent = false;
  }
}
