import { readFileSync } from 'node:fs'
import t from 'tap'
import { clientFrames } from '../../schemas/client-frames.ts'
import { feedEvents } from '../../schemas/feed.ts'
import { serverFrames } from '../../schemas/server-frames.ts'
import { closeCodes } from '../../src/close-codes.ts'

const text = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')

t.test('PROTOCOL.md lists exactly the close codes of the server', async (t) => {
  const rows = [...text.matchAll(/^\| (\d{4}) \| ([^|]+) \| (\w+) \| (.+) \|$/gm)].map(
    ([, code, name, reconnect, why]) => [code, { name, reconnect, why }],
  )
  t.strictSame(Object.fromEntries(rows), closeCodes)
})

t.test('PROTOCOL.md names every frame', async (t) => {
  const section = (title: string) => text.split(`## ${title}`)[1]?.split('\n## ')[0] ?? ''
  const namesIn = (part: string) =>
    [...part.matchAll(/^\| ((?:`\w+`(?:, )?)+)/gm)].flatMap(([, names]) =>
      [...(names as string).matchAll(/`(\w+)`/g)].map(([, name]) => name),
    )
  t.strictSame(namesIn(section('What you send')), Object.keys(clientFrames))
  t.strictSame(namesIn(section('What you receive')).sort(), Object.keys(serverFrames).sort())
})

t.test('PROTOCOL.md names every event of the feed', async (t) => {
  const section = text.split('## For backends')[1]?.split('\n## ')[0] ?? ''
  const names = [...section.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell]) =>
    (cell as string).split(', ').map((name) => name.slice(1, -1)),
  )
  t.strictSame(names.sort(), ['type', ...Object.keys(feedEvents)].sort())
})
