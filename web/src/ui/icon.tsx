/** Line drawings on a 24-unit grid. */
const PATHS = {
  plus: "M12 5v14M5 12h14",
  play: "M8 5.5v13l10.5-6.5z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.5 10.5v6M13.5 10.5v6",
  open: "M14 5h5v5M19 5l-8 8M16 13.5V19H5V8h5.5",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  key: "M14.5 13.5a4.5 4.5 0 1 0-4-2.4L4 17.5V20h3l1-1v-1.8h1.8l2.9-3z",
  turn: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4.2h-4.2",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  flow: "M3 9.5c3-3.4 6-3.4 9 0s6 3.4 9 0M3 15.500c3-3.4 6-3.4 9 0s6 3.4 9 0",
  warning: "M12 4L2.8 19.500h18.400zM12 10v4.500M12 17.200v.1",
  fault: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.500v5.500M12 16.200v.1",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.500M12 7.800v.1",
  back: "M19 12H5M11 6l-6 6 6 6",
  close: "M6 6l12 12M18 6L6 18",
  picture: "M4 5h16v14H4zM9.3 5v14M14.7 5v14M4 14h16",
  sliders:
    "M4 8h9M19 8h1M4 16h1M11 16h9M16 10.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 18.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  chart: "M4 19.500h16M6.5 16v-4M11 16V6M15.5 16V9.500M20 16v-2",
  muted: "M4 9.500v5h3.500L12 18.500v-13L7.5 9.500zM16 9.500l5 5M21 9.500l-5 5",
  upload: "M12 16V5M7 9.500L12 4.500l5 5M5 16.500V19.500h14v-3",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.700h4M4 14.300h4M16 9.700h4M16 14.300h4",
  pencil: "M5 19l.8-3.800L16.500 4.500l3 3L8.800 18.200z",
  leave: "M13 5H5v14h8M10 12h10M16.5 8.500L20 12l-3.5 3.5",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing beside words that say the same; it is hidden from assistive technology. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
