import type { Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import { byId, elementOf, setText } from './dom.ts'
import { plural } from './format.ts'
import { summaryOf } from './message.ts'
import { routeHash } from './route.ts'

/** The unsent input of a conversation. It is kept while another conversation is open. */
type Draft = { text: string; reply?: Message; edit?: Message }

/** The actions that a message can start in the composer. */
export type ComposerActions = { reply: (message: Message) => void; edit: (message: Message) => void }

/** The form that writes a message, a reply or an edit. */
export const createComposer = (chat: Chat, { onSent }: { onSent: () => void }) => {
  const { store } = chat
  const [form, field] = [elementOf(HTMLFormElement, 'composer'), elementOf(HTMLTextAreaElement, 'draft')]
  const drafts = new Map<string, Draft>()
  let key: string | undefined
  let draft: Draft = { text: '' }

  const render = () => {
    const { route } = store
    const next = route && routeHash(route)
    if (next !== key) {
      if (key !== undefined) drafts.set(key, { ...draft, text: field.value })
      key = next
      draft = (key !== undefined && drafts.get(key)) || { text: '' }
      setField(draft.text)
    }
    const note = chat.writeProblem
    byId('composer-note').hidden = note === undefined
    setText(byId('composer-note'), note ?? '')
    byId('composer-field').hidden = note !== undefined
    const subject = draft.edit ?? draft.reply
    byId('context').hidden = subject === undefined || note !== undefined
    if (subject) {
      const sender = subject.sender_id === store.me.id ? 'yourself' : store.nameOf(subject.sender)
      setText(byId('context-title'), draft.edit ? 'Edit message' : `Reply to ${sender}`)
      setText(byId('context-text'), summaryOf(subject))
    }
    elementOf(HTMLButtonElement, 'send').disabled = field.value.trim() === ''
    byId('send').setAttribute('aria-label', draft.edit ? 'Save' : 'Send')
  }

  const setField = (text: string) => {
    field.value = text
    fitHeight()
  }

  /** Sets the height of the field to that of its text, for browsers without `field-sizing`. */
  const fitHeight = () => {
    if (CSS.supports('field-sizing', 'content')) return
    field.style.height = 'auto'
    field.style.height = `${field.scrollHeight}px`
  }

  const reply = (message: Message) => {
    draft = { ...draft, reply: message }
    if (draft.edit) setField('')
    delete draft.edit
    render()
    field.focus()
  }

  const edit = (message: Message) => {
    draft = { text: message.content, edit: message }
    setField(message.content)
    render()
    field.focus()
    field.setSelectionRange(field.value.length, field.value.length)
  }

  const cancel = () => {
    const wasEdit = draft.edit !== undefined
    draft = { text: '' }
    if (wasEdit) setField('')
    render()
    field.focus()
  }

  const submit = () => {
    const content = field.value.trim()
    if (content === '') return
    const excess = Array.from(content).length - chat.maxLength
    if (excess > 0) {
      chat.notify(`The message is ${plural(excess, 'character')} too long. Shorten it or send it in parts.`)
      return
    }
    const { edit: edited, reply: original } = draft
    if (edited && edited.content !== content) chat.edit(edited, content)
    if (!edited) chat.send(content, original?.id)
    draft = { text: '' }
    setField('')
    render()
    if (!edited) onSent()
    field.focus()
  }

  /** @returns the newest loaded message that this user can edit */
  const lastEditable = () => {
    const { current } = store
    const messages = current ? (store.timelines.get(current.id)?.messages ?? []) : []
    return messages.findLast((message) => message.sender_id === store.me.id && !message.deleted_at)
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  field.addEventListener('input', () => {
    fitHeight()
    render()
    if (field.value.trim() !== '' && !draft.edit) chat.typing()
  })
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    const isEnter = event.key === 'Enter' && !event.shiftKey && !hasScreenKeyboard()
    if (isEnter) submit()
    else if (event.key === 'Escape' && (draft.edit || draft.reply)) cancel()
    else if (event.key === 'ArrowUp' && field.value === '') {
      const message = lastEditable()
      if (!message) return
      edit(message)
    } else return
    event.preventDefault()
  })
  byId('context-cancel').addEventListener('click', cancel)

  return { render, reply, edit, focus: () => field.focus() }
}

/** Whether the device has an on-screen keyboard. There, Enter starts a line and only the button sends. */
const hasScreenKeyboard = () => matchMedia('(hover: none) and (pointer: coarse)').matches
