import { z } from "zod";

export const sigkill = 9;

/** Numbers as signal(7) gives them for x86 and ARM; the container's, whatever system the caller runs on. */
const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: sigkill,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};

const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** Linux signal number of a name ("TERM", "SIGTERM", "rtmin+1") or a number ("15", 15); undefined when there is none. */
export function findSignalNumber(signal: string | number): number | undefined {
  const text = String(signal).trim().toUpperCase();
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= SIGRTMAX ? number : undefined;
  }
  const name = text.startsWith("SIG") ? text : `SIG${text}`;
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime) {
    const base = realTime[1] === "MIN" ? SIGRTMIN : SIGRTMAX;
    const number = base + Number(`${realTime[2] ?? "+"}${realTime[3] ?? 0}`);
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
  }
  return Object.hasOwn(signalNumbers, name) ? signalNumbers[name] : undefined;
}

/** Accepts what `podman kill --signal` does and yields the number (1-64). */
export const signalSchema = z.union([z.string(), z.number()]).transform((value, context) => {
  const number = findSignalNumber(value);
  if (number === undefined) {
    context.addIssue({
      code: "custom",
      message: `unknown signal ${JSON.stringify(value)}: must be a name such as "TERM" or "SIGTERM", or a number from 1 to ${SIGRTMAX}`,
    });
    return z.NEVER;
  }
  return number;
});
