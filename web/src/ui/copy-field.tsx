import { CopyButton } from "./copy-button.tsx";

interface CopyFieldProps {
  label: string;
  value: string;
  /** Long texts wrap instead of scrolling out of sight. */
  wraps?: boolean;
  hint?: string;
}

/** A text to be carried elsewhere: label, the text, a button that copies it. */
export function CopyField({ label, value, wraps = false, hint }: CopyFieldProps) {
  return (
    <div class="copy-field">
      <span class="copy-label">{label}</span>
      <div class="copy-box">
        <code class={wraps ? "wraps" : ""}>{value}</code>
        <CopyButton text={value} what={label.toLowerCase()} />
      </div>
      {hint && <p class="hint">{hint}</p>}
    </div>
  );
}
