/** As many UTF-16 units as the server takes. */
const MAX_LENGTH = 200;

/** `my_holiday-2024.mp4` as people would write it, fit to be a title. */
export function titleOf(fileName: string): string {
  const bare = fileName.replace(/\.[A-Za-z0-9]{1,5}$/, "");
  return cutTitle(bare.replaceAll("_", " ")) || cutTitle(fileName);
}

/** No longer than a title may be, and without what the server refuses in one. */
export function cutTitle(text: string): string {
  let title = "";
  for (const character of text.replaceAll(/\p{Cc}/gu, "").trim()) {
    if (title.length + character.length > MAX_LENGTH) break;
    title += character;
  }
  return title.trim();
}
