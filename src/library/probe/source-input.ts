/** Where ffmpeg reads a stored original: random access, one protocol, no credentials. */
export interface SourceInput {
  /** `file:/…` of a store on this machine's disk, or a loopback URL that reads the object store. */
  readonly url: string;
  /** For `-protocol_whitelist`: what this URL needs and nothing else. */
  readonly protocols: string;
}
