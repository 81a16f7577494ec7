import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import { ApiProblem, sentenceOf } from "../api/problem.ts";
import { Brand } from "../ui/brand.tsx";
import { Icon } from "../ui/icon.tsx";
import { parseRoute, type Route, VIDEOS_HREF } from "./route.ts";
import { SessionLoss } from "./session-loss.ts";
import { SignIn } from "./sign-in.tsx";
import { StreamView } from "./stream-view.tsx";
import { StreamsView } from "./streams-view.tsx";
import { UploadsProvider, useUploadQueue } from "./uploads-context.ts";
import { VideoView } from "./video-view.tsx";
import { VideosView } from "./videos-view.tsx";

type Session =
  | { readonly kind: "checking" }
  | { readonly kind: "out"; readonly problem?: string }
  | { readonly kind: "in" };

/** The studio: who is there, then which view the address asks for. */
export function App() {
  const route = useRoute();
  const [session, setSession] = useState<Session>({ kind: "checking" });
  const uploads = useUploadQueue();
  const signIn = useCallback((token: string) => exchange(token).then(setSession), []);
  const lost = useCallback(() => setSession({ kind: "out", problem: "Your session ended. Please sign in again." }), []);

  useEffect(() => {
    if (route.view === "sign-in") void signIn(route.token);
    else void resume().then(setSession);
  }, []);

  const signOut = async () => {
    await api.logOut();
    setSession({ kind: "out" });
  };

  if (session.kind === "checking") return <div class="checking" aria-busy="true" />;
  if (session.kind === "out") return <SignIn problem={session.problem} onToken={signIn} />;
  return (
    <SessionLoss.Provider value={lost}>
      <header class="top">
        <div class="inner">
          <Brand href="#/" />
          <nav aria-label="Studio">
            <a href="#/" aria-current={route.view.startsWith("stream") ? "page" : undefined}>
              Streams
            </a>
            <a href={VIDEOS_HREF} aria-current={route.view.startsWith("video") ? "page" : undefined}>
              Videos
            </a>
          </nav>
          <a class="button quiet" href="/api/docs">
            API
          </a>
          <button type="button" class="button quiet square" aria-label="Sign out" title="Sign out" onClick={signOut}>
            <Icon name="leave" />
          </button>
        </div>
      </header>
      <main class="inner" id="main">
        <UploadsProvider value={uploads}>
          <View route={route} />
        </UploadsProvider>
      </main>
    </SessionLoss.Provider>
  );
}

function View({ route }: { route: Route }) {
  if (route.view === "stream") return <StreamView key={route.streamId} streamId={route.streamId} />;
  if (route.view === "video") return <VideoView key={route.videoId} videoId={route.videoId} />;
  return route.view === "videos" ? <VideosView /> : <StreamsView />;
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const read = () => {
      setRoute(parseRoute(location.hash));
      window.scrollTo(0, 0);
    };
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  return route;
}

/** The token leaves the address bar and the history before anything else happens with it. */
async function exchange(token: string): Promise<Session> {
  history.replaceState(null, "", "#/");
  dispatchEvent(new HashChangeEvent("hashchange"));
  try {
    await api.logIn(token);
    return { kind: "in" };
  } catch (error) {
    return { kind: "out", problem: sentenceOf(error) };
  }
}

async function resume(): Promise<Session> {
  try {
    await api.session();
    return { kind: "in" };
  } catch (error) {
    const isExpected = error instanceof ApiProblem && (error.status === 401 || error.status === 403);
    return isExpected ? { kind: "out" } : { kind: "out", problem: sentenceOf(error) };
  }
}
