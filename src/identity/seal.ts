/**
 * Sealing with a secret of 32 random bytes: AES-256-GCM (NIST SP 800-38D) under a key that HKDF-SHA256
 * (RFC 5869) derives from it. Salt and nonce are new each time, so no key meets a nonce twice.
 */
import { randomBytes } from "node:crypto";

export type Sealed = {
  /** 32 bytes. */
  readonly salt: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** As long as what is sealed, and 16 bytes. */
  readonly text: Uint8Array;
};

const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const CIPHER = "AES-GCM";
const encoder = new TextEncoder();
/** What else a join token's secret may ever be used for must not be this. */
const PURPOSE = encoder.encode("outrigger sealed state 1");

/** Seals bytes so that only who has the secret and names the same `context` can open them. */
export async function seal(
  secret: Uint8Array,
  context: string,
  bytes: Uint8Array,
): Promise<Sealed> {
  const salt = Uint8Array.from(randomBytes(SALT_BYTES));
  const nonce = Uint8Array.from(randomBytes(NONCE_BYTES));
  const key = await keyOf(secret, salt);
  const text = await crypto.subtle.encrypt(cipher(nonce, context), key, Uint8Array.from(bytes));
  return { salt, nonce, text: new Uint8Array(text) };
}

/** Returns what was sealed; null with another secret or context, or when anything was changed. */
export async function unseal(
  secret: Uint8Array,
  context: string,
  { salt, nonce, text }: Sealed,
): Promise<Uint8Array | null> {
  if (salt.length !== SALT_BYTES || nonce.length !== NONCE_BYTES) return null;
  const key = await keyOf(secret, Uint8Array.from(salt));
  try {
    const algorithm = cipher(Uint8Array.from(nonce), context);
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, Uint8Array.from(text)));
  } catch {
    // The tag does not fit, or there is not even room for one.
    return null;
  }
}

function cipher(iv: Uint8Array<ArrayBuffer>, context: string) {
  return { name: CIPHER, iv, additionalData: encoder.encode(context) };
}

async function keyOf(secret: Uint8Array, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const material = Uint8Array.from(secret);
  const base = await crypto.subtle.importKey("raw", material, "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info: PURPOSE };
  const target = { name: CIPHER, length: 256 };
  return await crypto.subtle.deriveKey(derivation, base, target, false, ["encrypt", "decrypt"]);
}
