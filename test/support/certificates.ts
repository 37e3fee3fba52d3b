import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A key and a certificate in PEM, as TLS servers take them. */
export type Certificate = { key: string; cert: string }

type Options = {
  /** Names and IPv4 addresses that the certificate is for. */
  names: string[]
  /** The time at which it expires. */
  until?: Date
}

/** @returns a certificate authority with a key of its own, which issues certificates. They are valid from 2020 on. */
export const createAuthority = (name: string) => {
  const { publicKey, privateKey } = newKeys()
  const issue = (subject: string, key: KeyObject, until: Date, extension: Buffer) => {
    const content = sequence(
      tagged(0xa0, integer(2)),
      integer(...randomBytes(8).fill(1, 0, 1)),
      ECDSA_SHA256,
      distinguishedName(name),
      sequence(time(new Date('2020-01-01')), time(until)),
      distinguishedName(subject),
      key.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(extension)),
    )
    const signature = sign('sha256', content, privateKey)
    return pem(sequence(content, ECDSA_SHA256, tagged(0x03, Buffer.of(0), signature)))
  }
  return {
    /** Its own certificate, which clients trust. */
    cert: issue(name, publicKey, FAR, sequence(BASIC_CONSTRAINTS, octets(sequence(TRUE)))),
    issue({ names, until = FAR }: Options): Certificate {
      const keys = newKeys()
      const alternatives = names.map((one) =>
        isIPv4(one) ? tagged(0x87, Buffer.from(one.split('.').map(Number))) : tagged(0x82, Buffer.from(one)),
      )
      const extension = sequence(SUBJECT_ALT_NAME, octets(sequence(...alternatives)))
      return {
        key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
        cert: issue('receiver', keys.publicKey, until, extension),
      }
    },
  }
}

const FAR = new Date('2120-01-01')

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

const pem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`

// The parts of an X.509 certificate (RFC 5280) in DER: a tag, the length of the content, and the content.

const tagged = (tag: number, ...parts: Buffer[]) => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...parts: Buffer[]) => tagged(0x30, ...parts)
const integer = (...bytes: number[]) => tagged(0x02, Buffer.from(bytes))
const octets = (content: Buffer) => tagged(0x04, content)
const identifier = (hex: string) => tagged(0x06, Buffer.from(hex, 'hex'))
const time = (date: Date) => tagged(0x18, Buffer.from(date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')))

const TRUE = tagged(0x01, Buffer.of(0xff))
const ECDSA_SHA256 = sequence(identifier('2a8648ce3d040302'))
const BASIC_CONSTRAINTS = identifier('551d13')
const SUBJECT_ALT_NAME = identifier('551d11')
const COMMON_NAME = identifier('550403')

const distinguishedName = (name: string) =>
  sequence(tagged(0x31, sequence(COMMON_NAME, tagged(0x0c, Buffer.from(name)))))
