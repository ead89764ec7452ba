// The node's answers to single questions: the universe, and the bars of the past.

import type { Bar } from '../client/messages.ts'
import { parseRefusal } from '../client/parse.ts'
import type { Instrument } from './market.ts'

export async function getInstruments(): Promise<Instrument[]> {
  const { symbols } = (await get('/v1/symbols')) as { symbols: Instrument[] }
  return symbols
}

/** The last `limit` bars, ascending, the open one last; or the last before `end` (microseconds). */
export async function getBars(
  symbol: string,
  interval: string,
  options: { limit: number; end?: number; signal?: AbortSignal },
): Promise<Bar[]> {
  const params = new URLSearchParams({ symbol, interval, limit: String(options.limit) })
  if (options.end !== undefined) params.set('end', new Date(options.end / 1000).toISOString())
  const { bars } = (await get(`/v1/bars?${params.toString()}`, options.signal)) as { bars: Bar[] | null }
  return bars ?? []
}

async function get(path: string, signal?: AbortSignal): Promise<unknown> {
  const answer = await fetch(path, signal === undefined ? {} : { signal })
  const text = await answer.text()
  if (!answer.ok) throw new Error(parseRefusal(text)?.message ?? `${path} was refused (${answer.status})`)
  return JSON.parse(text)
}
