/** OpenSSL's many reasons, as the few that a sidecar tells apart. */

/**
 * Why a handshake failed, or a stream broke; a bounded set, for metric labels. `refused`: the peer
 * sent an alert, so it was us that it did not take.
 */
export type TlsFailure =
  | "closed"
  | "refused"
  | "no-certificate"
  | "untrusted"
  | "expired"
  | "not-yet-valid"
  | "wrong-usage"
  | "version"
  | "protocol";

/** ssl/sslerr.h and openssl/x509_vfy.h. */
const SSL_R_CERTIFICATE_VERIFY_FAILED = 134;
const SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE = 199;
const SSL_R_UNEXPECTED_EOF_WHILE_READING = 294;
const SSL_R_UNSUPPORTED_PROTOCOL = 258;
const SSL_R_WRONG_VERSION_NUMBER = 267;
const X509_V_ERR_NOT_YET_VALID = 9;
const X509_V_ERR_EXPIRED = 10;
const X509_V_ERR_INVALID_PURPOSE = 26;
/** Reasons from here on are 1,000 + the alert that came. */
const SSL_R_ALERT_FIRST = 1_000;

/** `reason` is that of the error queue's first entry, `verifyResult` what SSL_get_verify_result says. */
export function failureOf(reason: number, verifyResult: number): TlsFailure {
  if (reason >= SSL_R_ALERT_FIRST) return "refused";
  switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "closed";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "no-certificate";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_VERSION_NUMBER:
      return "version";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return verifyFailureOf(verifyResult);
    default:
      return "protocol";
  }
}

function verifyFailureOf(result: number): TlsFailure {
  switch (result) {
    case X509_V_ERR_EXPIRED:
      return "expired";
    case X509_V_ERR_NOT_YET_VALID:
      return "not-yet-valid";
    case X509_V_ERR_INVALID_PURPOSE:
      return "wrong-usage";
    default:
      return "untrusted";
  }
}
