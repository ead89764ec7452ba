import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { ConnectionState, Phase } from '../client/connector.ts'
import type { Adapted, Session } from './session.ts'

export const transportLabels = {
  ws: 'WebSocket',
  sse: 'SSE',
  'long-poll': 'long poll',
  'short-poll': 'short poll',
} as const

const words: Record<Phase, string> = {
  connecting: 'Connecting',
  live: 'Live',
  stale: 'Stale',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  closed: 'Offline',
}

const adaptedNote =
  'This line is too slow for every tick, so the node merges them: fewer messages, with the same highs, lows and volume.'

/** The state of the connection in words, with a dot; the colour says nothing that the words do not. */
export function Badge({ session }: { session: Session }) {
  const state = session.connection.value
  const seconds = useSecondsTo(state?.nextAt)
  if (state === undefined) return null
  const adapted = state.phase === 'live' ? session.adapted.value : undefined
  const title = adapted === undefined ? (state.reason ?? state.fellBack ?? '') : adaptedNote
  return (
    <span class={`badge ${adapted === undefined ? state.phase : 'adapted'}`} title={title} data-testid="badge">
      <span class="visually-hidden" role="status">
        {adapted === undefined ? words[state.phase] : describeAdapted(adapted)}
      </span>
      <span class="dot" aria-hidden="true" />
      <span class="badge-text" aria-hidden="true">
        {describe(state, seconds, adapted)}
      </span>
      {session.paused.value && <span class="badge-more">paused</span>}
    </span>
  )
}

export function describe(state: ConnectionState, seconds: number | undefined, adapted?: Adapted): string {
  if (adapted !== undefined) return `${describeAdapted(adapted)} · ${transportLabels[state.transport]}`
  const word = words[state.phase]
  if (state.phase === 'live') return `${word} · ${transportLabels[state.transport]}`
  if (state.phase !== 'reconnecting' || state.attempt === 0) return word
  const next = seconds === undefined ? 'now' : `next in ${seconds} s`
  return `${word} (attempt ${state.attempt}, ${next})`
}

function describeAdapted({ level, recovering }: Adapted): string {
  return `Adapted: ${level} (${recovering ? 'recovering' : 'slow line'})`
}

/** Whole seconds to a moment, counted down while it is ahead. */
function useSecondsTo(moment: number | undefined): number | undefined {
  const now = useSignal(Date.now())
  useEffect(() => {
    now.value = Date.now()
    if (moment === undefined) return undefined
    const timer = setInterval(() => (now.value = Date.now()), 250)
    return () => {
      clearInterval(timer)
    }
  }, [moment])
  if (moment === undefined) return undefined
  return Math.max(0, Math.ceil((moment - now.value) / 1000))
}
