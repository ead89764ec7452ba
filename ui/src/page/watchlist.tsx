import { useComputed, useSignal } from '@preact/signals'
import type { RefObject } from 'preact'
import { useRef } from 'preact/hooks'
import { usePriceFlash } from './flash.ts'
import { arrow, percent, price, shownShare, volume } from './format.ts'
import { Icon } from './icons.tsx'
import type { Session } from './session.ts'
import { Sparkline } from './sparkline.tsx'
import { tone } from './summary.tsx'

export function Watchlist({ session, search }: { session: Session; search: RefObject<HTMLInputElement | null> }) {
  const wanted = useSignal('')
  const list = useRef<HTMLUListElement>(null)
  const { symbols, instruments } = session.market
  const shown = useComputed(() => {
    const text = wanted.value.trim().toUpperCase()
    if (text === '') return symbols.value
    return symbols.value.filter((sym) =>
      `${sym} ${instruments.value.get(sym)?.name ?? ''}`.toUpperCase().includes(text),
    )
  })
  const tabStop = useComputed(() =>
    shown.value.includes(session.symbol.value) ? session.symbol.value : shown.value[0],
  )
  const focusRow = (step: number, from?: Element | null) => {
    const rows = [...(list.current?.querySelectorAll('button') ?? [])]
    const at = from === undefined || from === null ? -1 : rows.indexOf(from as HTMLButtonElement)
    rows[Math.max(0, Math.min(rows.length - 1, at + step))]?.focus()
  }
  const keyInSearch = (event: KeyboardEvent) => {
    const first = shown.value[0]
    if (event.key === 'ArrowDown') focusRow(1)
    else if (event.key === 'Escape') wanted.value = ''
    else if (event.key === 'Enter' && first !== undefined) session.symbol.value = first
    else return
    event.preventDefault()
  }
  const keyInList = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }
    const step = steps[event.key]
    if (step === undefined) return
    focusRow(step, document.activeElement)
    event.preventDefault()
  }
  return (
    <section class="panel watchlist" aria-label="Watchlist">
      <label class="search">
        <Icon name="search" />
        <input
          ref={search}
          type="search"
          placeholder="Search symbols"
          aria-label="Search symbols"
          value={wanted.value}
          onInput={(event) => {
            wanted.value = event.currentTarget.value
          }}
          onKeyDown={keyInSearch}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <div class="row heads" aria-hidden="true">
        <span>Symbol</span>
        <span>Last hour</span>
        <span class="number">Last · Volume</span>
        <span class="number">Day</span>
      </div>
      <ul ref={list} class="rows" onKeyDown={keyInList}>
        {shown.value.map((sym) => (
          <WatchRow key={sym} sym={sym} session={session} tabbable={sym === tabStop.value} />
        ))}
        {shown.value.length === 0 && (
          <li class="nothing">{wanted.value === '' ? 'Waiting for prices …' : 'No such symbol'}</li>
        )}
      </ul>
    </section>
  )
}

/** One symbol. Of all rows only one is a stop of the Tab key; the arrows move among them. */
function WatchRow({ sym, session, tabbable }: { sym: string; session: Session; tabbable: boolean }) {
  const listing = session.market.listing(sym)
  const cell = useRef<HTMLSpanElement>(null)
  const row = listing.row
  const priceText = useComputed(() =>
    row.value === undefined ? '–' : price(row.value.price, session.market.decimals(sym)),
  )
  const volumeText = useComputed(() => (row.value === undefined ? '–' : volume(row.value.volume)))
  const share = useComputed(() => (row.value === undefined ? 0 : shownShare(row.value.price / row.value.open - 1)))
  const dayText = useComputed(() => (row.value === undefined ? '–' : `${arrow(share.value)} ${percent(share.value)}`))
  const dayClass = useComputed(() => `number day ${tone(share.value)}`)
  usePriceFlash(cell, row)
  const chosen = useComputed(() => session.symbol.value === sym)
  return (
    <li>
      <button
        type="button"
        class={chosen.value ? 'row chosen' : 'row'}
        aria-current={chosen.value}
        data-symbol={sym}
        tabIndex={tabbable ? 0 : -1}
        onClick={() => {
          session.symbol.value = sym
        }}
      >
        <span class="who">
          <span class="sym">{sym}</span>
          <span class="name">{session.market.instruments.value.get(sym)?.name}</span>
        </span>
        <Sparkline points={listing.spark} />
        <span class="number">
          <span ref={cell} class="last">
            {priceText}
          </span>
          <span class="volume">{volumeText}</span>
        </span>
        <span class={dayClass}>{dayText}</span>
      </button>
    </li>
  )
}
