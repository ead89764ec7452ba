import { defineConfig } from 'vite'

// The build is embedded in the Go binary and served from the root of the node. The development server
// passes the protocol's paths on to a node, so the page is the same in both. public/.gitkeep is copied into dist, which
// the build empties, so that Go's embed always finds a file there.
const node = process.env.TAPECAST_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: { '/v1': { target: node, ws: true }, '/healthz': node, '/readyz': node } },
})
