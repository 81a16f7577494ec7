import { render } from "preact";
import "../style/base.css";
import "../style/studio.css";
import { App } from "./app.tsx";

const root = document.getElementById("root");
if (root) render(<App />, root);
