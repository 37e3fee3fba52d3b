import Sqlite from 'better-sqlite3'

/** The app's own database. The server of the chat has another one. */
export const db = new Sqlite('app.db')
db.exec(`
  create table if not exists users (username text primary key, name text not null);
  create table if not exists sessions (id text primary key, username text not null references users);
  create table if not exists orders (id integer primary key, customer text not null, item text not null);
  create table if not exists settings (name text primary key, value text not null);
  create table if not exists messages (
    id integer primary key, conversation_id integer not null, sender text not null, content text);
  create table if not exists pushes (id text primary key);
`)

export const getSetting = (name: string) =>
  db.prepare<[string], string>('select value from settings where name = ?').pluck().get(name)

export const setSetting = (name: string, value: string) =>
  db.prepare('insert or replace into settings values (?, ?)').run(name, value)
