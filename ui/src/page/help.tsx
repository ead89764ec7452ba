import type { RefObject } from 'preact'
import type { Session } from './session.ts'

const keys: readonly [string, string][] = [
  ['/', 'Search symbols; Enter takes the first'],
  ['↑ ↓ Enter', 'Move in the watchlist, choose'],
  ['1 – 7', 'Timeframe from 1 second to 1 day'],
  ['Space or P', 'Hold the screen still, and go on'],
  ['?', 'This help'],
]

export function Help({ session, dialog }: { session: Session; dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title">
      <h2 id="help-title">Tapecast</h2>
      <p>
        The market on this page is simulated. Every trade and quote is numbered; the page checks that each comes once,
        whatever the connection does, and shows the result at the foot.
      </p>
      <h3>Keys</h3>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h3>Reading aloud</h3>
      <label class="check">
        <input
          type="checkbox"
          checked={session.announce.value}
          onChange={(event) => {
            session.announce.value = event.currentTarget.checked
          }}
        />
        Announce the chosen price every 10 seconds
      </label>
      <h3>Notices</h3>
      <p class="muted">
        TradingView Lightweight Charts™. Copyright © 2025 TradingView, Inc.{' '}
        <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          tradingview.com
        </a>
      </p>
      <p class="help-end">
        <button type="button" class="button accent" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </p>
    </dialog>
  )
}
