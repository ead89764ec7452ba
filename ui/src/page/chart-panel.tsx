import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { Attribution } from './attribution.tsx'
import { BarsTable } from './bars-table.tsx'
import type { CandleChart } from './chart.ts'
import { price } from './format.ts'
import { Icon } from './icons.tsx'
import { Legend } from './legend.tsx'
import type { Session } from './session.ts'
import { onSystemTheme } from './theme.ts'
import { timeframes } from './url.ts'

const labels: Record<string, string> = { '1d': '1D' }

export function ChartPanel({ session }: { session: Session }) {
  const chart = useSignal<CandleChart | undefined>(undefined)
  const crosshair = useSignal<number | undefined>(undefined)
  const live = useSignal(true)
  const table = useSignal(false)
  const detail = session.detail.value
  return (
    <>
      <div class="toolbar">
        <div class="timeframes" role="group" aria-label="Timeframe">
          {timeframes.map((interval, i) => (
            <button
              key={interval}
              type="button"
              class="segment"
              aria-pressed={session.interval.value === interval}
              title={`Key ${i + 1}`}
              onClick={() => {
                session.interval.value = interval
              }}
            >
              {labels[interval] ?? interval}
            </button>
          ))}
        </div>
        {!live.value && (
          <button type="button" class="button accent" onClick={() => chart.value?.goLive()}>
            Go to live
          </button>
        )}
        <button
          type="button"
          class="button push"
          aria-pressed={table.value}
          title="View the bars as a table"
          onClick={() => {
            table.value = !table.value
          }}
        >
          <Icon name="table" />
          <span>Table</span>
        </button>
      </div>
      <div class="chart-area">
        <Legend session={session} crosshair={crosshair} />
        <Canvas
          session={session}
          chart={chart}
          onCrosshair={(ts) => (crosshair.value = ts)}
          onLive={(is) => (live.value = is)}
        />
        {detail?.loading.value === true && detail.candles.last() === undefined && (
          <p class="chart-note">Loading bars …</p>
        )}
        {detail?.failure.value !== undefined && (
          <p class="chart-note">
            No history: {detail.failure.value}{' '}
            <button type="button" class="button" onClick={() => void detail.load()}>
              Try again
            </button>
          </p>
        )}
        <Attribution />
      </div>
      {table.value && detail !== undefined && (
        <BarsTable detail={detail} decimals={session.market.decimals(detail.symbol)} />
      )}
    </>
  )
}

interface CanvasProps {
  session: Session
  chart: { value: CandleChart | undefined }
  onCrosshair: (ts: number | undefined) => void
  onLive: (live: boolean) => void
}

/** The canvas itself. A chart lives as long as the page; a detail gives it its bars while it is the chosen one. */
function Canvas({ session, chart, onCrosshair, onLive }: CanvasProps) {
  const element = useRef<HTMLDivElement>(null)
  const detail = session.detail.value
  const theme = session.theme.value
  const last = session.market.listing(session.symbol.value).row.value
  const decimals = session.market.decimals(session.symbol.value)

  useEffect(() => {
    let made: CandleChart | undefined
    let gone = false
    const make = async (): Promise<void> => {
      const { CandleChart } = await import('./chart.ts')
      if (gone || element.current === null) return
      const onNeedOlder = () => void session.detail.peek()?.loadOlder()
      chart.value = made = new CandleChart(element.current, { onCrosshair, onLive, onNeedOlder })
    }
    void make()
    return () => {
      gone = true
      chart.value = undefined
      made?.destroy()
    }
  }, [])

  useEffect(() => {
    const drawn = chart.value
    if (drawn === undefined || detail === undefined) return undefined
    let fresh = true
    drawn.drawAll([], true)
    detail.listen((drawing) => {
      const bars = detail.candles.all()
      if (drawing === 'all') {
        drawn.drawAll(bars, fresh)
        fresh = bars.length === 0
      } else {
        for (const bar of drawing) drawn.drawLast(bar, bars.length)
      }
    })
    return () => {
      detail.listen(undefined)
    }
  }, [chart.value, detail])

  useEffect(() => {
    chart.value?.configure(decimals, session.interval.value)
  }, [chart.value, decimals, session.interval.value])

  useEffect(() => {
    const repaint = () => chart.value?.paint(session.detail.peek()?.candles.all())
    repaint()
    return onSystemTheme(repaint)
  }, [chart.value, theme])

  const label = last === undefined ? 'no price yet' : `last price ${price(last.price, decimals)}`
  return <div ref={element} class="canvas" role="img" aria-label={`Candles of ${session.symbol.value}, ${label}`} />
}
