import './style/base.css'
import './style/layout.css'
import './style/header.css'
import './style/chart.css'
import './style/lists.css'
import './style/foot.css'
import './style/narrow.css'
import { render } from 'preact'
import { App } from './page/app.tsx'
import { expose } from './page/debug.ts'
import { Session } from './page/session.ts'

const session = new Session()
expose(session)
const root = document.getElementById('app')
if (root !== null) render(<App session={session} />, root)
