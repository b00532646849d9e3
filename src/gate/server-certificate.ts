import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { World } from '#words/clock.ts'
import {
  backdateMs,
  ecdsa,
  hourMs,
  pemText,
  privatePem,
  serialNumber,
} from './certificate-parts.ts'
import type { PemPair } from './certificate-parts.ts'

/**
 * A certificate for the gate's own listener, signed by its own key alone.
 *
 * It never comes from the authority of the TLS door: that one permits the names of providers and
 * no address, and whoever trusts the gate as a server has no reason to trust it as an authority.
 */
export async function createServerCertificate(input: {
  /** DNS names and IP addresses under which clients reach the gate. */
  readonly hosts: readonly string[]
  readonly world: World
  readonly days?: number
}): Promise<PemPair> {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const nowMs = input.world.nowMs()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(input.world),
    name: [{ O: ['Postern'] }, { CN: ['Postern gate'] }],
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + (input.days ?? 397) * 24 * hourMs),
    signingAlgorithm: ecdsa,
    keys,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        input.hosts.map((host) => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host })),
      ),
    ],
  })
  return { certPem: pemText(certificate), keyPem: await privatePem(keys.privateKey) }
}
