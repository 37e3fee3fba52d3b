import { readFile } from 'node:fs/promises'
import { Parser } from '@asyncapi/parser'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectral from '@stoplight/spectral-core'
import rulesets from '@stoplight/spectral-rulesets'
import t from 'tap'

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

// The judges are large: on a busy machine to load them alone takes a while.
t.setTimeout(300_000)

t.test('OpenAPI: Redocly and Spectral find nothing wrong', async (t) => {
  const source = await file('docs/openapi.json')
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // 101 is what a socket is answered with.
      'operation-2xx-response': 'off',
      // `npm start` listens there, and tools that know no other server take the first.
      'no-server-example.com': 'off',
      // Named for SDKs, in the extension of GET /ws, which the rule does not look into.
      'no-unused-components': 'off',
    },
  })
  const found = await lintFromString({ source, absoluteRef: 'openapi.json', config })
  t.strictSame(
    found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    [],
  )
  const linter = new spectral.Spectral()
  linter.setRuleset({
    extends: [[rulesets.oas as never, 'all']],
    rules: {
      'operation-success-response': 'off',
      // Each server has an operator of its own: there is one name for all, and no address.
      'contact-properties': 'off',
      // `identifier` says it, since OpenAPI 3.1.
      'license-url': 'off',
      // They stand in the order in which one meets them.
      'openapi-tags-alphabetical': 'off',
    },
  })
  const results = await linter.run(source)
  t.strictSame(
    results.map(({ code, message, path }) => [code, message, path.join('/')]),
    [],
  )
})

t.test('AsyncAPI: its own parser and Spectral find nothing wrong', async (t) => {
  const { document, diagnostics } = await new Parser().parse(await file('docs/asyncapi.json'))
  // It would have the newest version of AsyncAPI, which fewer tools can read.
  const found = diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version')
  t.strictSame(
    found.map(({ code, message, path }) => [code, message, path.join('/')]),
    [],
  )
  t.equal(document?.version(), '3.0.0')

  const linter = new spectral.Spectral()
  linter.setRuleset({
    extends: [[rulesets.asyncapi as never, 'all']],
    rules: {
      // Each server has an operator of its own, as above.
      'asyncapi-info-contact-properties': 'off',
      // The name says it: a link would be one more thing to keep alive.
      'asyncapi-info-license-url': 'off',
      // As above: fewer tools can read the newest version.
      'asyncapi-latest-version': 'off',
    },
  })
  const results = await linter.run(await file('docs/asyncapi.json'))
  t.strictSame(
    results.map(({ code, message, path }) => [code, message, path.join('/')]),
    [],
  )
})
