// What a link to the page says: which symbol, timeframe, transport and theme. Defaults are left out, what can't be
// understood is taken as the default, and other parameters are left alone.

import { transportNames, type TransportName } from '../client/transport.ts'

export const timeframes = ['1s', '5s', '1m', '5m', '15m', '1h', '1d'] as const
export type Timeframe = (typeof timeframes)[number]
export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

export interface PageState {
  symbol: string
  interval: Timeframe
  transport: 'auto' | TransportName
  theme: Theme
}

export const defaults: PageState = { symbol: 'AAPL', interval: '1m', transport: 'auto', theme: 'system' }

export function readURL(search: string): PageState {
  const params = new URLSearchParams(search)
  const symbol = params.get('symbol')?.toUpperCase() ?? ''
  return {
    symbol: /^[A-Z0-9._/-]{1,32}$/.test(symbol) ? symbol : defaults.symbol,
    interval: oneOf(timeframes, params.get('interval')?.toLowerCase()) ?? defaults.interval,
    transport: oneOf(transportNames, params.get('transport')) ?? defaults.transport,
    theme: oneOf(themes, params.get('theme')) ?? defaults.theme,
  }
}

/** The query, with its "?", or '' when there is none. */
export function writeURL(search: string, state: PageState): string {
  const params = new URLSearchParams(search)
  for (const name of ['symbol', 'interval', 'transport', 'theme'] as const) {
    if (state[name] === defaults[name]) params.delete(name)
    else params.set(name, state[name])
  }
  const text = params.toString()
  return text === '' ? '' : `?${text}`
}

function oneOf<T extends string>(list: readonly T[], value: string | null | undefined): T | undefined {
  return list.find((item) => item === value)
}
