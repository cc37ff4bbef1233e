/** Where a program of the system is. */
import { existsSync } from "node:fs";
import process from "node:process";

const SYSTEM_FOLDERS = ["/usr/sbin", "/sbin"]; // haproxy and nginx; not on an ordinary user's PATH

/** Returns the path of the program, or null if it is not installed. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env["PATH"] ?? "").split(":"), ...SYSTEM_FOLDERS];
  return folders.map((folder) => `${folder}/${name}`).find(existsSync) ?? null;
}
