import { defineConfig } from "vite";

/** Built into the Python package; `npm run dev` speaks to an exchange on port 8080. */
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/seawall/web/dist",
    emptyOutDir: true,
    assetsDir: "assets",
    license: { fileName: "assets/licenses.md" },
    chunkSizeWarningLimit: 800,
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:8080",
      "/seawall": "http://127.0.0.1:8080",
      "/stream": { target: "ws://127.0.0.1:8080", ws: true },
    },
  },
});
