/**
 * Every error code that Postern gives, with one sentence of advice. The reference page is made
 * from this table, and a test fails when a code has no advice.
 */
export const faultAdvice = {
  'config-invalid': 'Correct the named line of the file; `postern doctor` checks it again.',
  'register-invalid':
    'Correct the named line of the register file and run `postern register plan`.',
  'register-contradiction': 'Withdraw or narrow one of the two named decisions.',
  'register-alternative': 'Name an alternative that is allowed for the same people on that date.',
  'catalog-invalid': 'Correct the named line of the catalog file.',
  'policy-invalid': 'Correct the policy; only the declared Cedar subset is compiled.',
  'bundle-invalid': 'Fetch the bundle again; if it stays, compare the keys in the root file.',
  'bundle-rollback': 'Find out who serves an older bundle; `postern doctor` shows both counters.',
  'bundle-unsigned-loosening': 'Have the approvers sign it with `postern register sign`.',
  'bundle-expired': 'Bring control back or install a newer bundle; gates block until then.',
  'clock-stepped': 'Set the clock right; `postern doctor` shows the difference.',
  'token-missing': 'Add the gateway token to the tool: `postern token issue` prints the lines.',
  'token-malformed': 'Copy the token again; it starts with `pst_`.',
  'token-unknown': 'Ask for a new token: `postern token issue`.',
  'token-expired': 'Ask for a new token: `postern token issue`.',
  'token-revoked': 'Ask the owner of the register why it was revoked.',
  'token-not-for-provider':
    'Ask for a token that covers this provider: `postern token issue --provider`.',
  'credential-misdirected':
    'Point the tool at the provider that the key belongs to; the key was not sent anywhere.',
  'launch-invalid': 'Start the tool again with `postern run`.',
  'endpoint-unknown': 'Add the endpoint to the catalog file of the provider with its purpose.',
  'host-not-permitted': 'Add the host to the catalog or use another network path.',
  'address-refused': 'List the address under `upstreamAddressesAllowed` if it is meant.',
  'request-malformed': 'The client sent something that two parsers could read differently.',
  'body-too-large': 'Send less, or raise `requestBodyBytesMax`.',
  busy: 'Wait and try again; the gate has as many bytes in flight as it is allowed.',
  'upstream-unreachable': 'Check the network path from the gate to the provider.',
  'spool-full': 'Free disk space for the spool; service resumes by itself.',
  'spool-damaged': 'Start-up cuts a torn tail; anything else needs `postern log verify`.',
  'entry-too-large': 'An entry holds at most 65,535 bytes; shorten what the named entry says.',
  'batch-refused': 'The node sent entries that do not continue its own; compare spool and log.',
  equivocation: 'A node signed two histories: keep its spool and the log, and revoke the node.',
  'log-invalid': 'Keep both copies of the log and compare them: history was changed.',
  'log-unreachable': 'Check the path or address of the log.',
  'key-missing': 'Run `postern up` or `postern init` to make keys, or restore them.',
  'store-unavailable': 'Run `postern store rebuild`; it holds projections only.',
  'control-unreachable': 'Start it with `postern up`; gates go on without it.',
  'not-permitted': 'Use a key or role that may do this.',
  'not-found': 'Check the name; `list` shows what there is.',
  usage: 'Run the command with --help.',
  'already-running': 'Stop the other process, or use another --home.',
} as const satisfies Record<string, string>

export type FaultCode = keyof typeof faultAdvice
