import type { Detail } from './detail.ts'
import { barTime, price, volume } from './format.ts'

const rows = 30

/** The newest bars in figures: what the canvas shows, for those who can't see it. */
export function BarsTable({ detail, decimals }: { detail: Detail; decimals: number }) {
  // Reading the version subscribes to the changes of the bars.
  const bars = detail.version.value >= 0 ? detail.candles.all().slice(-rows).reverse() : []
  return (
    <div class="bars-table" tabIndex={0} role="group" aria-label={`Bars of ${detail.symbol}`}>
      <table>
        <caption class="visually-hidden">
          The last {bars.length} bars of {detail.symbol}, {detail.interval} each, the newest first
        </caption>
        <thead>
          <tr>
            <th scope="col">Start (UTC)</th>
            {['Open', 'High', 'Low', 'Close', 'Volume'].map((head) => (
              <th key={head} scope="col" class="number">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {bars.map((bar) => (
            <tr key={bar.ts}>
              <th scope="row">{barTime(bar.ts, detail.interval)}</th>
              {[bar.o, bar.h, bar.l, bar.c].map((value, i) => (
                <td key={i} class="number">
                  {price(value, decimals)}
                </td>
              ))}
              <td class="number">{volume(bar.v)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
