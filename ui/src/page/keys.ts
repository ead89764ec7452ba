import { useEffect } from 'preact/hooks'
import type { Session } from './session.ts'
import { timeframes } from './url.ts'

interface Actions {
  toggleHelp(): void
  search(): void
}

/** The keys that work anywhere on the page. Where text is typed they are text, and a button keeps its own Space. */
export function useKeys(session: Session, actions: Actions): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || takesText(event.target)) return
      if (!act(event)) return
      event.preventDefault()
    }
    const act = ({ key, target }: KeyboardEvent): boolean => {
      const timeframe = timeframes[Number(key) - 1]
      if (timeframe !== undefined) session.interval.value = timeframe
      else if (key === '/') actions.search()
      else if (key === '?') actions.toggleHelp()
      else if (key === 'p' || (key === ' ' && !hasOwnSpace(target))) session.paused.value = !session.paused.value
      else return false
      return true
    }
    addEventListener('keydown', pressed)
    return () => {
      removeEventListener('keydown', pressed)
    }
  }, [session])
}

function takesText(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type !== 'checkbox'
}

function hasOwnSpace(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('button, select, a, summary, input, dialog') !== null
}
