/**
 * A small world of its own for the self-test: an anchor, a certificate under it, and three that must
 * be refused. Made once, valid from 2020 to 2120 but for the expired one. Their keys are public, and
 * nothing else ever trusts them.
 */
import { Buffer } from "node:buffer";
import type { Credentials } from "../mesh/credentials.ts";
import { identityFor } from "../mesh/identity.ts";

const IDENTITY = identityFor("self-test", "outrigger", "invalid");

const ANCHOR =
  "MIIBizCCATGgAwIBAgIQRe0Nc1v9OL1MBkDQ/YcgEDAKBggqhkjOPQQDAjAUMRIwEAYDVQQDEwlzZWxmLXRlc3Qw" +
  "IBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMTCXNlbGYtdGVzdDBZMBMGByqGSM49" +
  "AgEGCCqGSM49AwEHA0IABOGA/35gTnCp8VZ4SMm1sI7rbw7NpYaVc8O/2cSYgS4uBN93PNkaOdFjwbJNpbquftmm" +
  "JQeeJ3ow78f8WxTlnkujYzBhMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBTQmKEV" +
  "PnSyIpLadckp9HapzTSdWzAfBgNVHSMEGDAWgBTQmKEVPnSyIpLadckp9HapzTSdWzAKBggqhkjOPQQDAgNIADBF" +
  "AiBlLo9sM/bLnrMaKe15/NBheeGNg+SDE4zEmUUnc/un9QIhAMKKvSUOeeiHmQJrgyVpjHkJEA5Ind25BNBxlVta" +
  "2QIJ";
const OWN =
  "MIICCzCCAbGgAwIBAgIQXqfEYKOd3je5VIjZP8ZLuTAKBggqhkjOPQQDAjAUMRIwEAYDVQQDEwlzZWxmLXRlc3Qw" +
  "IBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMAAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATOCcOT" +
  "Mf0yryYMFaepQ1J/V5H1ROfoiytQgVyXVtk6KR83xo9TlV7n0ugh2M8LICK0Wv8bAs+3e+A/kKa6QpCEo4H2MIHz" +
  "MAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjB0BgNV" +
  "HREEbTBrgj1zZWxmLXRlc3Qub3V0cmlnZ2VyLnNlcnZpY2VhY2NvdW50LmlkZW50aXR5Lm91dHJpZ2dlci5pbnZh" +
  "bGlkhipzcGlmZmU6Ly9pbnZhbGlkL25zL291dHJpZ2dlci9zYS9zZWxmLXRlc3QwHQYDVR0OBBYEFCNAhn3gRo2Z" +
  "hMJakSRWmVOMoCeuMB8GA1UdIwQYMBaAFNCYoRU+dLIiktp1ySn0dqnNNJ1bMAoGCCqGSM49BAMCA0gAMEUCIQDA" +
  "Z+EG2rVBxWWl99tcBoupFL7goCUTFDNSXK+YgaZohwIgOkOrn6uDq98+ZJAF4x1abqNwaCaPReSnv7X37Bibv9s=";
const OWN_KEY =
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJdE0TVzCwNrbJETv2Vrj9IBACp8rzjOZAH6VE53j" +
  "n1mhRANCAATOCcOTMf0yryYMFaepQ1J/V5H1ROfoiytQgVyXVtk6KR83xo9TlV7n0ugh2M8LICK0Wv8bAs+3e+A/" +
  "kKa6QpCE";
const SELF_SIGNED =
  "MIIB+DCCAZ6gAwIBAgIRANILf+zSjW0x+tSW5K2jOrwwCgYIKoZIzj0EAwIwADAgFw0yMDAxMDEwMDAwMDBaGA8y" +
  "MTIwMDEwMTAwMDAwMFowADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGr/RFwb64OKJr8u7bwTPSxZw2kkUp1m" +
  "PF166631QF+BDoB0YfVBKqX9eFJS6uYADq17ZXW73lz0q96tQxY8Wc6jgfYwgfMwDAYDVR0TAQH/BAIwADAOBgNV" +
  "HQ8BAf8EBAMCB4AwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMHQGA1UdEQRtMGuCPXNlbGYtdGVzdC5v" +
  "dXRyaWdnZXIuc2VydmljZWFjY291bnQuaWRlbnRpdHkub3V0cmlnZ2VyLmludmFsaWSGKnNwaWZmZTovL2ludmFs" +
  "aWQvbnMvb3V0cmlnZ2VyL3NhL3NlbGYtdGVzdDAdBgNVHQ4EFgQUQw7evVzhLU8ri9xB9n5f8yPe9YkwHwYDVR0j" +
  "BBgwFoAUQw7evVzhLU8ri9xB9n5f8yPe9YkwCgYIKoZIzj0EAwIDSAAwRQIhALBxxrX0f5XeA8FtRt9jAezpH9KV" +
  "9SjWijgn3ZMGvXX3AiA1N2BHvgpwxT8gtSZnyI94VqtkX6KGBCtLPR7I3zl1Ag==";
const SELF_SIGNED_KEY =
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgKULcdOwLF9OUxl6OsL+eKm+RNCc2z6nV/hw/2iVv" +
  "xDChRANCAARq/0RcG+uDiia/Lu28Ez0sWcNpJFKdZjxdeuut9UBfgQ6AdGH1QSql/XhSUurmAA6te2V1u95c9Kve" +
  "rUMWPFnO";
const FOREIGN =
  "MIICCzCCAbGgAwIBAgIQZy/p9aKUfgpP8TFUZVXeMjAKBggqhkjOPQQDAjAUMRIwEAYDVQQDEwlzZWxmLXRlc3Qw" +
  "IBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMAAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATvJJyY" +
  "EuNCCYNazeP8wSZdTqg9vMMYpFIwkGkl3bggsG96NmEmeA0vfhI3vue+vjX2uEfdr1OxaPHH3q0wmh4Wo4H2MIHz" +
  "MAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjB0BgNV" +
  "HREEbTBrgj1zZWxmLXRlc3Qub3V0cmlnZ2VyLnNlcnZpY2VhY2NvdW50LmlkZW50aXR5Lm91dHJpZ2dlci5pbnZh" +
  "bGlkhipzcGlmZmU6Ly9pbnZhbGlkL25zL291dHJpZ2dlci9zYS9zZWxmLXRlc3QwHQYDVR0OBBYEFDYp+TtkuvFN" +
  "lPVOkYuEasll7myMMB8GA1UdIwQYMBaAFBHLdWBpXphy3t0c3mVGJ8p9UkxzMAoGCCqGSM49BAMCA0gAMEUCIQDz" +
  "UzFmNBNjyBVon19EHKOzGg+TLqzwraMUgw7TJy2HdQIgB6PQvE+rHQXtsfgty/GkZsQZwvhDSMpt4hkXVFDB9aM=";
const FOREIGN_KEY =
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1BfXKJ2ELNdeiN0lpDpiZA3QmtEekfwSxlj91fkx" +
  "FMmhRANCAATvJJyYEuNCCYNazeP8wSZdTqg9vMMYpFIwkGkl3bggsG96NmEmeA0vfhI3vue+vjX2uEfdr1OxaPHH" +
  "3q0wmh4W";
const EXPIRED =
  "MIICCzCCAbCgAwIBAgIRALnfZLIE8Xb10gfIJLQsi3wwCgYIKoZIzj0EAwIwFDESMBAGA1UEAxMJc2VsZi10ZXN0" +
  "MB4XDTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAwMDAwMFowADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKejqxGO" +
  "896y096WN+XDLeyLayjPUZ0l5W80aNGr/0xkqe4qMpzmg7shGDyvaIuXxMc4AJq1rWwa1B5cC2SDOROjgfYwgfMw" +
  "DAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMHQGA1Ud" +
  "EQRtMGuCPXNlbGYtdGVzdC5vdXRyaWdnZXIuc2VydmljZWFjY291bnQuaWRlbnRpdHkub3V0cmlnZ2VyLmludmFs" +
  "aWSGKnNwaWZmZTovL2ludmFsaWQvbnMvb3V0cmlnZ2VyL3NhL3NlbGYtdGVzdDAdBgNVHQ4EFgQUk8JXWgLyT0jT" +
  "nfsXkeaMLH9SLSMwHwYDVR0jBBgwFoAU0JihFT50siKS2nXJKfR2qc00nVswCgYIKoZIzj0EAwIDSQAwRgIhAJUt" +
  "VLieyCMNOV9qSqxAeEN5HjEUIFO6dEgBXg2u3exvAiEAh5mn3cbBELWZStNNmHwv6M/ltG/mdfK0OQDxGwSv0Rk=";
const EXPIRED_KEY =
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgo3HDw65KokidaHyF6op5bLBfZgJLwuotHFTrR3yV" +
  "5TmhRANCAASno6sRjvPestPeljflwy3si2soz1GdJeVvNGjRq/9MZKnuKjKc5oO7IRg8r2iLl8THOACata1sGtQe" +
  "XAtkgzkT";

function credentials(certificate: string, key: string): Credentials {
  return {
    certificates: [Uint8Array.from(Buffer.from(certificate, "base64"))],
    key: Uint8Array.from(Buffer.from(key, "base64")),
    roots: [Uint8Array.from(Buffer.from(ANCHOR, "base64"))],
    identity: IDENTITY ?? { dns: null, uri: null },
    notBeforeMs: Date.UTC(2020, 0, 1),
    notAfterMs: Date.UTC(2120, 0, 1),
  };
}

export const OWN_WORLD: Credentials = credentials(OWN, OWN_KEY);
export const SELF_SIGNED_STRANGER: Credentials = credentials(SELF_SIGNED, SELF_SIGNED_KEY);
/** Under another anchor, which has the same name. */
export const FOREIGN_STRANGER: Credentials = credentials(FOREIGN, FOREIGN_KEY);
export const EXPIRED_STRANGER: Credentials = credentials(EXPIRED, EXPIRED_KEY);
