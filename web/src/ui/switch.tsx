import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface SwitchProps {
  isOn: boolean;
  onChange: (isOn: boolean) => void;
  label: string;
  /** What the choice means. */
  children: ComponentChildren;
}

/** A yes-or-no choice with its explanation. */
export function Switch({ isOn, onChange, label, children }: SwitchProps) {
  const id = useId();
  return (
    <div class="switch">
      <input
        id={id}
        type="checkbox"
        role="switch"
        checked={isOn}
        aria-checked={isOn}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      <p class="hint" id={`${id}-hint`}>
        {children}
      </p>
    </div>
  );
}
