import { expect } from '@playwright/test'
import { lastSeq, open, test, tiling, unbroken } from './page.ts'

const labels = { ws: 'WebSocket', sse: 'SSE', 'long-poll': 'long poll', 'short-poll': 'short poll' } as const

test('switches through all transports with the numbers unbroken', async ({ page }) => {
  await open(page)
  const badge = page.getByTestId('badge')
  await expect(badge).toContainText('Live')
  const rounds = ['sse', 'long-poll', 'short-poll', 'ws', 'short-poll', 'long-poll', 'sse', 'ws'] as const
  for (const transport of rounds) {
    await page.getByRole('combobox', { name: 'Transport' }).selectOption(transport)
    await expect(badge).toContainText(`Live · ${labels[transport]}`)
    const before = await lastSeq(page, 'AAPL')
    await expect.poll(() => lastSeq(page, 'AAPL'), { timeout: 15_000 }).toBeGreaterThan(before)
    expect(await tiling(page), transport).toMatchObject(unbroken)
  }
  await expect(page.getByTestId('tiling')).toHaveText(/tiling: 0 gaps, 0 overlaps since \d\d:\d\d/)
})

for (const [transport, label] of Object.entries(labels)) {
  test(`opens on ${transport} when the link says so`, async ({ page }) => {
    await open(page, `?transport=${transport}&symbol=MSFT&interval=5m`)
    await expect(page.getByTestId('badge')).toContainText(`Live · ${label}`)
    await expect(page.getByRole('heading', { name: /MSFT/ }).first()).toBeVisible()
    await expect(page.getByRole('button', { name: '5m', exact: true })).toHaveAttribute('aria-pressed', 'true')
  })
}

test('falls back to SSE where there is no WebSocket, and says why', async ({ page }) => {
  await page.addInitScript(() => {
    Reflect.deleteProperty(window, 'WebSocket')
  })
  await open(page)
  await expect(page.getByTestId('badge')).toContainText('Live · SSE')
  await expect(page.locator('.foot')).toContainText('fell back (ws: there is no WebSocket here)')
})

test('goes on after each cut from where it stopped', async ({ page }) => {
  // The page's sockets are kept where the test can close them under its hands.
  await page.addInitScript(() => {
    const sockets: WebSocket[] = []
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL) {
        super(url)
        sockets.push(this)
      }
    }
    Object.assign(window, {
      cut: () => {
        for (const socket of sockets.splice(0)) socket.close()
      },
    })
  })
  await open(page)
  for (let cut = 1; cut <= 3; cut++) {
    const before = await lastSeq(page, 'AAPL')
    await expect.poll(() => lastSeq(page, 'AAPL'), { timeout: 15_000 }).toBeGreaterThan(before)
    await page.evaluate('cut()')
    await expect
      .poll(() => page.evaluate(() => window.tapecast?.clients().map((client) => client.stats().reconnects)))
      .toEqual([cut, cut])
    await expect(page.getByTestId('badge')).toContainText('Live · WebSocket')
  }
  const before = await lastSeq(page, 'AAPL')
  await expect.poll(() => lastSeq(page, 'AAPL'), { timeout: 15_000 }).toBeGreaterThan(before)
  expect(await tiling(page)).toMatchObject(unbroken)
})
