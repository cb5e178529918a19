/** Text that a container or a host chose, so that it can neither leave its line nor command the terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}
