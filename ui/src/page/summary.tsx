import { useRef } from 'preact/hooks'
import { usePriceFlash } from './flash.ts'
import { arrow, change, percent, price, size, volume } from './format.ts'
import type { Session } from './session.ts'

/** The chosen symbol: its price in large, and its day. */
export function Summary({ session }: { session: Session }) {
  const symbol = session.symbol.value
  const { row } = session.market.listing(symbol)
  const instrument = session.market.instruments.value.get(symbol)
  return (
    <div class="summary">
      <h2 class="summary-name">
        {symbol}
        <span class="name">{instrument?.name ?? '\u00a0'}</span>
      </h2>
      <Price key={symbol} session={session} symbol={symbol} />
      <dl class="facts">
        <Quote session={session} symbol={symbol} />
        <Fact label="Day range">
          {row.value === undefined
            ? '–'
            : `${price(row.value.low, session.market.decimals(symbol))} – ${price(row.value.high, session.market.decimals(symbol))}`}
        </Fact>
        <Fact label="Volume">{row.value === undefined ? '–' : volume(row.value.volume)}</Fact>
      </dl>
    </div>
  )
}

function Price({ session, symbol }: { session: Session; symbol: string }) {
  const cell = useRef<HTMLSpanElement>(null)
  const listing = session.market.listing(symbol)
  usePriceFlash(cell, listing.row)
  const row = listing.row.value
  if (row === undefined) return <p class="price-line skeleton">&nbsp;</p>
  const decimals = session.market.decimals(symbol)
  const moved = row.price - row.open
  return (
    <p class="price-line">
      <span ref={cell} class="big-price" data-testid="price">
        {price(row.price, decimals)}
      </span>
      <span class={tone(moved)}>
        <span aria-hidden="true">{arrow(moved)}</span> {change(moved, decimals)} ({percent(moved / row.open)})
      </span>
      {row.halted && <span class="halted">HALTED</span>}
    </p>
  )
}

function Quote({ session, symbol }: { session: Session; symbol: string }) {
  const quote = session.detail.value?.quote.value
  const decimals = session.market.decimals(symbol)
  return (
    <>
      <Fact label="Bid">
        {quote === undefined ? '–' : price(quote.bp, decimals)}
        {quote !== undefined && <small> × {size(quote.bv)}</small>}
      </Fact>
      <Fact label="Ask">
        {quote === undefined ? '–' : price(quote.ap, decimals)}
        {quote !== undefined && <small> × {size(quote.av)}</small>}
      </Fact>
    </>
  )
}

function Fact({ label, children }: { label: string; children: preact.ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  )
}

export function tone(value: number): string {
  if (value > 0) return 'up'
  return value < 0 ? 'down' : 'flat'
}
