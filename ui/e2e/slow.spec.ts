import { expect } from '@playwright/test'
import { lastSeq, test, tiling, unbroken } from './page.ts'
import { Line } from './proxy.ts'

const node = process.env.TAPECAST_URL ?? 'http://127.0.0.1:8080'

test('a slow line gets merged data, says so, and comes back, with the numbers unbroken', async ({ page }) => {
  test.setTimeout(120_000)
  const line = await Line.to(node)
  try {
    await page.goto(`${line.url}/?theme=light&transport=ws`)
    const badge = page.getByTestId('badge')
    await expect(badge).toContainText('Live · WebSocket')
    const before = await lastSeq(page, 'AAPL')
    await expect.poll(() => lastSeq(page, 'AAPL')).toBeGreaterThan(before)

    // What says so comes behind all that waits in the sockets on the way: some 100 kB.
    line.throttle(12_000)
    await expect(badge).toHaveText(/Adapted: \w+ \(slow line\) · WebSocket/, { timeout: 45_000 })
    await expect(badge).toHaveClass(/adapted/)
    await page.screenshot({ path: 'test-results/adapted-light.png' })
    await page.getByRole('button', { name: /^Theme: light/ }).click()
    await page.screenshot({ path: 'test-results/adapted-dark.png' })

    line.throttle(Infinity)
    // What waited on the way may tell of further steps down; the next one after that leads up.
    await expect(badge).toHaveText(/\(recovering\)|Live · WebSocket/, { timeout: 30_000 })
    const seq = await lastSeq(page, 'AAPL')
    await expect.poll(() => lastSeq(page, 'AAPL'), { timeout: 15_000 }).toBeGreaterThan(seq)
    expect(await tiling(page)).toMatchObject(unbroken)
    expect(await page.evaluate(() => window.tapecast?.clients().map((c) => c.stats().reconnects))).toEqual([0, 0])
  } finally {
    await line.close()
  }
})
