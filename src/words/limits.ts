/** Every bound with its unit. A bound that is missing here is a defect. */
export const limits = {
  // gate
  requestBodyBytesMax: 32 * 1024 * 1024,
  requestHeaderBytesMax: 64 * 1024,
  requestHeaderCountMax: 256,
  requestTargetBytesMax: 8 * 1024,
  webSocketMessageBytesMax: 32 * 1024 * 1024,
  decodedBodyBytesMax: 64 * 1024 * 1024,
  /** Decoded bytes per encoded byte above which a body counts as a compression bomb. */
  decodedRatioMax: 200,
  bytesInFlightMax: 128 * 1024 * 1024,
  busyWaitMsMax: 10_000,
  busyWaitersMax: 1_024,
  headerReadMsMax: 15_000,
  requestReadMsMax: 120_000,
  upstreamConnectMsMax: 10_000,
  upstreamIdleMsMax: 600_000,
  connectionsPerWorkerMax: 8_192,
  h2StreamsPerSessionMax: 256,
  h2ResetsPerMinuteMax: 500,
  leafCertificatesCachedMax: 1_024,
  leafCertificateHoursValid: 24 * 7,
  // inspect
  jsonDepthMax: 256,
  blocksPerBodyMax: 100_000,
  findingsPerExchangeMax: 256,
  retainedBodiesBytesMax: 48 * 1024 * 1024,
  retainedConversationsMax: 4_096,
  sseEventBytesMax: 8 * 1024 * 1024,
  // identify
  strangersTrackedMax: 4_096,
  launchCredentialSecondsMax: 24 * 3600,
  tokenBytesMax: 512,
  // decide
  policiesMax: 50,
  decisionsMax: 100_000,
  bundleBytesMax: 64 * 1024 * 1024,
  clockBackMsMax: 5_000,
  clockForwardMsMax: 60_000,
  oracleQueueMax: 1_024,
  // record
  entryBytesMax: 65_535,
  spoolSegmentBytesMax: 16 * 1024 * 1024,
  spoolBytesMax: 4 * 1024 * 1024 * 1024,
  groupCommitEntriesMax: 4_096,
  checkpointIntervalMs: 1_000,
  // control
  apiBodyBytesMax: 64 * 1024 * 1024,
  registerFileBytesMax: 4 * 1024 * 1024,
  listRowsMax: 1_000,
} as const
