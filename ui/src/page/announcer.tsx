import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { percent, price } from './format.ts'
import type { Session } from './session.ts'

const everyMs = 10_000

/** Tells a screen reader the chosen symbol's price every ten seconds, for those who switched it on. */
export function Announcer({ session }: { session: Session }) {
  const text = useSignal('')
  const on = session.announce.value
  useEffect(() => {
    if (!on) {
      text.value = ''
      return undefined
    }
    const say = (): void => {
      if (!session.paused.peek()) text.value = announcement(session)
    }
    say()
    const timer = setInterval(say, everyMs)
    return () => {
      clearInterval(timer)
    }
  }, [on])
  return (
    <p class="visually-hidden" role="status">
      {text.value}
    </p>
  )
}

function announcement(session: Session): string {
  const symbol = session.symbol.peek()
  const row = session.market.listing(symbol).row.peek()
  if (row === undefined) return `${symbol}: no price yet`
  return `${symbol} ${price(row.price, session.market.decimals(symbol))}, ${percent(row.price / row.open - 1)} today`
}
