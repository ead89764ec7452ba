// The handle that browser tests, and the curious, read the page's inner figures by: `tapecast` in the console.

import type { TapecastClient } from '../client/client.ts'
import type { Tiling } from './meter.ts'
import type { Session } from './session.ts'

export interface DebugHandle {
  /** The clients that are open now: the watchlist's, then the chosen symbol's. */
  clients(): TapecastClient[]
  /** The tiling of all clients since the page was opened, the closed ones with them. */
  tiling(): Tiling | undefined
  /** The last trade of a symbol. */
  lastSeq(symbol: string): number | undefined
}

declare global {
  interface Window {
    tapecast?: DebugHandle
  }
}

export function expose(session: Session): void {
  window.tapecast = {
    clients: () => session.clients(),
    tiling: () => session.meter.tiling(session.clients()),
    lastSeq: (symbol) => session.clients()[0]?.lastSeq(symbol, 'trades'),
  }
}
