import { expect } from '@playwright/test'
import { candlePixels, open, test } from './page.ts'

test('the first price is there within 1.5 s of the navigation', async ({ page }) => {
  // Measured by the page's own clock, which starts with the navigation, at the moment when the price is in the document.
  await page.addInitScript(() => {
    const observer = new MutationObserver(() => {
      if (!/\d/.test(document.querySelector('[data-testid=price]')?.textContent ?? '')) return
      document.documentElement.dataset.firstPriceMs = String(Math.round(performance.now()))
      observer.disconnect()
    })
    observer.observe(document, { childList: true, subtree: true, characterData: true })
  })
  await open(page)
  const took = Number(await page.locator('html').getAttribute('data-first-price-ms'))
  console.log(`first price ${took} ms after the navigation`)
  expect(took).toBeGreaterThan(0)
  expect(took).toBeLessThan(1500)
})

test('candles are drawn, in both directions, and move', async ({ page }) => {
  await open(page)
  await expect.poll(async () => (await candlePixels(page)).up, { timeout: 10_000 }).toBeGreaterThan(200)
  await expect.poll(async () => (await candlePixels(page)).down).toBeGreaterThan(200)
  const closes = () => page.locator('.legend').textContent()
  const before = await closes()
  await expect.poll(closes, { timeout: 10_000 }).not.toBe(before)
})

test('every timeframe shows its bars', async ({ page }) => {
  await open(page)
  for (const interval of ['1s', '5s', '1m', '5m', '15m', '1h', '1D']) {
    await page.getByRole('button', { name: interval, exact: true }).click()
    await expect(page.locator('.legend-time')).toHaveText(/UTC/)
    await expect.poll(async () => Object.values(await candlePixels(page)).some((n) => n > 50)).toBe(true)
  }
})

test('the page says that its data is simulated, at every width', async ({ page }) => {
  await open(page)
  for (const width of [1440, 720, 390]) {
    await page.setViewportSize({ width, height: 800 })
    await expect(page.getByText('SIMULATED DATA')).toBeInViewport()
  }
})
