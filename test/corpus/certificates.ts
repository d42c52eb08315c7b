import { createHash, X509Certificate } from "node:crypto";
import { WordError } from "./words.ts";

/**
 * Certificates of clients, by the names that cases give them; nobody has their keys any more. Each has one DNS name and one SPIFFE ID:
 * `worker` (worker.example.com, spiffe://prod.example.com/worker), `other` (the same of other), `staging` (of another trust domain),
 * `several` (two of each kind), `wildcard` (*.example.com, and dots in the ID's path) and `expired` (of worker, ended in 2020).
 */
const inBase64: Readonly<Record<string, string>> = {
  worker:
    "MIIBbzCCARWgAwIBAgIJc3+qJ/rNMD1xMAoGCCqGSM49BAMCMBcxFTATBgNVBAMTDEFuIGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowETEPMA0GA1UEAxMGd29ya2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE03fo9kzPWDe0Ingf7EOGlm9XQS3xPmjLK3q0JhlBvrU7wmaWiXzbm+LEDoSpAgyykokEQKOSdnexgBrqENMF/KNOMEwwCQYDVR0TBAIwADA/BgNVHREEODA2ghJ3b3JrZXIuZXhhbXBsZS5jb22GIHNwaWZmZTovL3Byb2QuZXhhbXBsZS5jb20vd29ya2VyMAoGCCqGSM49BAMCA0gAMEUCIQDgoZSh6uYYJizwFVnp9tuP+V2MDxWoXx5ymjXnzfBm1gIgOTyftBYb7GiYTh/O64DxTJT0kwXCARXn6gwkEzoMcho=",
  other:
    "MIIBbDCCARKgAwIBAgIJIqgr3AQHCLcIMAoGCCqGSM49BAMCMBcxFTATBgNVBAMTDEFuIGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEDEOMAwGA1UEAxMFb3RoZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQRlApAIMzr6BrmXFzXgBkyiNUUAn4/4s5KAEzz+jWDEaaKExwLzBG76YzbWjo4DVDX9lYsqmlZO6SNFjpjrp7Uo0wwSjAJBgNVHRMEAjAAMD0GA1UdEQQ2MDSCEW90aGVyLmV4YW1wbGUuY29thh9zcGlmZmU6Ly9wcm9kLmV4YW1wbGUuY29tL290aGVyMAoGCCqGSM49BAMCA0gAMEUCIQCZyRpJELTvFk906CJ7qckUFIKpA4E27wpVR9JB7ZtsLQIgacPsPkBEsupWll1Wy6MujtfV1Ri++bIvHglwPeTOtPA=",
  staging:
    "MIIBczCCARmgAwIBAgIJdKfkpWG1L9oIMAoGCCqGSM49BAMCMBcxFTATBgNVBAMTDEFuIGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEjEQMA4GA1UEAxMHc3RhZ2luZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHgE3ZLJ6JERyJ3xBOWS0eEt0IPA04TEnHur8+dDEIxzUvTfyb4Xhdb7K5uJi8UwXLy4gdv6aXnvA2lWAXcZlg2jUTBPMAkGA1UdEwQCMAAwQgYDVR0RBDswOYISd29ya2VyLmV4YW1wbGUuY29thiNzcGlmZmU6Ly9zdGFnaW5nLmV4YW1wbGUuY29tL3dvcmtlcjAKBggqhkjOPQQDAgNIADBFAiAxqiPcbopILsZcdHjXED0rl3UIk9Rlp8AMiodK1cpEoQIhAJ1x6WiAJGDTdktlLKHZ7CN3S64POiUABvHW2fiDF1ef",
  several:
    "MIIBpzCCAUygAwIBAgIJHBYzyn8EJKzfMAoGCCqGSM49BAMCMBcxFTATBgNVBAMTDEFuIGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEjEQMA4GA1UEAxMHc2V2ZXJhbDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAtD/Bq/P5Jn115HyNPSuw9oaYuN5m+DynanJqhwOturzd1lmf/2+I6VQDRQv10TEMRBIxS7JvJdW4US6BQ45XmjgYMwgYAwCQYDVR0TBAIwADBzBgNVHREEbDBqghJ3b3JrZXIuZXhhbXBsZS5jb22CEWFkbWluLmV4YW1wbGUuY29thiBzcGlmZmU6Ly9wcm9kLmV4YW1wbGUuY29tL3dvcmtlcoYfc3BpZmZlOi8vcHJvZC5leGFtcGxlLmNvbS9hZG1pbjAKBggqhkjOPQQDAgNJADBGAiEA76WUc3Bc7s5+o7eSBgZ5vmBGEccL1L8JaPGyJzu8ddsCIQC9NS08OtNGe/V9yC2Nryb83BYuLQ3MLv3T+CG04aAMdw==",
  wildcard:
    "MIIBbzCCARSgAwIBAgIJCsW9gg00eKa7MAoGCCqGSM49BAMCMBcxFTATBgNVBAMTDEFuIGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEzERMA8GA1UEAxMId2lsZGNhcmQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARk58QOvlhaenRTvRb3aprGHZncvh0WU7rFt33xf8CQrzGBm1qKZPOfQHILpBXmn4x9CKtE16DwzaD3VV185g72o0swSTAJBgNVHRMEAjAAMDwGA1UdEQQ1MDOCDSouZXhhbXBsZS5jb22GInNwaWZmZTovL3Byb2QuZXhhbXBsZS5jb20vLi4vYWRtaW4wCgYIKoZIzj0EAwIDSQAwRgIhAKC6Mi4jaJsKxOr+LXk3ucaZsK0oTXfF60sCbgFClrhsAiEArfY3ohI2aWZDTATte/c3WfwLpgl9oBgC+fxpcCzOnKk=",
  expired:
    "MIIBbjCCARSgAwIBAgIJbRGhXdddCf4qMAoGCCqGSM49BAMCMBcxFTATBgNVBAMTDEFuIGF1dGhvcml0eTAeFw0yMDAxMDEwMDAwMDBaFw0yMDAyMDEwMDAwMDBaMBIxEDAOBgNVBAMTB2V4cGlyZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASn6FiZ4WEzHeEjTk2nKJqm5EvVC+YwADwgzdqs04rQ04ZO6N7jbysp2H4cCaTzQ6lT1SKHvPY96wWDYplACW7Vo04wTDAJBgNVHRMEAjAAMD8GA1UdEQQ4MDaCEndvcmtlci5leGFtcGxlLmNvbYYgc3BpZmZlOi8vcHJvZC5leGFtcGxlLmNvbS93b3JrZXIwCgYIKoZIzj0EAwIDSAAwRQIgdc5Msl2nb5LQjoy96R4vcBAnd+x183baJnQWqcs0eUkCIQDsdPv6zk4pp74P6gsfwOI0xsiY+tjsD53hw7VEMq9WzQ==",
};

/** The certificate of that name. */
export function certificateOf(name: string): X509Certificate {
  const encoded = inBase64[name];
  if (encoded === undefined) throw new WordError(`unknown certificate "${name}"`);
  return new X509Certificate(Buffer.from(encoded, "base64"));
}

/** As a header carries it (RFC 9440 §2.1), or as it must not be carried. */
export function clientCertOf(name: string, spelling: string): string {
  const { raw } = certificateOf(name);
  const wrapped = (bytes: Uint8Array): string => `:${Buffer.from(bytes).toString("base64")}:`;
  switch (spelling) {
    case "":
      return wrapped(raw);
    case "url":
      return `:${raw.toString("base64url")}:`;
    case "open":
      return wrapped(raw).slice(0, -1);
    case "trailing":
      return wrapped(Buffer.concat([raw, Buffer.alloc(3)]));
    case "short":
      return wrapped(raw.subarray(0, -3));
    case "pem":
      return wrapped(Buffer.from(certificateOf(name).toString()));
    default:
      throw new WordError(`unknown spelling "client-cert-${spelling}"`);
  }
}

/** `x5t#S256` (RFC 8705 §3.1). */
export const certificateThumbprintOf = (name: string): string =>
  createHash("sha256").update(certificateOf(name).raw).digest("base64url");
