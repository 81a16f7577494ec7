import icon from "../brand/icon.svg";

/** The mark and the name; leads home. */
export function Brand({ href = "/" }: { href?: string }) {
  return (
    <a class="brand" href={href}>
      <img src={icon} alt="" />
      <span>Headwater</span>
    </a>
  );
}
