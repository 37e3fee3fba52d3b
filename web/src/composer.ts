import type { Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import { byId, setText, elementOf } from './dom.ts'
import { placeKey } from './store.ts'
import { wordsOf } from './lines.ts'

/** What is being written at one place: it is still there when one comes back. */
type Draft = { text: string; reply?: Message; edit?: Message }

/** What else of the page may begin here. */
export type Composing = { reply: (message: Message) => void; edit: (message: Message) => void }

/** Where one writes: a new message, an answer or an edit. */
export const createComposer = (chat: Chat, { onSent }: { onSent: () => void }) => {
  const { store } = chat
  const [form, field] = [elementOf(HTMLFormElement, 'composer'), elementOf(HTMLTextAreaElement, 'draft')]
  const drafts = new Map<string, Draft>()
  let key: string | undefined
  let draft: Draft = { text: '' }

  const render = () => {
    const { place } = store
    const next = place && placeKey(place)
    if (next !== key) {
      if (key !== undefined) drafts.set(key, { ...draft, text: field.value })
      key = next
      draft = (key !== undefined && drafts.get(key)) || { text: '' }
      setField(draft.text)
    }
    const note = chat.whyNotWrite()
    byId('composer-note').hidden = note === undefined
    setText(byId('composer-note'), note ?? '')
    byId('composer-field').hidden = note !== undefined
    const about = draft.edit ?? draft.reply
    byId('context').hidden = about === undefined || note !== undefined
    if (about) {
      const who = about.sender_id === store.me.id ? 'yourself' : about.sender
      setText(byId('context-title'), draft.edit ? 'Edit message' : `Reply to ${who}`)
      setText(byId('context-text'), wordsOf(about))
    }
    elementOf(HTMLButtonElement, 'send').disabled = field.value.trim() === ''
    byId('send').setAttribute('aria-label', draft.edit ? 'Save' : 'Send')
  }

  const setField = (text: string) => {
    field.value = text
    fit()
  }

  /** As high as its text, where the browser can't do that by itself. */
  const fit = () => {
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
    const tooLong = Array.from(content).length - chat.maxLength
    if (tooLong > 0) {
      chat.tell(`This message is ${tooLong} characters too long.`)
      return
    }
    const { edit: edited, reply: answered } = draft
    if (edited && edited.content !== content) chat.edit(edited, content)
    if (!edited) chat.send(content, answered?.id)
    draft = { text: '' }
    setField('')
    render()
    if (!edited) onSent()
    field.focus()
  }

  /** The last message of mine that can be edited. */
  const lastMine = () => {
    const { current } = store
    const messages = current ? (store.threads.get(current.id)?.messages ?? []) : []
    return messages.findLast((message) => message.sender_id === store.me.id && !message.deleted_at)
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  field.addEventListener('input', () => {
    fit()
    render()
    if (field.value.trim() !== '' && !draft.edit) chat.typing()
  })
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    const isEnter = event.key === 'Enter' && !event.shiftKey && !isOnScreen()
    if (isEnter) submit()
    else if (event.key === 'Escape' && (draft.edit || draft.reply)) cancel()
    else if (event.key === 'ArrowUp' && field.value === '') {
      const message = lastMine()
      if (!message) return
      edit(message)
    } else return
    event.preventDefault()
  })
  byId('context-cancel').addEventListener('click', cancel)

  return { render, reply, edit, focus: () => field.focus() }
}

/** Whether keys are drawn on a screen: there Enter begins a line, and a button sends. */
const isOnScreen = () => matchMedia('(hover: none) and (pointer: coarse)').matches
