// The theme is an attribute of the page's root. "system" is the lack of it: then the style sheet asks the browser.

import type { Theme } from './url.ts'

const darkQuery = matchMedia('(prefers-color-scheme: dark)')
const stillQuery = matchMedia('(prefers-reduced-motion: reduce)')

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

/** Calls back when the browser's own theme changes; the result ends that. */
export function onSystemTheme(changed: () => void): () => void {
  darkQuery.addEventListener('change', changed)
  return () => {
    darkQuery.removeEventListener('change', changed)
  }
}

export function wantsStillness(): boolean {
  return stillQuery.matches
}

/** The colours of the style sheet, for what is drawn without it. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
