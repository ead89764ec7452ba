import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Session } from './session.ts'

const patienceMs = 2_000

/** Says what is wrong and what can be done: a lost connection only when it lasts, so that a blip does not flicker. */
export function Banner({ session }: { session: Session }) {
  const state = session.connection.value
  const lost = state?.phase === 'reconnecting' || state?.phase === 'offline' || state?.phase === 'stale'
  const lasting = useSignal(false)
  useEffect(() => {
    if (!lost) {
      lasting.value = false
      return undefined
    }
    const timer = setTimeout(() => (lasting.value = true), patienceMs)
    return () => {
      clearTimeout(timer)
    }
  }, [lost])
  useEffect(() => {
    document.documentElement.classList.toggle('stale', lasting.value)
  }, [lasting.value])

  if (lasting.value && state !== undefined) {
    return (
      <div class="banner warn" role="alert">
        <span>
          The prices below are not live: {state.reason ?? 'the connection was lost'}. The page goes on from where it
          stopped when the connection is back.
        </span>
        {state.phase !== 'stale' && (
          <button
            type="button"
            class="button"
            onClick={() => {
              session.retryNow()
            }}
          >
            Try now
          </button>
        )}
      </div>
    )
  }
  if (session.problem.value === undefined) return null
  return (
    <div class="banner" role="alert">
      <span>{session.problem.value}</span>
      <button
        type="button"
        class="button"
        onClick={() => {
          session.problem.value = undefined
        }}
      >
        Dismiss
      </button>
    </div>
  )
}
