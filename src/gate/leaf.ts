import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { AuthorityKeyIdentifierExtension, X509Certificate } from '@peculiar/x509'
import type { World } from '#words/clock.ts'
import { backdateMs, ecdsa, pemText, privatePem, serialNumber } from './certificate-parts.ts'

export type Leaf = {
  readonly certPem: string
  readonly context: SecureContext
  readonly validUntilMs: number
}

export type Leaves = { leafFor(host: string): Promise<Leaf> }

/**
 * Mints server certificates for exact hosts and keeps the most recently used.
 *
 * Does not ask whether the host is permitted: `openAuthority` does, before it comes here.
 *
 * All leaves of one process share one key, made at start and never written anywhere. Keys of their
 * own would cost a generation per host and protect nothing: whoever reads them out of this
 * process's memory finds the authority's key beside them.
 */
export async function createLeaves(input: {
  readonly world: World
  readonly issuer: X509Certificate
  readonly signingKey: webcrypto.CryptoKey
  readonly authorityKey: AuthorityKeyIdentifierExtension
  readonly cachedMax: number
  readonly hoursValid: number
}): Promise<Leaves> {
  const { world, issuer } = input
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const keyPem = await privatePem(keys.privateKey)
  const subjectKey = await SubjectKeyIdentifierExtension.create(keys.publicKey)
  const validMs = input.hoursValid * 3_600_000
  // Insertion order is age: what is used moves to the end, what is evicted stands first.
  const cached = new Map<string, Leaf>()
  const minting = new Map<string, Promise<Leaf>>()

  async function mint(host: string): Promise<Leaf> {
    const nowMs = world.nowMs()
    const validUntilMs = Math.min(nowMs + validMs, issuer.notAfter.getTime())
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(world),
      issuer: issuer.subjectName,
      // X.520 bounds a common name at 64 characters; clients read the SAN anyway.
      subject: [{ O: ['Postern'] }, ...(host.length <= 64 ? [{ CN: [host] }] : [])],
      notBefore: new Date(Math.max(nowMs - backdateMs, issuer.notBefore.getTime())),
      notAfter: new Date(validUntilMs),
      signingAlgorithm: ecdsa,
      publicKey: keys.publicKey,
      signingKey: input.signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
        subjectKey,
        input.authorityKey,
      ],
    })
    const certPem = pemText(certificate)
    const context = createSecureContext({
      key: keyPem,
      cert: certPem,
      minVersion: 'TLSv1.2',
      honorCipherOrder: true,
    })
    return { certPem, context, validUntilMs }
  }

  function keep(host: string, leaf: Leaf): Leaf {
    cached.delete(host)
    cached.set(host, leaf)
    if (cached.size > input.cachedMax) cached.delete(cached.keys().next().value as string)
    return leaf
  }

  return {
    async leafFor(host) {
      const had = cached.get(host)
      // Renewed with a quarter of its life left, so that no open client meets an expired one.
      if (had !== undefined && had.validUntilMs - world.nowMs() > validMs / 4) {
        return keep(host, had)
      }
      let pending = minting.get(host)
      if (pending === undefined) {
        pending = mint(host)
          .then((leaf) => keep(host, leaf))
          .finally(() => minting.delete(host))
        minting.set(host, pending)
      }
      return await pending
    },
  }
}
