import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** Takes files that are dropped anywhere on the page while it is shown. */
export function DropZone({ onFiles, children }: { onFiles: (files: File[]) => void; children: ComponentChildren }) {
  const [isOver, setOver] = useState(false);
  // Entering a child leaves its parent: only the balance says whether the pointer is still on the page.
  const depth = useRef(0);
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    const stop = new AbortController();
    const on = <Name extends keyof WindowEventMap>(name: Name, react: (event: WindowEventMap[Name]) => void) =>
      window.addEventListener(name, react, { signal: stop.signal });
    const move = (event: DragEvent, step: number) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      depth.current += step;
      setOver(depth.current > 0);
    };
    on("dragenter", (event) => move(event, 1));
    on("dragleave", (event) => move(event, -1));
    on("dragover", (event) => move(event, 0));
    on("drop", (event) => {
      move(event, -depth.current);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) take.current(files);
    });
    return () => stop.abort();
  }, []);
  return (
    <>
      {children}
      {isOver && (
        <div class="drop-veil">
          <p>Drop to upload</p>
        </div>
      )}
    </>
  );
}
