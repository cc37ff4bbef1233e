import * as assert from "uvu/assert";
import { type ServerWords, wordsOf } from "../../src/protocol/server-words.ts";
import { latin1 } from "../support/client-hello.ts";
import { settings } from "../support/http2-frames.ts";
import { suite } from "../support/test.ts";

const test = suite("protocol/server-words");

function hear(text: string | Uint8Array): ServerWords {
  const bytes = typeof text === "string" ? latin1(text) : text;
  // Not at the start, and more behind it that must not be looked at.
  const around = new Uint8Array(bytes.length + 20).fill(0x48);
  around.set(bytes, 7);
  return wordsOf(around, 7, 7 + bytes.length);
}

const HTTP: readonly (string | Uint8Array)[] = [
  settings(),
  settings([[3, 100]]),
  settings([
    [3, 128],
    [4, 65_536],
    [5, 16_777_215],
  ]),
  "HTTP/1.1 408 Request Timeout\r\n",
  "HTTP/1.0 400 Bad request\r\n",
];

test("what servers of HTTP say first is told, from its least beginning on, and no sooner", () => {
  for (const each of HTTP) {
    const bytes = typeof each === "string" ? latin1(each) : each;
    const least = typeof each === "string" ? "HTTP/1.".length : 9;
    for (let count = 1; count <= bytes.length; count++) {
      const words = count < least ? "unsure" : "http";
      assert.is(hear(bytes.subarray(0, count)), words, `${count} bytes of ${each}`);
    }
  }
});

test("what other servers greet with is theirs", () => {
  for (const text of [
    "J\0\0\0\x0a8.0.36\0",
    "220 mail.example ESMTP\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "* OK IMAP4rev1 ready\r\n",
    "+OK POP3 ready\r\n",
    "HELLO",
    "HTTPD ready",
    "HTTP/2 ready",
    "http/1.1 200 OK\r\n",
    // A length in four bytes, and a message.
    "\0\0\0\x2f{",
    "\0\0\x01\x04",
    // SETTINGS that are longer than they may be, acknowledge, or are on a stream.
    "\0\x40\x02\x04\0\0\0\0\0",
    "\x01\0\x02\x04\0\0\0\0\0",
    "\0\0\0\x04\x01\0\0\0\0",
    "\0\0\0\x04\0\0\0\0\x01",
    "\0\0\x06\x05\0\0\0\0\0",
  ]) {
    assert.is(hear(text), "other", JSON.stringify(text));
  }
});

test.run();
