import { expect } from '@playwright/test'
import { open, test } from './page.ts'

test.beforeEach(async ({ page }) => {
  await open(page)
})

test('1 to 7 choose the timeframe, and the link keeps it', async ({ page }) => {
  const names = ['1s', '5s', '1m', '5m', '15m', '1h', '1D']
  for (const [i, name] of names.entries()) {
    await page.keyboard.press(String(i + 1))
    await expect(page.getByRole('button', { name, exact: true })).toHaveAttribute('aria-pressed', 'true')
  }
  await expect(page).toHaveURL(/interval=1d/)
})

test('/ searches, Enter takes the first', async ({ page }) => {
  await page.keyboard.press('/')
  await expect(page.getByRole('searchbox')).toBeFocused()
  await page.keyboard.type('nvd')
  await expect(page.locator('button.row')).toHaveCount(1)
  await page.keyboard.press('Enter')
  await expect(page.locator('.summary-name')).toContainText('NVDA')
  await expect(page).toHaveURL(/symbol=NVDA/)
  await page.keyboard.press('Escape')
  await expect(page.locator('button.row').nth(5)).toBeVisible()
})

test('arrows move in the list, Enter chooses', async ({ page }) => {
  await page.keyboard.press('/')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  const focused = page.locator('button.row:focus')
  await expect(focused).toHaveCount(1)
  const symbol = (await focused.getAttribute('data-symbol')) ?? ''
  await page.keyboard.press('Enter')
  await expect(page.locator('.summary-name')).toContainText(symbol)
  await expect(page.locator('button.row.chosen')).toHaveAttribute('data-symbol', symbol)
  await page.keyboard.press('ArrowUp')
  await expect(focused).not.toHaveAttribute('data-symbol', symbol)
})

test('Space holds the screen still, and lets it go on', async ({ page }) => {
  await page.keyboard.press('Space')
  await expect(page.getByTestId('badge')).toContainText('paused')
  const tape = () => page.locator('.tape tbody').textContent()
  await page.waitForTimeout(100)
  const held = await tape()
  await page.waitForTimeout(1500)
  expect(await tape()).toBe(held)
  await page.keyboard.press('Space')
  await expect(page.getByTestId('badge')).not.toContainText('paused')
  await expect.poll(tape, { timeout: 10_000 }).not.toBe(held)
})

test('? opens the help, Escape closes it', async ({ page }) => {
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeHidden()
})

test('every control is reached with Tab, in the order that is seen, and shows it', async ({ page }) => {
  const seen: string[] = []
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate(() => {
      const at = document.activeElement
      if (at === null || at === document.body) return undefined
      const outlined = getComputedStyle(at.closest('.search') ?? at).outlineStyle !== 'none'
      return `${at.getAttribute('aria-label') ?? at.textContent.trim()}${outlined ? '' : ' (not shown)'}`
    })
    if (stop === undefined) break
    seen.push(stop)
  }
  const order = ['Transport', 'Pause', 'Theme', 'Help', 'Search symbols', 'AAPL', '1s', '1D', 'Table', 'Recent trades']
  let from = 0
  for (const name of order) {
    const at = seen.findIndex((stop, i) => i >= from && stop.startsWith(name))
    expect(at, `${name} after ${seen[from - 1] ?? 'the start'} in ${seen.join(' | ')}`).toBeGreaterThanOrEqual(from)
    from = at + 1
  }
  expect(seen.filter((stop) => stop.endsWith('(not shown)'))).toEqual([])
})
