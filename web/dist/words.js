/** How times, names and texts are shown: in English, as the page is, and in the reader's time zone. */
const language = navigator.language.startsWith('en') ? navigator.language : 'en-GB';
// A clock of 12 or 24 hours is no matter of words.
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekdayFormat = new Intl.DateTimeFormat(language, { weekday: 'long' });
const shortWeekday = new Intl.DateTimeFormat(language, { weekday: 'short' });
const dateFormat = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long' });
const shortDate = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' });
const yearFormat = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year: 'numeric' });
const fullFormat = new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'medium' });
const DAY = 86_400_000;
/** Whole days between the day of `date` and that of `now`, as the calendar has them. */
const daysAgo = (date, now) => Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / DAY);
export const clock = (date) => clockFormat.format(date);
export const fullTime = (date) => fullFormat.format(date);
/** The heading above a day's messages. */
export const dayName = (date, now = new Date()) => {
    const days = daysAgo(date, now);
    if (days <= 0)
        return 'Today';
    if (days === 1)
        return 'Yesterday';
    if (days < 7)
        return weekdayFormat.format(date);
    return (date.getFullYear() === now.getFullYear() ? dateFormat : yearFormat).format(date);
};
/** A time in as few characters as tell it: an hour today, a weekday this week, then a date. */
export const shortTime = (date, now = new Date()) => {
    const days = daysAgo(date, now);
    if (days <= 0)
        return clock(date);
    return (days < 7 ? shortWeekday : shortDate).format(date);
};
/** When somebody was last here. */
export const lastSeen = (date, now = new Date()) => {
    const days = daysAgo(date, now);
    if (now.getTime() - date.getTime() < 60_000)
        return 'last seen just now';
    if (days <= 0)
        return `last seen at ${clock(date)}`;
    return days === 1 ? `last seen yesterday at ${clock(date)}` : `last seen on ${shortDate.format(date)}`;
};
/** The one or two letters in place of a picture. */
export const initials = (name) => {
    const words = name.split(/[\s._-]+/u).filter(Boolean);
    const letters = words.length > 1 ? [words[0], words[1]] : [name];
    return letters
        .map((word) => Array.from(word ?? '')[0] ?? '')
        .join('')
        .toLocaleUpperCase();
};
/** A hue that is always the same for a name. */
export const hue = (name) => {
    let hash = 0;
    for (const character of name.toLowerCase())
        hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 3600;
    return Math.round((hash / 3600) * 24) * 15;
};
/** One line of a message. */
export const excerpt = (text) => text.replace(/\s+/gu, ' ').trim().slice(0, 200);
/** Whether a message is nothing but up to three emoji. */
export const isEmoji = (text) => /^(?:\p{RGI_Emoji}){1,3}$/v.test(text);
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
/** "a, b and c" */
export const list = (names) => new Intl.ListFormat(language).format(names);
/** Cuts a text into what is an address of the web and what isn't. */
export const findLinks = (text) => {
    const parts = [];
    let end = 0;
    for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/giu)) {
        // A sentence goes on after an address: what closes it is not a part of it.
        const address = match[0].replace(/[.,;:!?)\]}'’”]+$/u, '');
        const href = URL.parse(address)?.href;
        if (!href)
            continue;
        if (match.index > end)
            parts.push({ text: text.slice(end, match.index) });
        parts.push({ text: address, href });
        end = match.index + address.length;
    }
    if (end < text.length)
        parts.push({ text: text.slice(end) });
    return parts;
};
