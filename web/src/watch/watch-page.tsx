import { useEffect, useRef, useState } from "preact/hooks";
import { Brand } from "../ui/brand.tsx";
import { Icon } from "../ui/icon.tsx";
import { StateBadge } from "../ui/state-badge.tsx";
import { exposeHandle } from "./automation.ts";
import "./media-elements.ts";
import { useMediaQuery } from "./media-query.ts";
import { PhaseNotice } from "./phase-notice.tsx";
import { SettingsMenu } from "./settings-menu.tsx";
import { StatsPanel } from "./stats-panel.tsx";
import { type WatchAddress, withFormat } from "./watch-address.ts";
import { WatchSession, type WatchView } from "./watch-session.ts";
import type { Watchable } from "./watchable.ts";

const BADGES: Readonly<Record<string, string>> = {
  live: "live",
  pending: "pending",
  reconnecting: "reconnecting",
  ended: "ended",
  preparing: "preparing",
  errored: "error",
  failed: "error",
};

/** The player with its page around it, or alone when it is embedded. */
export function WatchPage({ address }: { address: WatchAddress }) {
  const video = useRef<HTMLVideoElement>(null);
  const { session, view } = useSession(address, video);
  const [isStatsOpen, setStatsOpen] = useState(false);
  const name = view?.shown?.name;
  useEffect(() => {
    if (name) document.title = `${name} · Headwater`;
  }, [name]);
  const isNarrow = useMediaQuery("(max-width: 560px)");
  const areStatsBelow = isNarrow && !address.isEmbedded;
  const stats = session && isStatsOpen && <StatsPanel session={session} onClose={() => setStatsOpen(false)} />;
  const stage = (
    <div id="stage" class={`stage ${view?.phase ?? "loading"}`}>
      <media-controller
        fullscreenelement="stage"
        autohide="3"
        defaultstreamtype={view?.shown?.kind === "video" ? "on-demand" : "live"}
        noautoseektolive
        aria-label={name ? `Player: ${name}` : "Player"}
      >
        <Media element={video} shown={view?.shown} />
        <media-loading-indicator slot="centered-chrome" loadingdelay="600" />
        {!areStatsBelow && stats}
        {session && view && <Controls {...{ session, view, address, isStatsOpen, setStatsOpen }} />}
        {view?.phase === "stored" && view.media === "blocked" && (
          <media-play-button slot="centered-chrome" class="big-play" notooltip />
        )}
      </media-controller>
      {session && view && view.phase === "live" && (areStatsBelow || !isStatsOpen) && (
        <UnmuteHint video={video.current} isPlaying={view.media === "playing"} />
      )}
      <PhaseNotice view={view} onRetry={() => session?.retry()} />
    </div>
  );
  if (address.isEmbedded) return <main class="embedded">{stage}</main>;
  return (
    <div class="page">
      <header>
        <Brand />
      </header>
      <main>
        {stage}
        {areStatsBelow && stats}
        <div class="caption">
          <h1>{name ?? (view?.phase === "missing" ? "Not found" : " ")}</h1>
          {view && BADGES[view.phase] && <StateBadge state={BADGES[view.phase] ?? ""} />}
        </div>
      </main>
    </div>
  );
}

function useSession(address: WatchAddress, video: { current: HTMLVideoElement | null }) {
  const [session, setSession] = useState<WatchSession>();
  const [view, setView] = useState<WatchView>();
  useEffect(() => {
    if (!video.current) return;
    const opened = new WatchSession({ ...address, video: video.current, onChange: setView });
    exposeHandle(opened);
    opened.start();
    setSession(opened);
    return () => opened.close();
  }, [address, video]);
  return { session, view };
}

interface MediaProps {
  element: { current: HTMLVideoElement | null };
  shown: Watchable | undefined;
}

/** A live stream begins by itself, muted as browsers demand; a video waits for its viewer, who then hears it. */
function Media({ element, shown }: MediaProps) {
  const isVideo = shown?.kind === "video";
  return (
    <video
      ref={element}
      slot="media"
      muted={!isVideo}
      playsInline
      autoplay={!isVideo}
      crossOrigin="anonymous"
      {...(shown?.posterUrl && { poster: shown.posterUrl })}
    >
      {shown?.storyboardUrl && <track kind="metadata" label="thumbnails" src={shown.storyboardUrl} default />}
    </video>
  );
}

interface ControlsProps {
  session: WatchSession;
  view: WatchView;
  address: WatchAddress;
  isStatsOpen: boolean;
  setStatsOpen: (isOpen: boolean) => void;
}

function Controls({ session, view, address, isStatsOpen, setStatsOpen }: ControlsProps) {
  const switchFormat = (format: "hls" | "dash") => {
    history.replaceState(null, "", withFormat(location.href, format));
    session.switchFormat(format);
  };
  return (
    <media-control-bar>
      <media-play-button notooltip />
      <media-mute-button notooltip />
      <media-volume-range notooltip />
      {view.shown?.kind === "video" ? (
        <>
          <media-time-display showduration notoggle />
          <media-time-range>
            <media-preview-thumbnail slot="preview" />
            <media-preview-time-display slot="preview" />
          </media-time-range>
        </>
      ) : (
        <>
          <LiveEdge session={session} view={view} />
          <span class="spacer">{address.isEmbedded && <span class="name">{view.shown?.name}</span>}</span>
        </>
      )}
      <button
        type="button"
        class="control"
        aria-label="Statistics"
        title="Statistics"
        aria-pressed={isStatsOpen}
        onClick={() => setStatsOpen(!isStatsOpen)}
      >
        <Icon name="chart" />
      </button>
      <media-captions-button notooltip />
      <SettingsMenu
        view={view}
        onQuality={(id) => session.choose(id)}
        onAudio={(id) => session.chooseAudio(id)}
        onFormat={switchFormat}
      />
      <media-pip-button notooltip />
      <media-fullscreen-button notooltip />
    </media-control-bar>
  );
}

function LiveEdge({ session, view }: Pick<ControlsProps, "session" | "view">) {
  return (
    <button
      type="button"
      class={`control live-edge ${view.isBehindLive || view.media === "paused" ? "behind" : ""}`}
      onClick={() => session.seekToLive()}
      title="Jump to the live edge"
    >
      Live<span class="visually-hidden">: jump to the newest moment</span>
    </button>
  );
}

/** Browsers start a page's video only when it is muted; one press gives the sound. */
function UnmuteHint({ video, isPlaying }: { video: HTMLVideoElement | null; isPlaying: boolean }) {
  const [isMuted, setMuted] = useState(video?.muted ?? true);
  useEffect(() => {
    if (!video) return;
    const read = () => setMuted(video.muted || video.volume === 0);
    read();
    video.addEventListener("volumechange", read);
    return () => video.removeEventListener("volumechange", read);
  }, [video]);
  if (!video || !isMuted || !isPlaying) return null;
  const unmute = () => {
    video.muted = false;
    if (video.volume === 0) video.volume = 1;
  };
  return (
    <button type="button" class="unmute" onClick={unmute}>
      <Icon name="muted" /> Tap for sound
    </button>
  );
}
