const LOOKS: Readonly<Record<string, { className: string; text: string }>> = {
  live: { className: "live", text: "Live" },
  pending: { className: "waiting", text: "Waiting" },
  reconnecting: { className: "reconnecting", text: "Reconnecting" },
  preparing: { className: "busy", text: "Preparing" },
  processing: { className: "busy", text: "Finishing" },
  ready: { className: "", text: "Ended" },
  ended: { className: "", text: "Ended" },
  error: { className: "failed", text: "Failed" },
  deleted: { className: "", text: "Deleted" },
};

/** The state of a stream in one word. */
export function StateBadge({ state }: { state: string }) {
  const look = LOOKS[state] ?? { className: "", text: state };
  return <span class={`badge ${look.className}`}>{look.text}</span>;
}
