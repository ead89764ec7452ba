import type { ReadonlySignal } from '@preact/signals'
import { barTime, percent, price, volume } from './format.ts'
import type { Session } from './session.ts'
import { tone } from './summary.tsx'

/** Open, high, low, close and volume of the bar under the crosshair, or of the newest. */
export function Legend({ session, crosshair }: { session: Session; crosshair: ReadonlySignal<number | undefined> }) {
  const detail = session.detail.value
  if (detail === undefined) return null
  // Reading the version subscribes to the changes of the bars.
  const bar =
    detail.version.value > 0 && crosshair.value !== undefined
      ? detail.candles.at(crosshair.value)
      : detail.candles.last()
  if (bar === undefined) return <div class="legend">&nbsp;</div>
  const decimals = session.market.decimals(detail.symbol)
  const moved = bar.c - bar.o
  return (
    <div class="legend">
      <span class="legend-time">{barTime(bar.ts, detail.interval)} UTC</span>
      {(['o', 'h', 'l', 'c'] as const).map((part) => (
        <span key={part}>
          <b>{part.toUpperCase()}</b> <span class={tone(moved)}>{price(bar[part], decimals)}</span>
        </span>
      ))}
      <span class={tone(moved)}>{percent(moved / bar.o)}</span>
      <span>
        <b>V</b> {volume(bar.v)}
      </span>
    </div>
  )
}
