import type { Choice } from '../client/connector.ts'
import { Badge } from './badge.tsx'
import { Icon, Logo } from './icons.tsx'
import type { Session } from './session.ts'
import { themes } from './url.ts'

const transports: readonly [Choice, string][] = [
  ['auto', 'Auto'],
  ['ws', 'WebSocket'],
  ['sse', 'SSE'],
  ['long-poll', 'Long poll'],
  ['short-poll', 'Short poll'],
]

export function Header({ session, onHelp }: { session: Session; onHelp: () => void }) {
  return (
    <header class="bar">
      <h1 class="brand">
        <Logo />
        Tapecast
      </h1>
      <strong class="simulated">SIMULATED DATA</strong>
      <Badge session={session} />
      <div class="controls">
        <TransportPicker session={session} />
        <PauseButton session={session} />
        <ThemeButton session={session} />
        <button type="button" class="button square" onClick={onHelp} aria-label="Help" title="Help (?)">
          ?
        </button>
      </div>
    </header>
  )
}

function TransportPicker({ session }: { session: Session }) {
  return (
    <label class="picker">
      <span class="picker-label">Transport</span>
      <select
        class="button"
        aria-label="Transport"
        value={session.transport.value}
        onChange={(event) => {
          session.use(event.currentTarget.value as Choice)
        }}
      >
        {transports.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  )
}

function PauseButton({ session }: { session: Session }) {
  const paused = session.paused.value
  return (
    <button
      type="button"
      class={paused ? 'button accent' : 'button'}
      aria-pressed={paused}
      title={paused ? 'Show the live market again (Space)' : 'Hold the screen still (Space); nothing is lost'}
      onClick={() => {
        session.paused.value = !paused
      }}
    >
      <Icon name={paused ? 'play' : 'pause'} />
      <span class="wide-only">{paused ? 'Resume' : 'Pause'}</span>
    </button>
  )
}

function ThemeButton({ session }: { session: Session }) {
  const theme = session.theme.value
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system'
  return (
    <button
      type="button"
      class="button square"
      aria-label={`Theme: ${theme}. Change to ${next}`}
      title={`Theme: ${theme}`}
      onClick={() => {
        session.theme.value = next
      }}
    >
      <Icon name={theme} />
    </button>
  )
}
