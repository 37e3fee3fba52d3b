/* global SwaggerUIBundle */

/** The key in sessionStorage, which survives a reload and is deleted with the tab. */
const KEY = 'messenger:docs'

const byId = (id) => document.getElementById(id)
const [login, logout, note] = [byId('login'), byId('logout'), byId('login-note')]

const readSession = () => {
  const session = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
  return session && Date.parse(session.expires_at) > Date.now() ? session : undefined
}

/** @returns the OpenAPI document for Swagger UI, with this server and with examples that can be sent repeatedly */
const loadDocument = async () => {
  const document = await (await fetch('/openapi.json')).json()
  // The Content-Security-Policy of this page allows no other server.
  document.servers = [{ url: location.origin }]
  // A changed example with the same key would be refused with 422.
  for (const example of document.components.schemas.SendRequest.examples) delete example.client_id
  return document
}

const createReference = async () => {
  const spec = await loadDocument()
  return new Promise((resolve) => {
    const ui = SwaggerUIBundle({
      spec,
      dom_id: '#reference',
      deepLinking: true,
      docExpansion: 'list',
      filter: true,
      defaultModelsExpandDepth: 0,
      // This script stores the session, for this tab only.
      persistAuthorization: false,
      // Swagger UI would send the document to a validator on another host.
      validatorUrl: null,
      onComplete: () => resolve(ui),
    })
  })
}

const show = (session) => {
  login.hidden = session !== undefined
  logout.hidden = session === undefined
  byId('who').textContent = session?.user.username ?? ''
  note.textContent = ''
}

/** @returns the reply of the server; undefined, with a note on the page, if the request fails */
const post = async (path, init) => {
  try {
    return await fetch(path, { method: 'POST', ...init })
  } catch {
    note.textContent = 'The server cannot be reached. Try again.'
    return undefined
  }
}

const ui = await createReference()
const authorize = (session) => {
  if (session) ui.preauthorizeApiKey('bearerToken', session.token)
  else ui.authActions.logout(['bearerToken'])
}

const onSubmit = (form, act) => {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void act()
  })
}

let session = readSession()
show(session)
if (session) authorize(session)

onSubmit(login, async () => {
  const { username, password } = login.elements
  const body = { username: username.value, ...(password.value && { password: password.value }) }
  const reply = await post('/login', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!reply) return
  if (!reply.ok) {
    const { code, detail } = await reply.json()
    note.textContent = detail
    if (code === 'PASSWORD_REQUIRED' || code === 'INVALID_CREDENTIALS') password.focus()
    return
  }
  session = await reply.json()
  sessionStorage.setItem(KEY, JSON.stringify(session))
  password.value = ''
  authorize(session)
  show(session)
  logout.elements.leave.focus()
})

onSubmit(logout, async () => {
  // A 401 means that the token has already ended, which is the same result as 204.
  if (!(await post('/logout', { headers: { authorization: `Bearer ${session.token}` } }))) return
  session = undefined
  sessionStorage.removeItem(KEY)
  authorize(session)
  show(session)
  login.elements.username.focus()
})
