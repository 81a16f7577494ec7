import { render } from "preact";
import "../style/base.css";
import "../style/watch.css";
import { parseWatchAddress } from "./watch-address.ts";
import { WatchPage } from "./watch-page.tsx";

const root = document.getElementById("root");
if (root) render(<WatchPage address={parseWatchAddress(location.href)} />, root);
