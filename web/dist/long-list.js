import { reconcile } from './dom.js';
/** Pixels above and below the visible part in which rows are in the document. */
const MARGIN = 800;
/** A row that is measured moves those below it, which may bring others into the range. */
const ROUNDS = 6;
/** Pixels of a row's end that may be hidden while the row counts as visible. */
const HIDDEN = 8;
/** Keeps only those rows of a long list in the document that are near the visible part of `scroller`. */
export const createLongList = (scroller, list, options) => {
    const { key, estimate, isFixed } = options;
    const heights = new Map();
    let items = [];
    let indexes = new Map();
    /** Where each row begins, from the top of the list; then where the last one ends. */
    let tops = [0];
    let drawn = { first: 0, end: 0 };
    let anchor;
    const arrange = () => {
        let top = 0;
        tops = [0];
        for (const item of items)
            tops.push((top += heights.get(key(item)) ?? estimate(item)));
    };
    const topOf = (index) => tops[index] ?? 0;
    /** The row at a height. */
    const indexAt = (y) => {
        let [low, high] = [0, items.length - 1];
        while (low < high) {
            const middle = Math.ceil((low + high) / 2);
            if (topOf(middle) <= y)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    };
    /** Where the visible part begins, from the top of the list: as it is, or as the anchor wants it. */
    const position = () => scroller.scrollTop - list.offsetTop;
    const wanted = () => {
        if (anchor === 'end')
            return topOf(items.length) - scroller.clientHeight;
        const index = anchor && indexes.get(anchor.key);
        return anchor && index !== undefined ? topOf(index) - anchor.offset : position();
    };
    const place = () => {
        if (anchor === 'end')
            scroller.scrollTop = scroller.scrollHeight;
        // A write, even of the same value, ends the momentum of a swipe.
        else if (anchor && Math.abs(wanted() - position()) > 0.5)
            scroller.scrollTop = list.offsetTop + wanted();
    };
    const draw = () => {
        // A list that is not laid out has no heights.
        if (scroller.clientHeight === 0)
            return;
        const hadFocus = list.contains(document.activeElement);
        for (let round = 0; round < ROUNDS; round += 1) {
            const top = wanted();
            const first = indexAt(top - MARGIN);
            const end = Math.min(items.length, indexAt(top + scroller.clientHeight + MARGIN) + 1);
            drawn = { first, end };
            list.style.paddingTop = `${topOf(first)}px`;
            list.style.paddingBottom = `${topOf(items.length) - topOf(end)}px`;
            reconcile(list, items.slice(first, end), options);
            if (!measure())
                break;
            arrange();
        }
        place();
        if (hadFocus && !list.contains(document.activeElement))
            scroller.focus({ preventScroll: true });
    };
    /** @returns whether a drawn row has another height than was assumed */
    const measure = () => {
        let isOther = false;
        for (const [offset, child] of [...list.children].entries()) {
            const index = drawn.first + offset;
            const { height } = child.getBoundingClientRect();
            if (Math.abs(height - (topOf(index + 1) - topOf(index))) < 0.1)
                continue;
            heights.set(key(items[index]), height);
            isOther = true;
        }
        return isOther;
    };
    return {
        draw,
        /** Replaces the rows; what is held in place stays where it is. */
        set(next) {
            items = next;
            indexes = new Map(next.map((item, index) => [key(item), index]));
            arrange();
            draw();
        },
        /** Forgets the rows and their heights. */
        clear() {
            heights.clear();
            anchor = undefined;
            list.replaceChildren();
        },
        /** After the reader has scrolled: what is at the upper edge now is held in place. */
        hold() {
            const top = position();
            const first = indexAt(top);
            const index = items.findIndex((item, index) => index >= first && isFixed(item));
            const item = items[index];
            anchor = item && { key: key(item), offset: topOf(index) - top };
            draw();
        },
        /** Scrolls until a row stands at a distance from the upper edge, or in the middle. */
        scrollTo(name, offset) {
            anchor = { key: name, offset: offset === 'middle' ? scroller.clientHeight / 2 - 30 : offset };
            draw();
        },
        scrollToEnd() {
            anchor = 'end';
            draw();
        },
        /** Whether a row begins above the visible part. */
        isAbove: (name) => topOf(indexes.get(name) ?? 0) < position(),
        /** The rows whose end is visible, and those above them. */
        visible() {
            const top = position();
            const from = items.findIndex((_, index) => topOf(index + 1) > top + HIDDEN);
            const to = items.findLastIndex((_, index) => topOf(index + 1) <= top + scroller.clientHeight + HIDDEN);
            const start = from < 0 ? items.length : from;
            return { rows: items.slice(start, to + 1), above: items.slice(0, start) };
        },
        /** The element of a row that is drawn. */
        elementOf(name) {
            const index = indexes.get(name) ?? -1;
            const isDrawn = index >= drawn.first && index < drawn.end;
            return isDrawn ? list.children[index - drawn.first] : undefined;
        },
    };
};
