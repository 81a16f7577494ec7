import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** Where `npm run dev:web` finds the server whose API and media the pages use. */
const SERVER = "http://localhost:8080";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  build: {
    outDir: here("dist"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // The players are large by nature and arrive only when they are chosen.
    chunkSizeWarningLimit: 1200,
    rollupOptions: { input: { studio: here("index.html"), watch: here("watch.html") } },
  },
  plugins: [
    {
      name: "watch-path",
      configureServer(server) {
        server.middlewares.use((request, _response, next) => {
          if (request.url?.startsWith("/watch/")) request.url = "/watch.html";
          next();
        });
      },
    },
  ],
  server: { proxy: { "/api": SERVER, "/streams": SERVER } },
});
