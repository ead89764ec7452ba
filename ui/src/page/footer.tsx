import { bytesPerSecond, clock, count, milliseconds } from './format.ts'
import type { Tiling } from './meter.ts'
import type { Session } from './session.ts'

const latencyNote =
  "From the event's time on the tape to its arrival in this page. The node's clock and this machine's differ, so on another machine their offset is in it."

export function Footer({ session }: { session: Session }) {
  const reading = session.meter.reading.value
  const state = session.connection.value
  if (reading === undefined) return <footer class="foot">Simulated market data.</footer>
  const { tiling, latency, messagesPerSecond } = reading
  return (
    <footer class="foot">
      <span
        class={broken(tiling) ? 'figure bad' : 'figure'}
        title={tiling.problems.at(-1) ?? 'Every trade and quote came once, in order.'}
        data-testid="tiling"
      >
        {describeTiling(tiling)}
      </span>
      <span class="figure">
        {count(Math.round(messagesPerSecond), 'message')}/s · {bytesPerSecond(reading.bytesPerSecond)}
      </span>
      {latency !== undefined && (
        <span class="figure" title={latencyNote}>
          latency p50 {milliseconds(latency.p50)} · p99 {milliseconds(latency.p99)}
        </span>
      )}
      {state?.fellBack !== undefined && <span class="figure">fell back ({state.fellBack})</span>}
      <span class="figure last-figure">Simulated market data. Not for trading.</span>
    </footer>
  )
}

/** "tiling: 0 gaps, 0 overlaps since 14:02": gaps are holes in the numbers, whether the node told of them or not. */
export function describeTiling(tiling: Tiling): string {
  const gaps = tiling.holes + tiling.gaps
  const said = tiling.gaps > 0 ? ` (${tiling.gaps} told by the node)` : ''
  return `tiling: ${count(gaps, 'gap')}${said}, ${count(tiling.overlaps, 'overlap')} since ${clock(tiling.startedAt)}`
}

function broken(tiling: Tiling): boolean {
  return tiling.holes + tiling.gaps + tiling.overlaps + tiling.badSums > 0
}
