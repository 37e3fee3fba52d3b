/** The page's element with this id, which is of this kind. */
export const elementOf = (kind, id) => {
    const found = document.getElementById(id);
    if (!(found instanceof kind))
        throw new Error(`The page has no such #${id}.`);
    return found;
};
export const byId = (id) => elementOf(HTMLElement, id);
/** Makes an element. Text becomes text nodes, so that what people write is never read as markup. */
export const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    setAttributes(element, attributes);
    element.append(...children.filter((child) => child !== false && child !== undefined));
    return element;
};
/** Sets attributes; `false` and `undefined` take one away, `true` sets it empty. */
export const setAttributes = (element, attributes) => {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === false || value === undefined)
            element.removeAttribute(name);
        else
            element.setAttribute(name, value === true ? '' : String(value));
    }
};
/** One of the drawings at the top of the page; with a label it is an image that is read aloud. */
export const drawing = (name, className = 'icon', label) => {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    setAttributes(svg, {
        class: className,
        ...(label === undefined ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': label }),
    });
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', `#icon-${name}`);
    svg.append(use);
    return svg;
};
/** Sets the text where it is another: a node that is left alone keeps its selection. */
export const setText = (element, text) => {
    if (element.textContent !== text)
        element.textContent = text;
};
const kept = new WeakMap();
/**
 * Makes the children of `parent` those of `items`, in their order. A child stays the same element as long as its key is
 * there, and is filled again only when `look` gives something else: focus, selection and scroll position stay.
 */
export const reconcile = (parent, items, { key, look, make, fill }) => {
    const before = new Map([...parent.children].map((child) => [kept.get(child)?.key, child]));
    const names = new Set(items.map(key));
    // First, so that what stays need not move: an element that moves loses the focus.
    for (const [name, child] of before)
        if (name === undefined || !names.has(name))
            child.remove();
    let place = parent.firstElementChild;
    for (const item of items) {
        const name = key(item);
        const seen = look(item);
        const known = before.get(name);
        const child = known ?? make(item);
        if (!known || kept.get(child)?.seen !== seen)
            fill(child, item);
        kept.set(child, { key: name, seen });
        if (child === place)
            place = place.nextElementSibling;
        else
            parent.insertBefore(child, place);
    }
};
