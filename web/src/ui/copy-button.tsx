import { useEffect, useState } from "preact/hooks";
import { Icon, type IconName } from "./icon.tsx";

interface CopyButtonProps {
  text: string;
  /** What is copied, in words: "stream key". */
  what: string;
  /** Shown beside the icon; without it the button is a square. */
  label?: string;
  icon?: IconName;
}

const CONFIRM_MS = 1800;

/** Copies a text and says so, to eyes and to screen readers. */
export function CopyButton({ text, what, label, icon = "copy" }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<"copied" | "failed">();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => setOutcome(undefined), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => setOutcome((await copyText(text)) ? "copied" : "failed");
  return (
    <button
      type="button"
      class={`button ${label ? "" : "square quiet"}`}
      aria-label={label ? undefined : `Copy ${what}`}
      title={`Copy ${what}`}
      onClick={copy}
    >
      <Icon name={outcome === "copied" ? "check" : icon} />
      {label && <span>{outcome === "copied" ? "Copied" : label}</span>}
      <span class="visually-hidden" role="status">
        {outcome === "copied" && `${what} copied`}
        {outcome === "failed" && `Could not copy the ${what}; select it and copy by hand`}
      </span>
    </button>
  );
}

/** The clipboard API exists on secure origins only; a studio in a home network is often plain HTTP. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  // Inside an open modal everything outside of it is inert and cannot be selected.
  const home = document.querySelector("dialog[open]") ?? document.body;
  const before = document.activeElement;
  home.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
