import { foldName } from '@messenger/client'

// The page is in English, so dates are too, in the region of the browser.
const language = navigator.language.startsWith('en') ? navigator.language : 'en-GB'

// `undefined` takes the 12 or 24 hour clock of the browser's own language.
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const weekdayFormat = new Intl.DateTimeFormat(language, { weekday: 'long' })
const shortWeekday = new Intl.DateTimeFormat(language, { weekday: 'short' })
const dateFormat = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long' })
const shortDate = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' })
const yearFormat = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year: 'numeric' })
const fullFormat = new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'medium' })

const DAY_MS = 86_400_000

/** @returns the number of calendar days between two dates, in the time zone of the browser */
const daysAgo = (date: Date, now: Date) =>
  Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / DAY_MS)

export const formatTime = (date: Date) => clockFormat.format(date)
export const formatFullTime = (date: Date) => fullFormat.format(date)

/** @returns the heading above the messages of a day */
export const formatDay = (date: Date, now = new Date()) => {
  const days = daysAgo(date, now)
  if (days <= 0) return 'Today'
  if (days === 1) return 'Yesterday'
  if (days < 7) return weekdayFormat.format(date)
  return (date.getFullYear() === now.getFullYear() ? dateFormat : yearFormat).format(date)
}

/** @returns the time of today, the weekday of the last six days, or the date */
export const formatShortTime = (date: Date, now = new Date()) => {
  const days = daysAgo(date, now)
  if (days <= 0) return formatTime(date)
  return (days < 7 ? shortWeekday : shortDate).format(date)
}

export const formatLastSeen = (date: Date, now = new Date()) => {
  const days = daysAgo(date, now)
  if (now.getTime() - date.getTime() < 60_000) return 'last seen just now'
  if (days <= 0) return `last seen at ${formatTime(date)}`
  return days === 1 ? `last seen yesterday at ${formatTime(date)}` : `last seen on ${shortDate.format(date)}`
}

/** @returns one or two letters for an avatar */
export const initials = (name: string) => {
  const words = name.split(/[\s._-]+/u).filter(Boolean)
  const letters = words.length > 1 ? [words[0], words[1]] : [name]
  return letters
    .map((word) => Array.from(word ?? '')[0] ?? '')
    .join('')
    .toLocaleUpperCase()
}

/** @returns the hue of a name in degrees, a multiple of 15 */
export const hue = (name: string) => {
  let hash = 0
  for (const character of foldName(name)) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 3600
  return Math.round((hash / 3600) * 24) * 15
}

/** @returns the first 200 characters of a text on one line */
export const excerpt = (text: string) => text.replace(/\s+/gu, ' ').trim().slice(0, 200)

/** Whether a text consists of one to three emoji. */
export const isEmoji = (text: string) => /^(?:\p{RGI_Emoji}){1,3}$/v.test(text)

export const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** @returns a list such as "a, b and c" */
export const formatList = (names: readonly string[]) => new Intl.ListFormat(language).format(names)

/** Splits a text into HTTP URLs, which have an `href`, and the text between them. */
export const splitLinks = (text: string): { text: string; href?: string }[] => {
  const parts: { text: string; href?: string }[] = []
  let end = 0
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/giu)) {
    // Closing punctuation belongs to the sentence and not to the URL.
    const url = match[0].replace(/[.,;:!?)\]}'’”]+$/u, '')
    const href = URL.parse(url)?.href
    if (!href) continue
    if (match.index > end) parts.push({ text: text.slice(end, match.index) })
    parts.push({ text: url, href })
    end = match.index + url.length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}
