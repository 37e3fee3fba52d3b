import { readFile } from 'node:fs/promises'
import { Parser } from '@asyncapi/parser'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectral from '@stoplight/spectral-core'
import rulesets from '@stoplight/spectral-rulesets'
import t from 'tap'

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

// Loading these large linters takes long on a busy machine.
t.setTimeout(300_000)

t.test('Redocly and Spectral find no problem in the OpenAPI document', async (t) => {
  const source = await file('docs/openapi.json')
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // A WebSocket handshake is answered with 101.
      'operation-2xx-response': 'off',
      // `npm start` listens on this address, and tools without another server use the first one.
      'no-server-example.com': 'off',
      // SDKs use these names through the extension of GET /ws, which the rule does not read.
      'no-unused-components': 'off',
    },
  })
  const found = await lintFromString({ source, absoluteRef: 'openapi.json', config })
  t.strictSame(
    found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    [],
  )
  t.strictSame(
    await spectralFindings(rulesets.oas, source, {
      'operation-success-response': 'off',
      // Each server has its own operator, so the document names no address.
      'contact-properties': 'off',
      // `identifier` gives the licence since OpenAPI 3.1.
      'license-url': 'off',
      // The tags follow the order in which a reader needs them.
      'openapi-tags-alphabetical': 'off',
    }),
    [],
  )
})

t.test('the AsyncAPI parser and Spectral find no problem in the AsyncAPI document', async (t) => {
  const { document, diagnostics } = await new Parser().parse(await file('docs/asyncapi.json'))
  // The parser recommends the newest AsyncAPI version, which fewer tools support.
  const found = diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version')
  t.strictSame(
    found.map(({ code, message, path }) => [code, message, path.join('/')]),
    [],
  )
  t.equal(document?.version(), '3.0.0')

  t.strictSame(
    await spectralFindings(rulesets.asyncapi, await file('docs/asyncapi.json'), {
      // Each server has its own operator, as above.
      'asyncapi-info-contact-properties': 'off',
      // The name identifies the licence. A link needs maintenance.
      'asyncapi-info-license-url': 'off',
      // As above: fewer tools support the newest version.
      'asyncapi-latest-version': 'off',
    }),
    [],
  )
})

/**
 * Lints a document with all rules of a Spectral ruleset except those that are off.
 * @returns code, message and path of each finding
 */
const spectralFindings = async (ruleset: unknown, source: string, rules: Record<string, 'off'>) => {
  const linter = new spectral.Spectral()
  linter.setRuleset({ extends: [[ruleset as never, 'all']], rules })
  const results = await linter.run(source)
  return results.map(({ code, message, path }) => [code, message, path.join('/')])
}
