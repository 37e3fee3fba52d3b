import { byId, elementOf, setText } from './dom.ts'

export type LoginError = { code: string | undefined; message: string }

const HINT = 'Enter a name to start chatting.'

/**
 * Shows the login form. The password field appears when the server requires a password.
 * @param logIn resolves with the error if the login fails
 */
export const showLogin = (
  logIn: (username: string, password?: string) => Promise<LoginError | undefined>,
) => {
  const form = elementOf(HTMLFormElement, 'login-form')
  const [name, password] = [elementOf(HTMLInputElement, 'username'), elementOf(HTMLInputElement, 'password')]
  const [row, button] = [byId('password-row'), form.querySelector('button') as HTMLButtonElement]
  byId('app').hidden = true
  byId('login').hidden = false
  document.title = 'Messenger'
  row.hidden = true
  password.value = ''

  const submit = async () => {
    setText(byId('login-error'), '')
    const username = name.value.trim()
    if (username === '') {
      setText(byId('login-error'), 'Enter a name.')
      name.focus()
      return
    }
    button.disabled = true
    const error = await logIn(username, row.hidden ? undefined : password.value).finally(() => {
      button.disabled = false
    })
    if (!error) {
      byId('login').hidden = true
      password.value = ''
      return
    }
    if (error.code === 'PASSWORD_REQUIRED' && row.hidden) {
      row.hidden = false
      setText(byId('login-hint'), `${username} has a password. Enter it to log in.`)
      password.focus()
      return
    }
    setText(byId('login-error'), error.message)
    ;(row.hidden ? name : password).select()
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit().catch((error: unknown) => {
      setText(byId('login-error'), error instanceof Error ? error.message : String(error))
      throw error
    })
  })
  name.addEventListener('input', () => {
    // Another name may have no password.
    row.hidden = true
    password.value = ''
    setText(byId('login-hint'), HINT)
  })
  name.focus()
}
