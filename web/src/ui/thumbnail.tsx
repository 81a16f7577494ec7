import { useEffect, useState } from "preact/hooks";
import { thumbnailUrl } from "../api/client.ts";
import { Icon } from "./icon.tsx";
import { usePageVisible } from "./page-visible.ts";

const REFRESH_MS = 5000;

interface ThumbnailProps {
  streamId: string;
  /** Live: a fresh still every 5 s while the page is seen. Past: the last one. None: nothing to ask for yet. */
  picture: "live" | "past" | "none";
}

/** The newest still of a stream. The next one is decoded before it takes the place, so nothing flickers. */
export function Thumbnail({ streamId, picture }: ThumbnailProps) {
  const [shown, setShown] = useState<string>();
  const isVisible = usePageVisible();
  useEffect(() => {
    if (!isVisible || picture === "none") return;
    let isCurrent = true;
    const load = async () => {
      const image = new Image();
      image.src = thumbnailUrl(streamId, Math.floor(Date.now() / REFRESH_MS));
      const isThere = await image.decode().then(
        () => true,
        () => false, // A stream that has no picture yet answers 404: the placeholder stays.
      );
      if (isThere && isCurrent) setShown(image.src);
    };
    void load();
    const timer = picture === "live" ? setInterval(load, REFRESH_MS) : undefined;
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [streamId, picture, isVisible]);
  return <div class={`thumbnail ${picture}`}>{shown ? <img src={shown} alt="" /> : <Icon name="flow" />}</div>;
}

/** What to expect of the thumbnail of a stream in this state. */
export function pictureOf(state: string): ThumbnailProps["picture"] {
  if (state === "live") return "live";
  return state === "pending" ? "none" : "past";
}
