const LOOKS: Readonly<Record<string, { className: string; text: string }>> = {
  preparing: { className: "busy", text: "Preparing" },
  playable: { className: "busy", text: "Playable" },
  ready: { className: "", text: "Ready" },
  errored: { className: "failed", text: "Failed" },
};

/** The state of a video in one word. */
export function VideoBadge({ status }: { status: string }) {
  const look = LOOKS[status] ?? { className: "", text: status };
  return <span class={`badge ${look.className}`}>{look.text}</span>;
}
