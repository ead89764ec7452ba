// A short flash behind a price that changed. Not more than three a second for one cell (WCAG 2.3.1), and none for
// those who asked for less motion, which the style sheet's rule does not stop, since this is not a CSS animation.

import { useSignalEffect, type ReadonlySignal } from '@preact/signals'
import type { RefObject } from 'preact'
import { useMemo, useRef } from 'preact/hooks'
import { colour, wantsStillness } from './theme.ts'

const flashMs = 400
const leastMsBetween = 334

export class Flasher {
  private flashedAt = -Infinity

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Flashes up or down by the sign of the move; true if it did. */
  flash(cell: Element, move: number): boolean {
    const now = this.now()
    if (move === 0 || now - this.flashedAt < leastMsBetween || wantsStillness()) return false
    this.flashedAt = now
    const from = colour(move > 0 ? 'flash-up' : 'flash-down')
    cell.animate([{ backgroundColor: from }, { backgroundColor: 'transparent' }], {
      duration: flashMs,
      easing: 'ease-out',
    })
    return true
  }
}

/** Flashes a cell each time the price that is painted in it differs from the one before. */
export function usePriceFlash(
  cell: RefObject<HTMLElement | null>,
  row: ReadonlySignal<{ price: number } | undefined>,
): void {
  const flasher = useMemo(() => new Flasher(), [row])
  const painted = useRef<number | undefined>(undefined)
  useSignalEffect(() => {
    const now = row.value?.price
    if (cell.current !== null && now !== undefined && painted.current !== undefined) {
      flasher.flash(cell.current, now - painted.current)
    }
    painted.current = now
  })
}
