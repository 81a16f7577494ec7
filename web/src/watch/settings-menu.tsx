import { useEffect, useId, useRef, useState } from "preact/hooks";
import { bitrateText } from "../text/figures.ts";
import { Icon } from "../ui/icon.tsx";
import type { WatchView } from "./watch-session.ts";

interface SettingsMenuProps {
  view: WatchView;
  onQuality: (id: string) => void;
  onAudio: (id: string) => void;
  onFormat: (format: "hls" | "dash") => void;
}

/** Quality, audio and format. Plain radio buttons, so that arrows, screen readers and switches work as everywhere. */
export function SettingsMenu({ view, onQuality, onAudio, onFormat }: SettingsMenuProps) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!isOpen) return;
    root.current?.querySelector<HTMLInputElement>("input:checked")?.focus();
    const onPointer = (event: PointerEvent) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointer);
    return () => document.removeEventListener("pointerdown", onPointer);
  }, [isOpen]);
  const onKeyDown = (event: KeyboardEvent) => {
    // The player's own keys (arrows seek, space pauses) are not meant here.
    if (isOpen) event.stopPropagation();
    if (!isOpen || event.key !== "Escape") return;
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  };
  const playing = view.qualities.find((quality) => quality.id === view.current);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only keeps the keys of its controls to itself
    <div class="settings" ref={root} onKeyDown={onKeyDown} onKeyUp={(event) => isOpen && event.stopPropagation()}>
      <button
        type="button"
        class="control"
        aria-label="Quality and format"
        title="Quality and format"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name="sliders" />
        {playing && <span class="playing">{playing.label}</span>}
      </button>
      {isOpen && (
        <div class="menu" id={id}>
          <fieldset>
            <legend>Quality</legend>
            <Choice
              group={`${id}-quality`}
              isChosen={view.choice === "auto"}
              onChoose={() => onQuality("auto")}
              label="Auto"
              note={view.choice === "auto" ? playing?.label : undefined}
            />
            {view.qualities.map((quality) => (
              <Choice
                key={quality.id}
                group={`${id}-quality`}
                isChosen={view.choice === quality.id}
                onChoose={() => onQuality(quality.id)}
                label={quality.label}
                note={bitrateText(quality.bitrateBps)}
              />
            ))}
          </fieldset>
          {view.audioTracks.length > 1 && (
            <fieldset>
              <legend>Audio</legend>
              {view.audioTracks.map((track) => (
                <Choice
                  key={track.id}
                  group={`${id}-audio`}
                  isChosen={track.isChosen}
                  onChoose={() => onAudio(track.id)}
                  label={track.label}
                  note={undefined}
                />
              ))}
            </fieldset>
          )}
          {view.shown?.hlsUrl && view.shown.dashUrl && view.format !== "native" && (
            <fieldset>
              <legend>Format</legend>
              {(["hls", "dash"] as const).map((format) => (
                <Choice
                  key={format}
                  group={`${id}-format`}
                  isChosen={view.format === format}
                  onChoose={() => onFormat(format)}
                  label={format.toUpperCase()}
                  note={undefined}
                />
              ))}
            </fieldset>
          )}
        </div>
      )}
    </div>
  );
}

interface ChoiceProps {
  group: string;
  isChosen: boolean;
  onChoose: () => void;
  label: string;
  note: string | undefined;
}

function Choice({ group, isChosen, onChoose, label, note }: ChoiceProps) {
  return (
    <label class="choice">
      <input type="radio" name={group} checked={isChosen} onChange={onChoose} />
      <span>{label}</span>
      {note && <small>{note}</small>}
    </label>
  );
}
