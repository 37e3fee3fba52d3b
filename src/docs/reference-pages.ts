import { asyncApi } from './asyncapi.ts'
import { closeCodes } from '../close-codes.ts'
import { errors } from '../errors.ts'

type Schema = {
  $ref?: string
  type?: string
  const?: string
  'x-extensible-enum'?: string[]
  items?: Schema
  format?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
}
type Message = { name: string; title: string; summary?: string; examples?: { payload: object }[] }

/** @returns the page of the HTTP API. Swagger UI fills it from /openapi.json. */
export const httpPage = () =>
  page(
    'HTTP API',
    '/docs',
    '<link rel="stylesheet" href="/docs/swagger-ui.css">',
    `<section class="access" aria-label="Access">
      <form id="login" hidden>
        <label>Username <input name="username" autocomplete="username" maxlength="64" required></label>
        <label>Password (if the account has one) <input name="password" type="password" autocomplete="current-password"></label>
        <button>Log in</button>
      </form>
      <form id="logout" hidden>
        <span>Logged in as <strong id="who"></strong>. “Try it out” uses this token.</span>
        <button name="leave">Log out</button>
      </form>
      <p id="login-note" role="alert"></p>
    </section>
    <main id="reference"><noscript><p>This page needs JavaScript. Without it, read <a href="/openapi.json">openapi.json</a>.</p></noscript></main>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script type="module" src="/docs/reference.js"></script>`,
    'light',
  )

/** @returns the page of the socket, generated from its AsyncAPI document */
export const socketPage = () => {
  const { channels, operations, components, info } = asyncApi()
  const schemas = components.schemas as Record<string, Schema>
  const messages = components.messages as Record<string, Message>
  const all = Object.entries(operations) as [string, Operation][]
  const stream = all.filter(([, { channel }]) => channel.$ref === '#/channels/stream')
  const framesOf = (wanted: string) =>
    stream
      .filter(([, { action }]) => action === wanted)
      .map(([, operation]) => ({
        ...operation,
        name: last((operation.messages[0] as { $ref: string }).$ref),
      }))
  const [received, sent] = [framesOf('receive'), framesOf('send')]
  const frames = new Set([...received, ...sent].map(({ name }) => name))
  const parts = Object.keys(schemas).filter((name) => !frames.has(name))

  const frame = ({ name, reply }: { name: string; reply?: Operation['reply'] }) => {
    const { title, summary, examples = [] } = messages[name] as Message
    const answers = reply?.messages.map(({ $ref }) => link(last($ref), messages[last($ref)]?.title))
    return `<h3 id="${name}"><code>${title}</code></h3>
      ${paragraphs(summary)}
      ${members(schemas[name] as Schema)}
      ${answers ? `<p class="soft">Answered by ${answers.join(' or ')}.</p>` : ''}
      ${examples.map(({ payload }) => code(payload)).join('\n')}`
  }
  const list = (title: string, entries: string[]) => `<h2>${title}</h2><ul>${entries.join('')}</ul>`
  const entry = (id: string, text: string) => `<li><a href="#${id}">${escape(text)}</a></li>`
  const entries = (some: { name: string }[]) =>
    some.map(({ name }) => entry(name, messages[name]?.title as string))

  return page(
    'Socket',
    '/docs/socket',
    '',
    `<div class="columns">
      <nav class="contents" aria-label="On this page">
        ${list('Connecting', [entry('connecting', 'messenger.v1'), entry('plain', 'Plain socket')])}
        ${list('Client frames', entries(received))}
        ${list('Server frames', entries(sent))}
        ${list(
          'Schemas',
          parts.map((name) => entry(name, name)),
        )}
        ${list('Closing and errors', [entry('closing', 'Close codes'), entry('errors', 'Errors')])}
      </nav>
      <main>
        <h1>The socket</h1>
        ${paragraphs(info.description)}
        <h2 id="connecting"><code>GET /ws</code>, ${escape(channels.stream.title)}</h2>
        ${paragraphs(channels.stream.description)}
        <p>Send the token in one of two ways:</p>
        ${table(
          ['Where', 'How'],
          Object.values(components.securitySchemes).map((scheme) => [
            'name' in scheme ? `<code>${scheme.name}</code>` : '<code>Authorization: Bearer</code>',
            rich(scheme.description),
          ]),
        )}
        <h2 id="plain">${escape(channels.plain.title)}</h2>
        ${paragraphs(channels.plain.description)}
        <h2>Client frames</h2>
        <p>${rich(components.correlationIds.frameId.description)}</p>
        ${received.map(frame).join('\n')}
        <h2>Server frames</h2>
        ${sent.map(frame).join('\n')}
        <h2>Schemas</h2>
        ${parts
          .map((name) => {
            const schema = schemas[name] as Schema
            return `<h3 id="${name}">${name}</h3>${paragraphs(schema.description)}${schema.properties ? members(schema) : `<p>${typeOf(schema)}</p>`}`
          })
          .join('\n')}
        <h2 id="closing">Close codes</h2>
        ${table(
          ['Code', 'Name', 'Reason', 'Reconnect?'],
          Object.entries(closeCodes).map(([number, { name, why, reconnect }]) => [
            `<code>${number}</code>`,
            escape(name),
            rich(why),
            reconnectTexts[reconnect],
          ]),
        )}
        <h2 id="errors">Errors</h2>
        <p>The values of <code>code</code> in a <a href="#Problem">Problem</a>, over HTTP and in <a href="#ErrorFrame"><code>error</code></a> frames.</p>
        ${table(
          ['Code', 'Status', 'Title', 'Retry?'],
          Object.entries(errors).map(([name, error]) => [
            `<code>${name}</code>`,
            String(error.status),
            escape(error.title),
            'retryable' in error ? 'yes, later' : 'no',
          ]),
        )}
      </main>
    </div>`,
  )
}

type Operation = {
  action: string
  channel: { $ref: string }
  messages: { $ref: string }[]
  reply?: { messages: { $ref: string }[] }
}

const reconnectTexts = {
  resume: 'yes, after a random delay that grows',
  renew: 'yes, with a new token',
  fix: 'no, change something first',
}

const page = (title: string, path: string, head: string, body: string, scheme = '') => `<!doctype html>
<html lang="en"${scheme && ` class="${scheme}"`}>
  <head>
    <meta charset="utf-8">
    <title>${title}, Messenger</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    ${head}
    <link rel="stylesheet" href="/docs/reference.css">
    <link rel="icon" href="/docs/favicon-32x32.png">
  </head>
  <body>
    <header class="bar">
      <strong>Messenger</strong>
      <a href="/docs"${current('/docs', path)}>HTTP API</a>
      <a href="/docs/socket"${current('/docs/socket', path)}>Socket</a>
      <span class="files"><a href="/openapi.json">openapi.json</a><a href="/asyncapi.json">asyncapi.json</a></span>
    </header>
    ${body}
  </body>
</html>
`

const current = (path: string, here: string) => (path === here ? ' aria-current="page"' : '')

const members = ({ properties = {}, required = [] }: Schema) =>
  table(
    ['Member', 'Type', ''],
    Object.entries(properties).map(([name, schema]) => [
      `<code>${name}</code>${required.includes(name) ? '' : ' <span class="soft">optional</span>'}`,
      typeOf(schema),
      rich(schema.description ?? ''),
    ]),
  )

const typeOf = ({ $ref, type, items, const: only, 'x-extensible-enum': known, format }: Schema): string => {
  if ($ref) return link(last($ref), last($ref))
  if (items) return `array of ${typeOf(items)}`
  if (only) return `<code>${escape(only)}</code>`
  if (known) return known.map((value) => `<code>${escape(value)}</code>`).join(', ')
  return format === 'date-time' ? 'time' : escape(type as string)
}

const table = (head: string[], rows: string[][]) =>
  `<div class="wide"><table><thead><tr>${head.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</tbody></table></div>`

const link = (id: string, text = id) => `<a href="#${id}"><code>${escape(text)}</code></a>`
const last = (ref: string) => ref.slice(ref.lastIndexOf('/') + 1)
const code = (value: object) => `<pre><code>${escape(JSON.stringify(value, null, 2))}</code></pre>`

const paragraphs = (text = '') =>
  text
    .split('\n\n')
    .map((part) => `<p>${rich(part)}</p>`)
    .join('\n')

/** Escapes text and renders `code` in backquotes. */
const rich = (text: string) => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')

const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
