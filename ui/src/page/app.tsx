import { useRef } from 'preact/hooks'
import { Announcer } from './announcer.tsx'
import { Banner } from './banner.tsx'
import { ChartPanel } from './chart-panel.tsx'
import { Footer } from './footer.tsx'
import { Header } from './header.tsx'
import { Help } from './help.tsx'
import { useKeys } from './keys.ts'
import type { Session } from './session.ts'
import { Summary } from './summary.tsx'
import { Tape } from './tape.tsx'
import { Watchlist } from './watchlist.tsx'

export function App({ session }: { session: Session }) {
  const help = useRef<HTMLDialogElement>(null)
  const search = useRef<HTMLInputElement>(null)
  const toggleHelp = () => {
    if (help.current?.open === true) help.current.close()
    else help.current?.showModal()
  }
  useKeys(session, { toggleHelp, search: () => search.current?.focus() })
  return (
    <>
      <Header session={session} onHelp={toggleHelp} />
      <Banner session={session} />
      <main>
        <Watchlist session={session} search={search} />
        <section class="panel chart-panel" aria-label="Chart">
          <Summary session={session} />
          <ChartPanel session={session} />
        </section>
        <Tape session={session} />
      </main>
      <Footer session={session} />
      <Announcer session={session} />
      <Help session={session} dialog={help} />
    </>
  )
}
