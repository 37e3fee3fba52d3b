import { make } from './dom.js';
import { hue, initials } from './words.js';
/** A person's or a group's face. */
export const face = (name, { isGroup = false, isOnline = false } = {}) => {
    const className = ['face', isGroup && 'is-group', isOnline && 'is-online'].filter(Boolean).join(' ');
    const element = make('span', { class: className, 'aria-hidden': 'true' }, initials(name));
    element.style.setProperty('--hue', String(hue(name)));
    return element;
};
