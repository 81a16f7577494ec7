/** How an encoder is pointed at a stream; `server` is `rtmp://host[:port]/live`. */
export function ffmpegLine(server: string, key: string): string {
  return `ffmpeg -re -i input.mp4 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac -f flv "${server}/${key}"`;
}

/** GStreamer's way of sending a test picture. */
export function gstreamerLine(server: string, key: string): string {
  return `gst-launch-1.0 videotestsrc is-live=true ! x264enc tune=zerolatency key-int-max=60 ! flvmux name=mux streamable=true ! rtmp2sink location="${server}/${key}" audiotestsrc is-live=true ! voaacenc ! mux.`;
}

/** The page that plays a stream. */
export function watchUrl(origin: string, streamId: string): string {
  return `${origin}/watch/${encodeURIComponent(streamId)}`;
}

/** HTML that puts the player into another page, 16:9 at any width. */
export function embedCode(origin: string, streamId: string, name: string): string {
  const src = escapeAttribute(`${watchUrl(origin, streamId)}?embed=1`);
  const title = escapeAttribute(name);
  return `<iframe src="${src}" title="${title}" style="width:100%;aspect-ratio:16/9;border:0" allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>`;
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/** The token in what a person pasted: the token itself, or a studio link that carries it. Empty when there is none. */
export function tokenIn(pasted: string): string {
  const text = pasted.trim();
  const marker = text.indexOf("token=");
  if (marker === -1) return text;
  const end = text.slice(marker + 6).split(/[&\s]/, 1)[0] ?? "";
  return safeDecode(end);
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
