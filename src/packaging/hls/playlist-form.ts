/** The two media playlists of a rendition: one of its segments and parts, one of its key frames. */
export type PlaylistForm = "segments" | "iframes";
