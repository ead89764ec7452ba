import { useComputed, type ReadonlySignal } from '@preact/signals'
import { tone } from './summary.tsx'

const width = 60
const height = 26

/** A line of recent prices. It is decoration: what it shows is also in the row's figures. */
export function Sparkline({ points }: { points: ReadonlySignal<readonly number[]> }) {
  const path = useComputed(() => linePath(points.value, width, height))
  const colours = useComputed(() => `spark ${tone((points.value.at(-1) ?? 0) - (points.value[0] ?? 0))}`)
  return (
    <svg class={colours} viewBox={`0 0 ${width} ${height}`} height={height} aria-hidden="true">
      <path d={path} />
    </svg>
  )
}

/** An SVG path through the values, the lowest at the bottom, with room for the stroke. */
export function linePath(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return ''
  const low = Math.min(...values)
  const span = Math.max(...values) - low
  const step = (width - 2) / (values.length - 1)
  const y = (value: number) => (span === 0 ? height / 2 : height - 2 - ((value - low) / span) * (height - 4))
  return values.map((value, i) => `${i === 0 ? 'M' : 'L'}${(1 + i * step).toFixed(1)} ${y(value).toFixed(1)}`).join('')
}
