import { arrow, price, size, time } from './format.ts'
import type { Print } from './market.ts'
import type { Session } from './session.ts'

/** The recent trades of the chosen symbol. It changes all the time, so it is no live region. */
export function Tape({ session }: { session: Session }) {
  const symbol = session.symbol.value
  const prints = session.market.listing(symbol).tape.value
  const decimals = session.market.decimals(symbol)
  return (
    <section class="panel tape" aria-label="Trades">
      <h2 class="panel-title">
        Trades <span class="name">{symbol}</span>
      </h2>
      <div class="tape-scroll" tabIndex={0} role="group" aria-label={`Recent trades of ${symbol}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Time (UTC)</th>
              <th scope="col" class="number">
                Price
              </th>
              <th scope="col" class="number">
                Size
              </th>
            </tr>
          </thead>
          <tbody>
            {prints.map((print) => (
              <Line key={print.seq} print={print} decimals={decimals} />
            ))}
          </tbody>
        </table>
        {prints.length === 0 && <p class="nothing">Waiting for the next trade …</p>}
      </div>
    </section>
  )
}

function Line({ print, decimals }: { print: Print; decimals: number }) {
  if (print.merged !== undefined) return <MergedLine print={print} merged={print.merged} decimals={decimals} />
  const side = print.side === undefined ? 0 : print.side === 'b' ? 1 : -1
  return (
    <tr>
      <td class="muted">{time(print.ts)}</td>
      <td class={`number ${side > 0 ? 'up' : side < 0 ? 'down' : 'flat'}`}>
        <span aria-hidden="true" class="side">
          {arrow(side)}
        </span>
        <span class="visually-hidden">{side > 0 ? 'bought at ' : side < 0 ? 'sold at ' : ''}</span>
        {price(print.price, decimals)}
      </td>
      <td class="number">{size(print.size)}</td>
    </tr>
  )
}

/** Several trades as one: the last price and the sum of the sizes, and below them how many and what lay between. */
function MergedLine({
  print,
  merged,
  decimals,
}: {
  print: Print
  merged: NonNullable<Print['merged']>
  decimals: number
}) {
  const between = [`o ${price(merged.o, decimals)}`, `h ${price(merged.h, decimals)}`, `l ${price(merged.l, decimals)}`]
  return (
    <>
      <tr>
        <td class="muted">{time(print.ts)}</td>
        <td class="number flat">
          <span class="visually-hidden">merged, the last at </span>
          {price(print.price, decimals)}
        </td>
        <td class="number">{size(print.size)}</td>
      </tr>
      <tr class="merged">
        <td colSpan={3}>
          {[`${merged.n} trades`, ...between].map((text) => (
            <span key={text}>{text}</span>
          ))}
        </td>
      </tr>
    </>
  )
}
