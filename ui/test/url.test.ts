import { describe, expect, it } from 'vitest'
import { defaults, readURL, writeURL } from '../src/page/url.ts'

describe('the link to the page', () => {
  it('comes back as it was written', () => {
    const state = { symbol: 'BTCUSDT', interval: '5m', transport: 'long-poll', theme: 'dark' } as const
    expect(readURL(writeURL('', state))).toEqual(state)
  })

  it('leaves defaults out, and other parameters alone', () => {
    expect(writeURL('', defaults)).toBe('')
    expect(writeURL('?key=k&theme=dark', { ...defaults, symbol: 'MSFT' })).toBe('?key=k&symbol=MSFT')
  })

  it('takes what it can not understand as the default', () => {
    expect(readURL('?symbol=<script>&interval=2m&transport=pigeon&theme=pink')).toEqual(defaults)
    expect(readURL('?symbol=aapl&interval=1D')).toMatchObject({ symbol: 'AAPL', interval: '1d' })
  })
})
