import type { VideoId } from "../core/ids.ts";
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

/** Playlists and MPDs that servers of one site share; whoever has such a place implements it. */
export interface SharedManifests {
  /** Undefined for what is not there or cannot be had now; never rejects. */
  get(key: string): Promise<string | undefined>;
  put(key: string, text: string): void;
}

const RENDER = { segments: renderMediaPlaylist, iframes: renderIframePlaylist } as const;

interface Rendered {
  /** Of what it was rendered from. */
  readonly state: string | number;
  readonly body: TextBody;
}

export interface ShownVideoOptions {
  readonly videoId: VideoId;
  readonly onRender: (kind: DeliveryKind) => void;
  readonly manifests?: SharedManifests | undefined;
}

/** A text, at once when it is here. */
type Text = TextBody | Promise<TextBody>;

/** What is rendered under one name. */
interface Subject {
  readonly kind: DeliveryKind;
  readonly name: string;
  readonly state: string | number;
  readonly contentType: string;
  readonly render: () => string;
}

/**
 * A stored video that is being watched: its playlists, each rendered when it is first asked for after a change. Those of a
 * video that is final are shared with other servers.
 */
export class ShownVideo {
  readonly presentation: StoredPresentation;
  readonly #options: ShownVideoOptions;
  readonly #rendered = new Map<string, Rendered>();
  readonly #asked = new Map<string, Promise<TextBody>>();
  #video: StoredVideo;

  constructor(video: StoredVideo, options: ShownVideoOptions) {
    this.#video = video;
    this.#options = options;
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
  multivariant(base: string | undefined): Text {
    return this.#text({
      ...{ kind: "multivariant", name: `hls ${base ?? ""}`, contentType: CONTENT_TYPES.m3u8 },
      state: this.#video.revision,
      render: () => renderMultivariantPlaylist(this.presentation, base === undefined ? {} : { base }),
    });
  }

  mpd(base: string | undefined): Text {
    const { revision, updatedAtMs } = this.#video;
    return this.#text({
      ...{ kind: "mpd", name: `dash ${base ?? ""}`, contentType: CONTENT_TYPES.mpd },
      state: revision,
      render: () => renderMpd(this.presentation, { timeUrl: "", publishTimeMs: updatedAtMs, base }),
    });
  }

  /** Of a rendition or a text; undefined when there is none. */
  playlist(renditionId: string, form: PlaylistForm): Text | undefined {
    const track = this.presentation.track(renditionId);
    if (track) return track.kind === "audio" && form === "iframes" ? undefined : this.#mediaPlaylist(track, form);
    const text = form === "segments" && this.#video.texts.find(({ id }) => id === renditionId);
    if (!text) return undefined;
    const { durationMs } = this.presentation.stored;
    return this.#text({
      ...{ kind: "playlist", name: `${form} ${renditionId}`, contentType: CONTENT_TYPES.m3u8 },
      state: `${text.epoch} ${durationMs}`,
      render: () => renderTextPlaylist(text, durationMs),
    });
  }

  images(): Text | undefined {
    const { storyboard, revision } = this.#video;
    if (!storyboard) return undefined;
    return this.#text({
      ...{ kind: "playlist", name: "images", contentType: CONTENT_TYPES.m3u8 },
      state: revision,
      render: () => renderImagePlaylist(storyboard, this.presentation.stored.durationMs),
    });
  }

  #mediaPlaylist(track: StoredTrack, form: PlaylistForm): Text | undefined {
    if (track.segments.length === 0) return undefined;
    const { epoch, isComplete } = track.stored;
    return this.#text({
      ...{ kind: "playlist", name: `${form} ${track.id}`, contentType: CONTENT_TYPES.m3u8 },
      state: `${epoch} ${track.segments.length} ${isComplete} ${this.presentation.targetDurationS}`,
      render: () => RENDER[form](this.presentation, track),
    });
  }

  #text(subject: Subject): Text {
    const { name, state } = subject;
    const known = this.#rendered.get(name);
    if (known?.state === state) return known.body;
    const { manifests } = this.#options;
    return manifests && this.#video.isFinal ? this.#share(subject, manifests) : this.#render(subject);
  }

  /** All who ask for one text wait for one answer. */
  #share(subject: Subject, manifests: SharedManifests): Promise<TextBody> {
    const { videoId } = this.#options;
    const key = `${videoId}:${this.#video.revision}:${subject.name}`;
    const asked = this.#asked.get(key);
    if (asked) return asked;
    const answer = this.#findOrRender(subject, key, manifests).finally(() => this.#asked.delete(key));
    this.#asked.set(key, answer);
    return answer;
  }

  async #findOrRender(subject: Subject, key: string, manifests: SharedManifests): Promise<TextBody> {
    const { revision } = this.#video;
    const found = await manifests.get(key);
    // What has changed meanwhile is rendered as it is now, and is nobody else's.
    if (this.#video.revision !== revision) return new TextBody(subject.render(), subject.contentType);
    if (found !== undefined) return this.#keep(subject, found);
    const body = this.#render(subject);
    manifests.put(key, body.text);
    return body;
  }

  #render(subject: Subject): TextBody {
    this.#options.onRender(subject.kind);
    return this.#keep(subject, subject.render());
  }

  #keep({ name, state, contentType }: Subject, text: string): TextBody {
    const known = this.#rendered.get(name);
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
