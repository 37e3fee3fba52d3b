import { byId, setText, elementOf } from './dom.js';
/**
 * Asks for a name, and for a password once the server wants one.
 * @param enter logs in; it tells why it could not
 */
export const showLogin = (enter) => {
    const form = elementOf(HTMLFormElement, 'login-form');
    const [name, password] = [elementOf(HTMLInputElement, 'username'), elementOf(HTMLInputElement, 'password')];
    const [row, button] = [byId('password-row'), form.querySelector('button')];
    byId('app').hidden = true;
    byId('login').hidden = false;
    document.title = 'Messenger';
    row.hidden = true;
    password.value = '';
    const submit = async () => {
        setText(byId('login-error'), '');
        const username = name.value.trim();
        if (username === '') {
            setText(byId('login-error'), 'A name, please.');
            name.focus();
            return;
        }
        button.disabled = true;
        const refused = await enter(username, row.hidden ? undefined : password.value).finally(() => {
            button.disabled = false;
        });
        if (!refused) {
            byId('login').hidden = true;
            password.value = '';
            return;
        }
        if (refused.code === 'PASSWORD_REQUIRED' && row.hidden) {
            row.hidden = false;
            setText(byId('login-hint'), `A password is needed for ${username}.`);
            password.focus();
            return;
        }
        setText(byId('login-error'), refused.message);
        (row.hidden ? name : password).select();
    };
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        submit().catch((error) => {
            setText(byId('login-error'), error instanceof Error ? error.message : String(error));
            throw error;
        });
    });
    name.addEventListener('input', () => {
        // Another name may need none.
        row.hidden = true;
        password.value = '';
        setText(byId('login-hint'), 'Choose a name, and start writing.');
    });
    name.focus();
};
