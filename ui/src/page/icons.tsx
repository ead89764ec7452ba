/** The mark of the product: three candles on a tape. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect class="logo-ground" width="32" height="32" rx="8" />
      <path class="logo-wick" d="M9 8v16M16 6v18M23 9v16" />
      <rect class="logo-down" x="6.5" y="12" width="5" height="8" rx="1" />
      <rect class="logo-up" x="13.5" y="9" width="5" height="10" rx="1" />
      <rect class="logo-up" x="20.5" y="12" width="5" height="9" rx="1" />
    </svg>
  )
}

const paths = {
  pause: 'M6 4h3v12H6zM11 4h3v12h-3z',
  play: 'M6 3.5v13l10.5-6.5z',
  system: 'M3 4h14v9H3zM7 16.5h6M10 13v3.5',
  light:
    'M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.5 1.5M14.2 14.2l1.5 1.5M4.3 15.7l1.5-1.5M14.2 5.8l1.5-1.5',
  dark: 'M16 12.2A6.5 6.5 0 0 1 7.8 4 6.5 6.5 0 1 0 16 12.2z',
  search: 'M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4',
  table: 'M3 4h14v12H3zM3 8h14M3 12h14M8 8v8',
} as const

export function Icon({ name }: { name: keyof typeof paths }) {
  const filled = name === 'pause' || name === 'play'
  return (
    <svg class={filled ? 'icon filled' : 'icon'} viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
