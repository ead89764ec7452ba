// What the tests of the page share: opening it, and reading its inner figures.

import { expect, test as base, type Page } from '@playwright/test'
import type {} from '../src/page/debug.ts'

export interface Tiling {
  holes: number
  overlaps: number
  badSums: number
  gaps: number
  restarts: number
  problems: string[]
}

/** The breaks of the promise that the page counts; all of them are 0. */
export const unbroken = { holes: 0, overlaps: 0, badSums: 0, gaps: 0, restarts: 0, problems: [] }

/** A test that also fails when the page writes an error to the console, throws, or gets a failed answer. */
export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = []
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
      })
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('response', (answer) => {
        if (answer.status() >= 400) complaints.push(`${answer.status()} ${answer.url()}`)
      })
      await use(complaints)
      expect(complaints).toEqual([])
    },
    { auto: true },
  ],
})

/** Opens the page and waits for the first price. */
export async function open(page: Page, query = ''): Promise<void> {
  await page.goto(`/${query}`)
  await expect(page.getByTestId('price')).toHaveText(/\d/)
}

export async function tiling(page: Page): Promise<Tiling> {
  const report = await page.evaluate(() => window.tapecast?.tiling())
  if (report === undefined) throw new Error('the page has no tiling report')
  return report
}

export function lastSeq(page: Page, symbol: string): Promise<number> {
  return page.evaluate((sym) => window.tapecast?.lastSeq(sym) ?? 0, symbol)
}

/** How many pixels of the chart have the colour of rising and of falling candles: an empty chart has none of either. */
export function candlePixels(page: Page): Promise<{ up: number; down: number }> {
  return page.evaluate(() => {
    const near = (a: Uint8ClampedArray, i: number, rgb: readonly number[]) =>
      rgb.every((want, k) => Math.abs((a[i + k] ?? 0) - want) <= 24)
    const colour = (name: string) => {
      const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
      return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))
    }
    const [up, down] = [colour('candle-up'), colour('candle-down')]
    const count = { up: 0, down: 0 }
    // Read from a copy: a canvas that is read often is taken from the graphics card, with a warning in the console.
    const copy = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    for (const canvas of document.querySelectorAll<HTMLCanvasElement>('.canvas canvas')) {
      if (copy === null || canvas.width === 0) continue
      copy.canvas.width = canvas.width
      copy.canvas.height = canvas.height
      copy.drawImage(canvas, 0, 0)
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height)
      for (let i = 0; i < data.length; i += 4) {
        if (near(data, i, up)) count.up++
        else if (near(data, i, down)) count.down++
      }
    }
    return count
  })
}
