import { readFile } from 'node:fs/promises'
import t from 'tap'
import { apiInfo } from '../../schemas/document.ts'

t.test('the changelog has the versions of the server, the client and the protocol', async (t) => {
  const changelog = await readFile('CHANGELOG.md', 'utf8')
  t.match(changelog, /^## \[Unreleased\]$/m)
  const [, version] = /^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$/m.exec(changelog) ?? []
  for (const path of ['package.json', 'client/package.json'])
    t.equal(JSON.parse(await readFile(path, 'utf8')).version, version, `${path} has the newest release`)
  const [, protocol] = /^Protocol (\d+\.\d+\.\d+)\.$/m.exec(changelog) ?? []
  t.equal(apiInfo.version, protocol, 'the newest entry that names a protocol, released or not')
})
