import { defineConfig } from "vite";

import { offline } from "./build/offline.ts";
import { sizes } from "./build/sizes.ts";

/** What a visitor loads before a room can be used, apart from the module and its worker: kilobytes, gzipped. */
const BUDGET = 60;

export default defineConfig({
  base: "./",
  build: { target: "esnext", modulePreload: { polyfill: false }, reportCompressedSize: false, chunkSizeWarningLimit: 1000 },
  worker: { format: "es" },
  optimizeDeps: { exclude: ["hublet"] },
  plugins: [offline(), sizes(BUDGET)],
  server: { host: "127.0.0.1", port: 8780 },
  preview: { host: "127.0.0.1", port: 8780, strictPort: true },
});
