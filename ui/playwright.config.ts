import { existsSync } from 'node:fs'
import { defineConfig } from '@playwright/test'

// The node under test is started by the caller (make browser) and named by TAPECAST_URL. The browser is the
// system's Chromium; nothing is downloaded.
const executablePath = process.env.TAPECAST_CHROMIUM ?? '/usr/bin/chromium'
if (!existsSync(executablePath)) {
  throw new Error(`no browser at ${executablePath}: install Debian's chromium, or set TAPECAST_CHROMIUM`)
}
const root = process.getuid?.() === 0

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/run',
  workers: 1,
  retries: 0,
  forbidOnly: process.env.CI !== undefined,
  timeout: 60_000,
  reporter: 'list',
  use: {
    baseURL: process.env.TAPECAST_URL ?? 'http://127.0.0.1:8080',
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath,
      args: [
        ...(root ? ['--no-sandbox'] : []),
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
