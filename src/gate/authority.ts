import 'reflect-metadata'
import { X509Certificate as NodeCertificate, createPrivateKey, webcrypto } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import {
  backdateMs,
  ecdsa,
  hourMs,
  pemText,
  privatePem,
  serialNumber,
} from './certificate-parts.ts'
import type { PemPair } from './certificate-parts.ts'
import { readHostName } from './host-name.ts'
import { createLeaves } from './leaf.ts'
import {
  decodeNameConstraints,
  encodeNameConstraints,
  nameConstraintsOid,
} from './name-constraints.ts'

const permittedMax = 512

/**
 * Makes the local certificate authority.
 *
 * What a thief of its key can do is bounded by the certificate itself, in every client that trusts
 * it: no name outside `permitted`, no IP address at all, no authority below it. The constraints
 * are critical, so a client that does not know them refuses the whole chain (RFC 5280 4.2.1.10).
 *
 * `permitted: 'any-name'` leaves the names open and is meant for a throwaway authority that only
 * one sandboxed run trusts; `openAuthority` wants to be told so once more.
 */
export async function createAuthority(input: {
  /** Registrable domains (`anthropic.com`): each permits itself and everything below it. */
  readonly permitted: readonly string[] | 'any-name'
  readonly name: string
  readonly world: World
  readonly years?: number
}): Promise<PemPair> {
  const permitted = input.permitted === 'any-name' ? [] : readPermitted(input.permitted)
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const nowMs = input.world.nowMs()
  const yearMs = 365 * 24 * hourMs
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(input.world),
    name: [{ O: ['Postern'] }, { CN: [input.name] }],
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + (input.years ?? 2) * yearMs),
    signingAlgorithm: ecdsa,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new Extension(nameConstraintsOid, true, encodeNameConstraints(permitted)),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certPem: pemText(certificate), keyPem: await privatePem(keys.privateKey) }
}

function readPermitted(names: readonly string[]): string[] {
  const permitted = names.map((name) => {
    const host = readHostName(name)
    // A bare top-level domain would permit half of the world.
    if (host === null || !host.includes('.')) {
      throw new Fault('config-invalid', {
        outward: `The authority cannot permit ${JSON.stringify(name)}: write a domain such as example.com.`,
      })
    }
    return host
  })
  if (permitted.length === 0 || permitted.length > permittedMax) {
    throw new Fault('config-invalid', {
      outward: `The authority needs 1 to ${permittedMax} permitted domains, not ${permitted.length}.`,
    })
  }
  return [...new Set(permitted)].sort()
}

export type Authority = {
  readonly certPem: string
  /** Lower-case hex SHA-256 of the certificate in DER. */
  readonly fingerprint: string
  readonly permitted: readonly string[]
  readonly validUntilMs: number
  /** May a leaf be made for this host? The same answer that clients will give. */
  permits(host: string): boolean
  /** Throws `host-not-permitted` for a host that clients would refuse anyway. */
  secureContextFor(host: string): Promise<SecureContext>
  /** The leaf itself, for tests and `doctor`. */
  leafFor(host: string): Promise<string>
}

/**
 * Opens an authority from its two PEM files.
 *
 * Throws `key-missing` when they do not belong together or are not what `createAuthority` writes:
 * an authority without the constraints is never used, whoever put it there.
 */
export async function openAuthority(
  pair: PemPair,
  options: {
    readonly world: World
    readonly allowAnyName?: boolean
    readonly bounds?: { readonly cachedMax: number; readonly hoursValid: number }
  },
): Promise<Authority> {
  const certificate = parse(pair.certPem)
  const native = new NodeCertificate(pair.certPem)
  if (!native.checkPrivateKey(createPrivateKey(pair.keyPem))) {
    throw unusable('its key belongs to another certificate')
  }
  const permitted = constraintsOf(certificate, options.allowAnyName === true)
  const validUntilMs = certificate.notAfter.getTime()
  if (validUntilMs <= options.world.nowMs()) {
    throw unusable(`it was valid until ${certificate.notAfter.toISOString()}`)
  }
  const permits = (text: string): boolean => {
    const host = readHostName(text)
    if (host === null || host !== text) return false
    return permitted.length === 0 || permitted.some((base) => isBelow(host, base))
  }
  const leaves = await createLeaves({
    world: options.world,
    issuer: certificate,
    signingKey: await importPrivate(pair.keyPem),
    authorityKey: await AuthorityKeyIdentifierExtension.create(certificate.publicKey),
    cachedMax: options.bounds?.cachedMax ?? limits.leafCertificatesCachedMax,
    hoursValid: options.bounds?.hoursValid ?? limits.leafCertificateHoursValid,
  })
  const permittedOnly = (host: string): void => {
    if (permits(host)) return
    throw new Fault('host-not-permitted', {
      outward: `The trusted authority does not permit certificates for ${host}.`,
    })
  }
  return {
    certPem: pair.certPem,
    fingerprint: native.fingerprint256.replaceAll(':', '').toLowerCase(),
    permitted,
    validUntilMs,
    permits,
    async secureContextFor(host) {
      permittedOnly(host)
      return (await leaves.leafFor(host)).context
    },
    async leafFor(host) {
      permittedOnly(host)
      return (await leaves.leafFor(host)).certPem
    },
  }
}

function isBelow(host: string, base: string): boolean {
  return host === base || host.endsWith(`.${base}`)
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw unusable('its certificate cannot be read', cause)
  }
}

function constraintsOf(certificate: X509Certificate, allowAnyName: boolean): readonly string[] {
  const basic = certificate.getExtension(BasicConstraintsExtension)
  if (basic?.ca !== true || basic.pathLength !== 0) throw unusable('it may make other authorities')
  const extension = certificate.getExtension(nameConstraintsOid)
  const found =
    extension?.critical === true ? decodeNameConstraints(Buffer.from(extension.value)) : null
  if (found === null) throw unusable('it has no critical name constraints')
  if (!found.excludesEveryAddress) throw unusable('it does not exclude IP addresses')
  if (found.permitted.length === 0 && !allowAnyName) throw unusable('it permits every name')
  return found.permitted
}

function unusable(why: string, cause?: unknown): Fault {
  return new Fault('key-missing', {
    outward: `The certificate authority cannot be used: ${why}.`,
    cause,
  })
}

async function importPrivate(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' })
  return await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), ecdsa, false, ['sign'])
}
