import 'reflect-metadata'
import { createPrivateKey, webcrypto } from 'node:crypto'
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

type PemPair = { readonly certPem: string; readonly keyPem: string }

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/**
 * What a thief of the authority's key would make: a leaf for any name or address, inside the
 * constraints or not. The product has no function for this.
 */
export async function signLeaf(
  authority: PemPair,
  name: { readonly type: 'dns' | 'ip'; readonly value: string },
): Promise<PemPair> {
  const issuer = new X509Certificate(authority.certPem)
  const der = createPrivateKey(authority.keyPem).export({ format: 'der', type: 'pkcs8' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), ecdsa, false, [
    'sign',
  ])
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const leaf = await X509CertificateGenerator.create({
    issuer: issuer.subjectName,
    subject: [{ O: ['rogue'] }],
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: ecdsa,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([name]),
    ],
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return {
    certPem: `${leaf.toString('pem').trim()}\n`,
    keyPem: createPrivateKey({ key, format: 'der', type: 'pkcs8' })
      .export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  }
}
