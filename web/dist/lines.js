import { DELETED, shownMessage, shownWaiting } from './message.js';
import { progressOf } from './store.js';
import { dayName, excerpt } from './words.js';
/** Messages of one person within it stand together. */
const TOGETHER_MS = 5 * 60_000;
/** What the log shows, from top to bottom. @param unreadFrom the message past which all were new to one */
export const linesOf = (chat, place, current, unreadFrom) => {
    const { store } = chat;
    const thread = current && store.threads.get(current.id);
    const all = thread?.messages ?? [];
    const lines = [];
    let last;
    let hasUnreadLine = false;
    const begin = (sender, timestamp) => {
        const date = new Date(timestamp);
        const isNewDay = !last || last.date.toDateString() !== date.toDateString();
        if (isNewDay)
            lines.push({ key: `day-${date.toDateString()}`, kind: 'day', text: dayName(date) });
        const isFirst = isNewDay || last?.sender !== sender || date.getTime() - last.date.getTime() > TOGETHER_MS;
        last = { sender, date };
        return isFirst;
    };
    for (const message of all) {
        const isMine = message.sender_id === store.me.id;
        const isUnread = unreadFrom !== undefined && message.id > unreadFrom && !isMine;
        const isFirstUnread = isUnread && !hasUnreadLine;
        const isFirst = begin(message.sender, message.timestamp) || isFirstUnread;
        if (isFirstUnread) {
            hasUnreadLine = true;
            lines.push({ key: 'unread', kind: 'unread', text: 'New messages' });
        }
        const progress = isMine && current ? progressOf(store, current, message.id) : undefined;
        const quote = quoteOf(chat, current, message.reply_to);
        const isInGroup = current?.kind === 'group';
        lines.push({
            kind: 'message',
            ...shownMessage(message, { isMine, isFirst, isInGroup, progress, quote }),
        });
    }
    for (const waiting of store.waitingAt(place)) {
        const isFirst = begin(store.me.username, waiting.timestamp);
        const quote = quoteOf(chat, current, waiting.reply_to);
        lines.push({ kind: 'message', ...shownWaiting(waiting, { sender: store.me.username, isFirst, quote }) });
    }
    return lines;
};
const quoteOf = (chat, current, id) => {
    if (!current || id === undefined)
        return undefined;
    const message = chat.quoted(current.id, id);
    if (!message)
        return { id, sender: '', text: '…' };
    return {
        id,
        sender: message.sender_id === chat.store.me.id ? 'You' : message.sender,
        text: wordsOf(message),
    };
};
/** What one line can say of a message. */
export const wordsOf = ({ content, deleted_at }) => deleted_at ? DELETED : excerpt(content);
