import { readFile } from 'node:fs/promises'
import t from 'tap'
import { apiInfo } from '../../schemas/document.ts'

t.test('the changelog begins with the versions of the server, the client and the protocol', async (t) => {
  const changelog = await readFile('CHANGELOG.md', 'utf8')
  const [, version, entry] =
    /^## \[Unreleased\]\n(?:[^]*?\n)?## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d\n([^]*)/m.exec(changelog) ?? []
  for (const path of ['package.json', 'client/package.json'])
    t.equal(JSON.parse(await readFile(path, 'utf8')).version, version, path)
  t.match(entry, new RegExp(`^\nProtocol ${RegExp.escape(apiInfo.version)}\\.\n`))
})
