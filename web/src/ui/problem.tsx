import { Icon } from "./icon.tsx";

/** Something did not work, in a sentence; nothing when there is no sentence. */
export function Problem({ text }: { text: string | undefined }) {
  return (
    <div role="alert">
      {text && (
        <p class="problem">
          <Icon name="fault" />
          <span>{text}</span>
        </p>
      )}
    </div>
  );
}
