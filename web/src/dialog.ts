import { icon, make } from './dom.ts'

type Button = {
  label: string
  isPrimary?: boolean
  isDangerous?: boolean
  /** Runs on a click. The dialog closes on success, and shows the error otherwise. */
  run?: () => unknown
}

/**
 * Opens a modal dialog. The browser keeps the focus inside, closes the dialog on Escape and returns the focus. Enter runs
 * the primary button.
 */
export const openDialog = (title: string, content: Node[], buttons: Button[] = []) => {
  const dialog = make('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' })
  const error = make('p', { class: 'error', role: 'alert' })
  const closeButton = make('button', { type: 'button', class: 'round', 'aria-label': 'Close' }, icon('close'))
  const footer = make('footer')
  const form = make(
    'form',
    { method: 'dialog' },
    make('header', {}, make('h2', { id: 'dialog-title' }, title), closeButton),
    make('div', { class: 'content' }, ...content, error),
    footer,
  )
  const close = () => dialog.close()
  const runAndClose = async (run: Button['run']) => {
    error.textContent = ''
    try {
      await run?.()
      close()
    } catch (cause) {
      error.textContent = cause instanceof Error ? cause.message : String(cause)
    }
  }
  for (const { label, isPrimary = false, isDangerous = false, run } of buttons) {
    const className = isPrimary ? 'primary' : isDangerous ? 'plain is-dangerous' : 'plain'
    const button = make('button', { type: isPrimary ? 'submit' : 'button', class: className }, label)
    if (isPrimary) {
      form.addEventListener('submit', (event) => {
        event.preventDefault()
        void runAndClose(run)
      })
    } else button.addEventListener('click', () => void runAndClose(run))
    footer.append(button)
  }
  closeButton.addEventListener('click', close)
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) close()
  })
  dialog.addEventListener('close', () => dialog.remove())
  dialog.append(form)
  for (const other of document.querySelectorAll('dialog')) other.close()
  document.body.append(dialog)
  dialog.showModal()
  form.querySelector<HTMLElement>('input')?.focus()
}

/** Asks for confirmation of an action that other users notice, or that cannot be undone. */
export const openConfirmation = (title: string, text: string, label: string, run: () => unknown) =>
  openDialog(title, [make('p', {}, text)], [{ label: 'Cancel' }, { label, isPrimary: true, run }])

/** @returns an input, and a row with the input and its label */
export const labelledInput = (
  id: string,
  label: string,
  attributes: Record<string, string | number | boolean> = {},
) => {
  const input = make('input', { id, autocomplete: 'off', ...attributes })
  return { input, row: make('div', {}, make('label', { for: id }, label), input) }
}
