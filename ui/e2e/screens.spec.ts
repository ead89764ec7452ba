import { expect } from '@playwright/test'
import { open, test } from './page.ts'

const sizes = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
]

for (const viewport of sizes) {
  for (const theme of ['light', 'dark']) {
    test(`${theme} at ${viewport.width} px: no sideways scroll, and a picture of it`, async ({ page }) => {
      await page.setViewportSize(viewport)
      await open(page, `?theme=${theme}`)
      await expect(page.locator('.tape tbody tr').nth(3)).toBeVisible()
      await expect(page.locator('.legend-time')).toHaveText(/UTC/)
      await page.waitForTimeout(1500)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      expect(wide).toBeLessThanOrEqual(viewport.width)
      await page.screenshot({ path: `test-results/${theme}-${viewport.width}.png`, fullPage: false })
    })
  }
}
