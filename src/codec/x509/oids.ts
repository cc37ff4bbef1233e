/**
 * The object identifiers that a certificate of a mesh can have, as the hexadecimal digits of their
 * DER content: what `DerReader.oid` returns, and without arithmetic on arcs of any size.
 */

/** RFC 5480 §2.1.1: id-ecPublicKey, 1.2.840.10045.2.1. */
export const OID_EC_PUBLIC_KEY = "2a8648ce3d0201";

/** RFC 5480 §2.1.1.1: secp256r1, 1.2.840.10045.3.1.7. */
export const OID_P256 = "2a8648ce3d030107";

/** RFC 5758 §3.2: ecdsa-with-SHA256, -SHA384 and -SHA512, 1.2.840.10045.4.3.2 to .4. */
export const OID_ECDSA_SHA256 = "2a8648ce3d040302";
export const OID_ECDSA_SHA384 = "2a8648ce3d040303";
export const OID_ECDSA_SHA512 = "2a8648ce3d040304";

/** RFC 8017 §A.2.4: sha256-, sha384- and sha512WithRSAEncryption, 1.2.840.113549.1.1.11 to .13. */
export const OID_RSA_SHA256 = "2a864886f70d01010b";
export const OID_RSA_SHA384 = "2a864886f70d01010c";
export const OID_RSA_SHA512 = "2a864886f70d01010d";

/** RFC 8410 §3: id-Ed25519, 1.3.101.112. */
export const OID_ED25519 = "2b6570";

/** Certificate extensions, RFC 5280 §4.2.1. */
export const OID_KEY_USAGE = "551d0f"; // 2.5.29.15
export const OID_SUBJECT_ALT_NAME = "551d11"; // 2.5.29.17
export const OID_BASIC_CONSTRAINTS = "551d13"; // 2.5.29.19
export const OID_EXTENDED_KEY_USAGE = "551d25"; // 2.5.29.37

/** RFC 2985 §5.4.2: extensionRequest, 1.2.840.113549.1.9.14. */
export const OID_EXTENSION_REQUEST = "2a864886f70d01090e";

/** Purposes of a key, RFC 5280 §4.2.1.12. */
export const OID_ANY_EXTENDED_KEY_USAGE = "551d2500"; // 2.5.29.37.0
export const OID_SERVER_AUTH = "2b06010505070301"; // 1.3.6.1.5.5.7.3.1
export const OID_CLIENT_AUTH = "2b06010505070302"; // 1.3.6.1.5.5.7.3.2
