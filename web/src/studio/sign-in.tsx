import { useState } from "preact/hooks";
import { tokenIn } from "../text/snippets.ts";
import { Brand } from "../ui/brand.tsx";
import { Problem } from "../ui/problem.tsx";

interface SignInProps {
  problem: string | undefined;
  onToken: (token: string) => Promise<void>;
}

/** For somebody without a session: where the studio link is, and a field for the token. */
export function SignIn({ problem, onToken }: SignInProps) {
  const [text, setText] = useState("");
  const [isBusy, setBusy] = useState(false);
  const token = tokenIn(text);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (token === "") return;
    setBusy(true);
    await onToken(token);
    setBusy(false);
  };
  return (
    <main class="sign-in">
      <Brand />
      <h1>Open the studio</h1>
      <p class="lead">
        When Headwater starts, it prints a studio link in its terminal. Open that link and you are in; this browser then
        stays signed in.
      </p>
      <pre class="terminal" aria-hidden="true">
        <span class="dim">$</span> npm start{"\n"}
        <span class="dim">studio</span> {location.origin}/<b>#token=…</b>
      </pre>
      <form onSubmit={submit}>
        <label for="token">Or paste the link, or the admin token</label>
        <div class="row">
          <input
            id="token"
            type="password"
            autocomplete="current-password"
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            aria-describedby="token-hint"
          />
          <button class="button primary" type="submit" disabled={isBusy || token === ""}>
            Sign in
          </button>
        </div>
        <Problem text={problem} />
        <p class="hint" id="token-hint">
          The token is what <code>HEADWATER_ADMIN_TOKEN</code> was set to. Unset, it was made on first start and lies in
          the data directory.
        </p>
      </form>
    </main>
  );
}
