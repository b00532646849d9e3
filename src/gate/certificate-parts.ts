import 'reflect-metadata'
import { createPrivateKey, webcrypto } from 'node:crypto'
import type { X509Certificate } from '@peculiar/x509'
import type { World } from '#words/clock.ts'

export type PemPair = { readonly certPem: string; readonly keyPem: string }

/** ECDSA P-256 everywhere: small, quick to sign, and taken by every client that we know of. */
export const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export const hourMs = 3_600_000
/** Certificates begin a day early, for clients whose clock is behind. */
export const backdateMs = 24 * hourMs
/** A positive number of 16 random bytes (RFC 5280 4.1.2.2 asks for at most 20). */
export function serialNumber(world: World): string {
  const bytes = world.randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}

export function pemText(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

export async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString()
}
