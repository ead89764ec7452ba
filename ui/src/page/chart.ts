// The candles and volumes on a canvas: all that touches lightweight-charts. It is loaded apart from the page, so that
// the first price does not wait for it.

import {
  CandlestickSeries,
  ColorType,
  createChart,
  CrosshairMode,
  HistogramSeries,
  type CandlestickData,
  type HistogramData,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from 'lightweight-charts'
import type { Bar } from '../client/messages.ts'
import { colour } from './theme.ts'

export interface ChartEvents {
  /** The start of the bar under the crosshair, in microseconds, or undefined when it has left. */
  onCrosshair(ts: number | undefined): void
  /** The first bars have come into sight. */
  onNeedOlder(): void
  /** The newest bar is in sight, or no longer. */
  onLive(live: boolean): void
}

const fewBarsLeft = 30

export class CandleChart {
  private readonly chart: IChartApi
  private readonly candles: ISeriesApi<'Candlestick'>
  private readonly volumes: ISeriesApi<'Histogram'>
  private bars = 0
  private volumeColours = { up: '', down: '' }

  constructor(element: HTMLElement, events: ChartEvents) {
    this.chart = createChart(element, {
      autoSize: true,
      // The library's own logo brings an inline style sheet, which a strict content policy refuses; the page shows the
      // same mark and link itself.
      layout: { attributionLogo: false, fontFamily: getComputedStyle(element).fontFamily, fontSize: 12 },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { rightOffset: 4, barSpacing: 7, minBarSpacing: 1 },
    })
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: false })
    // The legend lies over the top, in two lines where the chart is narrow.
    const top = element.clientWidth < 480 ? 0.16 : 0.1
    this.candles.priceScale().applyOptions({ scaleMargins: { top, bottom: 0.24 } })
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    })
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } })
    this.chart.subscribeCrosshairMove(({ time }) => {
      events.onCrosshair(typeof time === 'number' ? time * 1e6 : undefined)
    })
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range === null || this.bars === 0) return
      if (range.from < fewBarsLeft) events.onNeedOlder()
      events.onLive(range.to >= this.bars - 1)
    })
    this.paint()
  }

  /** Draws all bars. `fresh` shows the newest; else the view stays where it is. */
  drawAll(bars: readonly Bar[], fresh: boolean): void {
    const scale = this.chart.timeScale()
    const before = scale.getVisibleLogicalRange()
    const added = bars.length - this.bars
    const atEnd = scale.scrollPosition() >= 0
    this.bars = bars.length
    this.candles.setData(bars.map(candle))
    this.volumes.setData(bars.map((bar) => this.volume(bar)))
    if (fresh) {
      scale.resetTimeScale()
    } else if (!atEnd && before !== null && added > 0) {
      // Older bars came in on the left: what was in sight stays in sight.
      scale.setVisibleLogicalRange({ from: before.from + added, to: before.to + added })
    }
  }

  /** Draws a change of the newest bar, or the next one. */
  drawLast(bar: Bar, bars: number): void {
    this.bars = bars
    this.candles.update(candle(bar))
    this.volumes.update(this.volume(bar))
  }

  configure(decimals: number, interval: string): void {
    this.candles.applyOptions({ priceFormat: { type: 'price', precision: decimals, minMove: 10 ** -decimals } })
    this.chart.applyOptions({ timeScale: { timeVisible: interval !== '1d', secondsVisible: interval.endsWith('s') } })
  }

  /** Takes the colours of the style sheet anew; the volumes need all bars, since each has its own. */
  paint(bars: readonly Bar[] = []): void {
    const [text, grid, line] = [colour('muted'), colour('grid'), colour('line')]
    this.volumeColours = { up: colour('volume-up'), down: colour('volume-down') }
    this.chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: colour('panel') }, textColor: text },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
      crosshair: {
        vertLine: { color: text, labelBackgroundColor: colour('label') },
        horzLine: { color: text, labelBackgroundColor: colour('label') },
      },
    })
    const [up, down] = [colour('candle-up'), colour('candle-down')]
    this.candles.applyOptions({ upColor: up, wickUpColor: up, downColor: down, wickDownColor: down })
    if (bars.length > 0) this.volumes.setData(bars.map((bar) => this.volume(bar)))
  }

  goLive(): void {
    this.chart.timeScale().scrollToRealTime()
  }

  destroy(): void {
    this.chart.remove()
  }

  private volume(bar: Bar): HistogramData<UTCTimestamp> {
    const color = bar.c >= bar.o ? this.volumeColours.up : this.volumeColours.down
    return { time: seconds(bar), value: bar.v, color }
  }
}

function candle(bar: Bar): CandlestickData<UTCTimestamp> {
  return { time: seconds(bar), open: bar.o, high: bar.h, low: bar.l, close: bar.c }
}

function seconds(bar: Bar): UTCTimestamp {
  return (bar.ts / 1e6) as UTCTimestamp
}
