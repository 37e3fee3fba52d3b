import { drawing, make, setAttributes } from './dom.js';
import { face } from './faces.js';
import { clock, excerpt, findLinks, fullTime, hue, isEmoji } from './words.js';
export const DELETED = 'This message was deleted';
const progressWords = {
    waiting: 'Waiting to be sent',
    failed: 'Not sent',
    sent: 'Sent',
    delivered: 'Delivered',
    read: 'Read',
};
const progressDrawings = {
    waiting: 'clock',
    failed: 'failed',
    sent: 'sent',
    delivered: 'read',
    read: 'read',
};
/** How far a message has come, drawn and in a word. */
export const tick = (progress) => drawing(progressDrawings[progress], `tick is-${progress}`, progressWords[progress]);
export const shownMessage = (message, rest) => ({
    key: message.client_id ?? `message-${message.id}`,
    id: message.id,
    sender: message.sender,
    content: message.content,
    timestamp: message.timestamp,
    isEdited: message.edited_at !== undefined,
    isDeleted: message.deleted_at !== undefined,
    problem: undefined,
    ...rest,
});
export const shownWaiting = (waiting, rest) => ({
    key: waiting.client_id,
    id: undefined,
    content: waiting.content,
    timestamp: waiting.timestamp,
    isMine: true,
    isEdited: false,
    isDeleted: false,
    isInGroup: false,
    progress: waiting.problem === undefined ? 'waiting' : 'failed',
    problem: waiting.problem,
    ...rest,
});
/** What the body looked like; a new tick alone leaves the text, and what is selected in it, as it is. */
const bodies = new WeakMap();
export const fillMessage = (element, shown) => {
    const { isMine, isFirst, isDeleted } = shown;
    const names = ['message', isMine && 'is-mine', isFirst && 'is-first', isDeleted && 'is-deleted'];
    const isFound = element.classList.contains('is-found');
    element.className = [...names, isFound && 'is-found'].filter(Boolean).join(' ');
    setAttributes(element, { 'data-id': shown.id });
    const look = JSON.stringify({ ...shown, isFirst: hasFace(shown), progress: undefined, problem: undefined });
    const bubble = element.querySelector('.bubble');
    if (bubble && bodies.get(element) === look) {
        bubble.querySelector('.meta')?.replaceWith(meta(shown));
        return;
    }
    bodies.set(element, look);
    element.replaceChildren(...(shown.isInGroup && !isMine ? [isFirst ? face(shown.sender) : make('span')] : []), make('div', { class: 'bubble' }, shown.isInGroup && !isMine && isFirst
        ? author(shown.sender)
        : make('span', { class: 'visually-hidden' }, `${isMine ? 'You' : shown.sender}: `), shown.quote && quote(shown.quote), text(shown), meta(shown)), make('button', {
        type: 'button',
        class: 'actions',
        'aria-label': 'What to do with this message',
        'aria-haspopup': 'menu',
        tabindex: -1,
    }, drawing('more')));
};
const hasFace = ({ isInGroup, isMine, isFirst }) => isInGroup && !isMine && isFirst;
const author = (name) => {
    const element = make('div', { class: 'author' }, name);
    element.style.setProperty('--hue', String(hue(name)));
    return element;
};
const quote = ({ id, sender, text }) => make('button', { type: 'button', class: 'quote', 'data-quote': id, tabindex: -1 }, make('strong', {}, sender), make('span', {}, excerpt(text)));
const text = ({ content, isDeleted }) => {
    if (isDeleted)
        return make('span', { class: 'text' }, DELETED);
    if (isEmoji(content))
        return make('span', { class: 'text is-emoji' }, content);
    return make('span', { class: 'text', dir: 'auto' }, ...findLinks(content).map((part) => part.href === undefined
        ? part.text
        : make('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer' }, part.text)));
};
const meta = ({ timestamp, isEdited, isDeleted, progress, problem }) => {
    const date = new Date(timestamp);
    return make('span', { class: 'meta' }, problem, isEdited && !isDeleted && 'edited', make('time', { datetime: timestamp, title: fullTime(date) }, clock(date)), progress && !isDeleted && tick(progress));
};
